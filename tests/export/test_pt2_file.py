"""A program of torch.export: any size, stroke, map and batch, loaded by plain torch."""

import io

import pytest
import torch

from brushnet.export.check import compare
from brushnet.export.pt2_file import painter, pt2_bytes
from brushnet.export.traced import Painter

LIMIT = 0.1  # grey levels of 255


@pytest.mark.slow
def test_it_paints_what_the_network_paints(make_model):
    model = make_model(low=0.8, high=1.3, styles=2)
    data = pt2_bytes(model, {"licence": "CC0"})
    found = compare(model, painter(data))
    assert found.paintings == 27
    assert found.largest < LIMIT
    texts = {"licence": ""}
    program = torch.export.load(io.BytesIO(data), extra_files=texts)
    assert texts == {"licence": "CC0"}
    photo, stroke = torch.rand(1, 3, 30, 41), torch.full((1, 1, 1, 1), 1.1)
    painting = program.module()(photo=photo, stroke=stroke, strength=torch.ones(1), style=torch.tensor([[0.0, 1.0]]))
    expected = model(photo, 1.1, style=1)
    assert (painting - expected).abs().max() * 255 < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["mixed", "fixed"])
def test_a_network_that_is_not_told_has_no_stroke(make_model, mode):
    model = make_model(mode=mode)
    assert compare(model, painter(pt2_bytes(model, {}))).largest < LIMIT


@pytest.mark.slow
def test_a_plain_trunk(make_model):
    model = make_model(kind="plain").to("cpu")  # as where it is loaded: channels last, of which torch would warn
    assert compare(model, painter(pt2_bytes(model, {}))).largest < LIMIT


def test_the_traced_network_is_the_network(make_model):
    """Before it is traced: brushes written out, sizes from tensors."""
    model = make_model(styles=2)

    def paint(inputs):
        return Painter(model)(**{name: torch.from_numpy(each) for name, each in inputs.items()}).numpy()

    assert compare(model, paint).largest < LIMIT
