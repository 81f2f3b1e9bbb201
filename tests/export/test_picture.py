"""The ONNX graph paints what the model paints, whatever is asked for."""

import functools

import numpy as np
import onnx
import pytest
import torch

import brushnet
from brushnet import images
from brushnet.export.onnx_file import onnx_bytes, painter
from brushnet.inference.finish import finish

GREY = 1 / 255


@pytest.fixture
def off(photo):
    """Largest difference from the model, in [0, 1]. A file is opened once, for pictures of all sizes."""
    opened = functools.cache(painter)

    def off(model, size=(50, 70), stroke=1.0, *, strength=1.0, style=None, batch=1, data=None):
        picture = images.resize(photo[:batch], *size)
        expected = finish(picture, model(picture, stroke, style=style), strength=strength)
        scales = stroke if isinstance(stroke, torch.Tensor) else torch.full((1, 1, 1, 1), stroke or 1.0)
        weights = [(style or {}).get(name, 0.0) for name in model.style_names]
        inputs = {"photo": picture, "stroke": scales, "strength": torch.tensor([strength]),
                  "style": torch.tensor([weights])}  # fmt: skip
        painting = opened(data or onnx_bytes(model, {}))({key: each.float().numpy() for key, each in inputs.items()})
        assert painting.shape == tuple(expected.shape)
        return np.abs(painting - expected.numpy()).max()

    return off


def waves(height, width, low=0.35, high=2.8):
    wave = (torch.arange(height)[:, None] / 3 + torch.arange(width) / 2).sin()
    return (low + (high - low) * (wave + 1) / 2)[None, None]


def inputs_of(model):
    return {each.name: each for each in onnx.load_from_string(onnx_bytes(model, {})).graph.input}


@pytest.mark.parametrize("kind", ["scaled", "plain", "patch", "plain patch"])
def test_any_size_and_stroke(make_model, off, kind):
    model = make_model(kind=kind)
    data = onnx_bytes(model, {})
    for size in ((50, 70), (37, 53), (5, 90), (20, 20), (129, 64)):
        for stroke in (0.35, 0.5, 0.99, 1.0, 1.7, 2.8):
            assert off(model, size, stroke, data=data) < 0.1 * GREY, (size, stroke)


@pytest.mark.parametrize("kind", ["scaled", "plain", "patch", "plain patch"])
def test_maps_of_any_size(make_model, off, kind):
    model = make_model(kind=kind)
    data = onnx_bytes(model, {})
    for size in ((50, 70), (10, 14), (200, 280), (1, 1)):
        assert off(model, stroke=waves(*size), data=data) < 0.1 * GREY, size
    assert off(model, (100, 140), waves(5, 7), data=data) < 0.1 * GREY
    assert off(model, (12, 14), waves(12, 14), data=data) < 0.1 * GREY  # of one cell: no map is left


def is_one_colour(painting_3HW):
    """But for the 2 x 2 px that the last convolution makes of a point: they differ by less than a grey level."""
    phases = [painting_3HW[:, top::2, left::2] for top in (0, 1) for left in (0, 1)]
    noise = max(np.ptp(phase, axis=(1, 2)).max() for phase in phases if phase.size)
    return noise < 1e-6 and np.ptp(painting_3HW, axis=(1, 2)).max() < GREY  # the convolution rounds


def test_a_photo_of_one_colour_is_painted_in_one_colour(photo):
    """Not as noise, which norm layers make of rounding: the network does so where it resizes, at s = 1 it does not."""
    model = brushnet.load("starry-night", device="cpu")
    paint = painter(onnx_bytes(model, {}))
    for size in ((1, 1), (30, 41), (130, 97)):
        picture = images.resize(photo, *size)
        picture[0] = torch.tensor([0.2, 0.5, 0.7]).view(3, 1, 1)
        for stroke in (0.35, 1.0, 2.8):
            scale = torch.full((1, 1, 1, 1), stroke)
            inputs = {"photo": picture, "stroke": scale, "strength": torch.ones(1)}
            painting = paint({name: each.numpy() for name, each in inputs.items()})
            assert is_one_colour(painting[0])
            expected = model(picture, stroke).numpy()
            known = slice(None) if stroke == 1 else slice(1, 2 if size != (1, 1) else 1)
            assert np.abs(painting - expected)[known].max(initial=0) < 0.5 * GREY, (size, stroke)


