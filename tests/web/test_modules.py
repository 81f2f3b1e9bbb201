"""The page's arithmetic, module by module, against what it is a translation of."""

import numpy as np
import pytest
import torch

from brushnet import images
from brushnet.inference import resolution
from brushnet.inference.finish import finish
from brushnet.web.browser_model import PATTERN_PX, pattern


def called(visit, module: str, call: str, *arguments: object):
    """What `call`, an expression of `m` (the module) and `a` (the arguments), gives in the page."""
    code = f"async (a) => {{ const m = await import('./{module}'); const out = await ({call}); " \
        "return ArrayBuffer.isView(out) ? Array.from(out) : out; }"  # fmt: skip
    return visit.page.evaluate(code, list(arguments))


def picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def numbers(tensor: torch.Tensor) -> list[float]:
    return tensor.flatten().tolist()


@pytest.mark.parametrize("size", [(37, 53), (12, 20), (80, 61), (1, 1), (37, 20)])
def test_resizing_is_that_of_images(opened, size):
    photo = picture(37, 53)
    shape = [3, 37, 53]
    found = called(opened, "resize.js", "m.resize(Float32Array.from(a[0]), a[1], a[2])", numbers(photo), shape, size)
    assert np.abs(np.array(found) - images.resize(photo, *size).flatten().numpy()).max() < 1e-5
    found = called(opened, "resize.js", "m.smooth(Float32Array.from(a[0]), a[1], a[2])", numbers(photo), shape, size)
    assert np.abs(np.array(found) - resolution._smooth(photo, size).flatten().numpy()).max() < 1e-5


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.75, 1.0, 1.2, 1.5])
@pytest.mark.parametrize("size", [(40, 56), (7, 100)])
def test_strength_is_that_of_stylize(opened, strength, size):
    photo, painting = picture(*size), picture(*size, seed=1)
    call = "m.atStrength(Float32Array.from(a[0]), Float32Array.from(a[1]), a[2], a[3])"
    found = called(opened, "strength.js", call, numbers(photo), numbers(painting), size, strength)
    expected = finish(photo, painting, strength=strength)
    assert np.abs(np.array(found) - expected.flatten().numpy()).max() < 1e-5


def test_enlarging_is_that_of_stylize(opened):
    painting = images.resize(picture(9, 12), 40, 60).clamp(0, 1)
    call = "m.enlarge(Float32Array.from(a[0]), a[1], a[2], (picture) => picture.map(Math.sqrt))"
    found = called(opened, "enlarge.js", call, numbers(painting), [40, 60], [101, 151])
    expected = resolution.enlarge(painting, 101, 151, repaint=torch.sqrt)
    assert np.abs(np.array(found) - expected.flatten().numpy()).max() < 1e-4


def test_the_pattern_of_the_check_is_the_same(opened):
    found = np.array(called(opened, "pixels.js", "m.pattern(a[0])", PATTERN_PX))
    assert np.abs(found - pattern().flatten().numpy()).max() < 1e-6


def test_sizes_are_those_of_stylize(opened):
    """At which size a photo is painted whose strokes, there, are broader than any that was trained."""
    model = {"min": 0.35, "max": 2.8, "stroke": 1}
    shape = called(opened, "sizes.js", "m.paintedShape(a[0], a[1], a[2], a[3])", [1600, 2400], [512, 768], 2.0, model)
    assert shape == [716, 1074]  # 2 / 512 per px: 2.8 at 716.8
    assert called(opened, "sizes.js", "m.paintedShape(a[0], a[1], a[2], a[3])", [600, 900], [512, 768], 2.0, model) == [
        600, 900,
    ]  # fmt: skip
    small = called(opened, "sizes.js", "m.previewShape(a[0], a[1], a[2], a[3])", [512, 768], 2.0, model, 40_000)
    assert small == [171, 256]
    fine = called(opened, "sizes.js", "m.previewShape(a[0], a[1], a[2], a[3])", [512, 768], 0.4, model, 40_000)
    assert fine == [448, 672]  # smaller, the finest strokes would be broader beside the picture than they will be


def test_the_ladder_makes_what_is_near_first_and_shows_what_is_near(opened):
    climb = """(() => { const ladder = new m.Ladder(); const made = [];
        for (let rung = ladder.next(1, a[0]); rung; rung = ladder.next(1, a[0])) {
            made.push(rung);
            ladder.add({ wanted: rung });
        }
        return [made, [0.35, 0.4, 1.05, 2.8].map((each) => ladder.at(each)?.wanted), new m.Ladder().at(1)]; })()"""
    made, shown, none = called(opened, "ladder.js", climb, {"min": 0.35, "max": 2.8})
    assert len(made) == 13
    assert made[:2] == [0.9899, 1.177]
    assert sorted(made)[0] == 0.35
    assert shown == [0.35, 0.4162, 0.9899, 2.8]
    assert none is None


def test_a_map_is_what_its_saved_picture_says(opened):
    code = """(() => { const map = new m.StrokeMap([64, 96]); map.dab(0.25, 0.3, 0.2, 1); map.dab(0.8, 0.3, 0.2, -1);
        return [Array.from(map.levels(1, a[0])), Array.from(map.scales(1, a[0])), map.shape, map.empty]; })()"""
    levels, scales, shape, empty = called(opened, "stroke_map.js", code, {"min": 0.35, "max": 2.8})
    assert shape == [64, 96]
    assert not empty
    assert np.allclose(0.35 * 8 ** (np.array(levels) / 255), scales, rtol=1e-6)
    assert abs(scales[0] - 1) < 0.01
    assert min(scales) < 0.65
    assert max(scales) > 1.5
