import math

import pytest
import torch
from torch import Tensor

from brushnet import images, seeds
from brushnet.measure import width
from brushnet.measure.known_widths import KINDS, known_width
from brushnet.measure.painter import noise_photo, paint
from brushnet.measure.width import octave_profile, stroke_width


def saved(picture_13HW: Tensor) -> Tensor:
    """As it comes back from a file of 8 bits."""
    return images.to_float(images.to_uint8(picture_13HW))


def noise(channels: int) -> Tensor:
    draws = torch.from_numpy(seeds.rng(0, "test noise").standard_normal((1, channels, 200, 240), dtype="float32"))
    return saved((0.5 + 0.15 * draws).expand(1, 3, -1, -1))


@pytest.fixture(scope="module")
def bars() -> Tensor:
    return saved(known_width("bars", 256, stroke_px=10, seed=1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("stroke_px", "antialiased"), [(3.0, True), (7.3, False), (24.0, True)])
def test_the_width_of_shapes_is_found(kind: str, stroke_px: float, antialiased: bool) -> None:
    size_px = round(110 + 5 * stroke_px)
    picture = saved(known_width(kind, size_px, stroke_px=stroke_px, seed=3, antialiased=antialiased))
    assert stroke_width(picture).stroke_px == pytest.approx(stroke_px, rel=0.1)


@pytest.mark.parametrize("brush", ["bristle", "flat", "dab", "pen"])
@pytest.mark.parametrize("stroke_px", [5, 19])
def test_the_width_of_brushes_is_found(brush: str, stroke_px: float) -> None:
    picture = saved(paint(noise_photo(224, 256, seed=1), stroke_px=stroke_px, brush=brush, seed=2))
    found = stroke_width(picture)
    assert found.stroke_px == pytest.approx(stroke_px, rel=0.15)
    assert 0.6 * stroke_px < found.spread_px[0] <= 1.1 * stroke_px
    assert 0.9 * stroke_px <= found.spread_px[1] < 2 * stroke_px
    assert found.reason == ""


def test_a_picture_enlarged_has_strokes_enlarged(bars: Tensor) -> None:
    once = stroke_width(bars).stroke_px
    for zoom in (0.5, 1.5, 2):
        resized = saved(images.resize(bars, round(256 * zoom), round(256 * zoom)))
        assert stroke_width(resized).stroke_px == pytest.approx(zoom * once, rel=0.05)


def test_a_picture_of_many_pixels_is_measured_from_coarser_levels(bars: Tensor, monkeypatch) -> None:
    monkeypatch.setattr(width, "LARGEST_PIXELS", 256 * 256 // 2)
    assert stroke_width(bars).stroke_px == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture.flip(-1),
        lambda picture: picture.flip(-2),
        lambda picture: picture.rot90(dims=(-2, -1)),
        lambda picture: picture.rot90(2, dims=(-2, -1)),
        lambda picture: picture.transpose(-1, -2),
        lambda picture: picture[:, [2, 0, 1]],
        lambda picture: 1 - picture,
        lambda picture: saved(0.5 * picture),
        lambda picture: saved(0.6 + 0.3 * picture),
    ],
    ids=["flip", "upside down", "turn", "half turn", "transpose", "colours", "negative", "darker", "pale"],
)
def test_width_does_not_depend_on(bars: Tensor, change) -> None:
    picture = bars[..., :231, :]  # odd sides too
    assert stroke_width(change(picture)).stroke_px == pytest.approx(stroke_width(picture).stroke_px, rel=0.005)


def test_an_outline_does_not_outweigh_the_strokes(bars: Tensor) -> None:
    picture = 0.3 + 0.3 * bars
    picture[..., 90:170, :] += 0.4  # a bar of 80 px of what is depicted
    assert stroke_width(saved(picture)).stroke_px == pytest.approx(10, rel=0.1)


def test_the_spread_covers_halves_of_different_width() -> None:
    halves = [known_width("bars", 300, stroke_px=width, seed=1)[..., :150] for width in (8, 13)]
    found = stroke_width(saved(torch.cat(halves, dim=-1)))
    assert found.spread_px == (pytest.approx(8, rel=0.12), pytest.approx(13, rel=0.12))


def gradient_picture() -> Tensor:
    return saved(torch.linspace(0, 1, 300).view(1, 1, 1, -1).expand(1, 3, 200, -1))


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (torch.zeros(1, 3, 100, 100), "a single colour"),
        (torch.tensor([0.2, 0.5, 0.7]).view(1, 3, 1, 1).expand(1, 3, 90, 120), "a single colour"),
        (torch.ones(1, 3, 1, 1), "smaller than 32 px"),
        (known_width("bars", 31, stroke_px=4), "smaller than 32 px"),
        (gradient_picture(), "no width stands out"),
        (saved(torch.full((1, 3, 64, 64), 0.5) + torch.linspace(0, 0.02, 64)), "no edges, only smooth changes"),
        (saved(noise_photo(200, 240, seed=2)), "no width stands out"),
        (noise(3), "nothing coarser than grain"),
        (noise(1), "nothing coarser than grain"),
    ],
    ids=[
        "black",
        "colour",
        "pixel",
        "small",
        "gradient",
        "faint gradient",
        "smooth",
        "noise",
        "grey noise",
    ],
)
def test_where_nothing_can_be_measured_the_reason_is_said(picture: Tensor, reason: str) -> None:
    found = stroke_width(picture)
    assert math.isnan(found.stroke_px)
    assert all(map(math.isnan, found.spread_px))
    assert reason in found.reason


def test_the_picture_is_left_untouched(bars: Tensor) -> None:
    before = bars.clone()
    stroke_width(bars)
    assert torch.equal(bars, before)


def test_the_profile_peaks_where_the_energy_is() -> None:
    places = torch.arange(128.0)
    for octave in range(1, 4):
        half_period = 1.5 * 2**octave
        wave = 0.5 + 0.4 * torch.sin(math.pi * places / half_period)
        profile = octave_profile(wave.view(1, 1, 1, -1).expand(1, 3, 128, -1))
        assert sum(profile) == pytest.approx(1)
        assert max(range(len(profile)), key=profile.__getitem__) == octave


def test_a_single_colour_has_no_profile() -> None:
    assert octave_profile(torch.full((1, 3, 64, 64), 0.3)) == []
    assert octave_profile(torch.rand(1, 3, 2, 2)) == []