def test_a_map_of_one_scale_is_that_scale(make_model, off):
    model = make_model()
    assert off(model, stroke=torch.full((1, 1, 30, 42), 1.3)) < 0.1 * GREY


def test_a_photo_of_one_colour_is_painted_by_map_without_noise():
    model = brushnet.load("starry-night", device="cpu")
    scales = torch.ones(1, 1, 8, 8)
    scales[..., 4:] = 2
    paint = painter(onnx_bytes(model, {}))
    for grey in (0.2, 0.9):
        picture = torch.full((1, 3, 128, 128), grey)
        inputs = {"photo": picture.numpy(), "stroke": scales.numpy(), "strength": np.ones(1, np.float32)}
        assert np.abs(paint(inputs) - model(picture, scales).numpy()).max() < 0.5 * GREY


def test_a_map_of_one_scale_paints_a_photo_of_one_colour_in_one_colour():
    model = brushnet.load("starry-night", device="cpu")
    picture, scales = torch.full((1, 3, 64, 64), 0.5), torch.ones(1, 1, 2, 2)
    inputs = {"photo": picture.numpy(), "stroke": scales.numpy(), "strength": np.ones(1, np.float32)}
    painting = painter(onnx_bytes(model, {}))(inputs)
    assert is_one_colour(painting[0])
    assert np.abs(painting - model(picture, scales).numpy()).max() < 0.5 * GREY


def test_trunk_sizes_are_rounded_as_the_network_rounds_them(make_model, off):
    """Sides of which a stroke takes n + 1/2: the last bit decides."""
    model = make_model()
    data = onnx_bytes(model, {})
    for stroke in (0.8, 1.6, 2.0, 2.4):
        for side in (40, 56, 72, 88, 104, 120):
            assert off(model, (side, side + 4), stroke, data=data) < 0.1 * GREY, (stroke, side)


def test_a_stroke_outside_the_trained_range_is_clamped(make_model, photo):
    model = make_model(low=0.5, high=2)
    paint = painter(onnx_bytes(model, {}))
    painted = {
        stroke: paint({"photo": photo.numpy(), "stroke": np.full((1, 1, 1, 1), stroke, np.float32),
                       "strength": np.float32([1])})
        for stroke in (0.01, 0.5, 2, 50)
    }  # fmt: skip
    assert np.array_equal(painted[0.01], painted[0.5])
    assert np.array_equal(painted[2], painted[50])
    assert np.abs(painted[2] - painted[0.5]).max() > GREY


@pytest.mark.parametrize("strength", [0.0, 0.2, 0.7, 1.2, 1.5])
def test_strength(make_model, off, strength):
    assert off(make_model(), (67, 50), strength=strength) < 0.1 * GREY


def test_strength_0_is_the_photo_to_the_bit(make_model, photo):
    inputs = {"photo": photo.numpy(), "stroke": np.ones((1, 1, 1, 1), np.float32), "strength": np.float32([0])}
    assert np.array_equal(painter(onnx_bytes(make_model(), {}))(inputs), photo.numpy())


def test_a_batch_is_painted_as_its_photos_are(make_model, off):
    assert off(make_model(), batch=2) < 0.1 * GREY
    assert off(make_model(), stroke=waves(25, 35), batch=2) < 0.1 * GREY


@pytest.mark.parametrize("mode", ["mixed", "fixed"])
def test_a_network_that_is_not_told_has_no_stroke(make_model, off, mode):
    model = make_model(mode=mode)
    assert off(model, stroke=None, strength=0.5) < 0.1 * GREY
    assert list(inputs_of(model)) == ["photo", "strength"]


def test_several_paintings_and_their_mixtures(make_model, off):
    model = make_model(styles=3)
    data = onnx_bytes(model, {})
    for style in ({"painting-0": 1.0}, {"painting-2": 1.0}, {"painting-0": 0.3, "painting-1": 0.7}):
        assert off(model, style=style, data=data) < 0.1 * GREY
        assert off(model, stroke=waves(25, 35), style=style, data=data) < 0.1 * GREY
    assert list(inputs_of(model)) == ["photo", "stroke", "style", "strength"]


def test_shapes_are_declared(make_model):
    inputs = inputs_of(make_model(styles=2))
    shapes = {name: [each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim]
              for name, value in inputs.items()}  # fmt: skip
    assert shapes == {
        "photo": ["batch", 3, "height", "width"],
        "stroke": [1, 1, "map_height", "map_width"],
        "style": [1, 2],
        "strength": [1],
    }
