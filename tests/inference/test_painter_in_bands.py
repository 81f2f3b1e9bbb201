"""Pictures that would take more memory than is allowed: painted in bands, by the same command."""

import logging
import threading

import pytest
import torch

from brushnet import images
from brushnet.errors import Stopped
from brushnet.inference import painter
from brushnet.inference.large.choice import BEFORE_BYTES, must_be_in_bands
from brushnet.inference.stylize import StylizeReport, stylize_files
from brushnet.models import ModelMeta, StyleModel
from brushnet.nets import ResidualTransformer


@pytest.fixture
def in_bands(monkeypatch):
    """However small the picture is."""
    painted = []
    paint = painter.LargePainter.paint

    def counted(self, *args, **options):
        painted.append(1)
        paint(self, *args, **options)

    monkeypatch.setattr(painter, "must_be_in_bands", lambda *_, **__: True)
    monkeypatch.setattr(painter.LargePainter, "paint", counted)
    return painted


def test_what_takes_more_than_is_allowed_is_painted_in_bands(model):
    def in_bands(height, width, stroke=1.0, short_px=None, more=0):
        allowed = BEFORE_BYTES + 300_000_000 + more
        return must_be_in_bands(model, (height, width), stroke, short_px, max_memory_bytes=allowed)

    assert not in_bands(300, 400)
    assert in_bands(3000, 4000)
    assert not in_bands(300, 400, short_px=200)
    assert in_bands(300, 400, short_px=3000)
    assert not in_bands(3000, 4000, more=10**11)
    sizes = [height for height in range(100, 3000, 20) if in_bands(height, 1000)]
    with_map = [height for height in range(100, 3000, 20) if in_bands(height, 1000, torch.ones(1, 1, 2, 2))]
    assert len(with_map) >= len(sizes) > 0


@pytest.mark.parametrize(("ends", "larger"), [("patch", True), ("full", False)])
def test_a_large_picture_is_in_bands_where_that_is_faster(ends, larger):
    net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, ends=ends, trunk_px=8)
    meta = ModelMeta.of(net, stroke_mode="conditioned", stroke_min=0.5, stroke_max=2.0, reference_px=256,
                        style_names=["none"])  # fmt: skip
    whole, large = (
        must_be_in_bands(StyleModel(net, meta), size, 1.0, max_memory_bytes=10**12)
        for size in ((1500, 1600), (1600, 1600))
    )
    assert (whole, large) == (False, larger)


@pytest.mark.parametrize("options", [{}, {"strength": 0.5}, {"preserve_colour": "histogram"}, {"stroke_per_side": 2.0}])
def test_the_paintings_are_the_same(tmp_path, model, save_photo, in_bands, monkeypatch, options):
    photo = save_photo(tmp_path / "a.png", (150, 131))
    stylize_files(model, [photo], tmp_path / "bands.png", **options)
    assert in_bands
    monkeypatch.undo()
    stylize_files(model, [photo], tmp_path / "whole.png", **options)
    bands, whole = (images.read_uint8(tmp_path / name).int() for name in ("bands.png", "whole.png"))
    assert (bands - whole).abs().max() <= 1


def test_several_scales_and_their_sheet(tmp_path, model, save_photo, in_bands):
    save_photo(tmp_path / "photos" / "a.png", (90, 131))
    report = stylize_files(model, [tmp_path / "photos"], tmp_path / "out", strokes=[0.7, 1.5])
    assert [path.name for path in report.written] == ["a_s0.70.png", "a_s1.50.png", "sheet.jpg"]
    assert in_bands == [1]  # both in one reading of the photo
    assert images.size(tmp_path / "out" / "sheet.jpg")[1] > 3 * 90


def test_what_is_painted_at_another_size_is_so_in_bands_too_and_said(
    tmp_path, model, save_photo, in_bands, monkeypatch, caplog
):
    photo, said = save_photo(tmp_path / "a.png", (400, 380)), "a.png: strokes of 2.97 are beyond the trained 2: painted"
    with caplog.at_level(logging.INFO):
        stylize_files(model, [photo], tmp_path / "bands.png", stroke_per_side=2.0)
        assert in_bands
        monkeypatch.undo()
        stylize_files(model, [photo], tmp_path / "whole.png", stroke_per_side=2.0)
    assert caplog.text.count(said) == 2
    bands, whole = (images.read_uint8(tmp_path / name).int() for name in ("bands.png", "whole.png"))
    assert (bands - whole).abs().max() <= 1


@pytest.mark.usefixtures("in_bands")
def test_shares_of_a_picture_are_told_and_it_can_be_stopped_within(tmp_path, model, save_photo):
    photo, told, stop = save_photo(tmp_path / "a.png", (150, 131)), [], threading.Event()
    stylize_files(model, [photo], tmp_path / "b.png", progress=lambda done, total, path: told.append(done))
    assert told == sorted(told)
    assert any(0 < done < 1 for done in told)
    assert told[-1] == 1

    def ask(done, total, path):
        if done > 0:
            stop.set()

    report = StylizeReport()
    with pytest.raises(Stopped, match="stopped; the same command goes on with what is left"):
        stylize_files(model, [photo], tmp_path / "c.png", progress=ask, stop=stop, report=report)
    assert not report.written
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]
