import logging
import math

import pytest
import torch

from brushnet import images, seeds
from brushnet.errors import UserError
from brushnet.strokes import Painting, StrokeRange


def stripes(height: int = 400, width: int = 500, period: int = 20) -> torch.Tensor:
    """Black and white stripes of known width, uint8 (3, H, W)."""
    columns = (torch.arange(width) % period < period // 2).to(torch.uint8) * 255
    return columns.expand(3, height, width).clone()


def painting(pixels: torch.Tensor | None = None, *, reference_px: int = 200) -> Painting:
    return Painting(stripes() if pixels is None else pixels, name="stripes", reference_px=reference_px)


def test_samples_are_log_uniform_and_fill_the_range():
    octaves = StrokeRange(0.5, 4).sample(3, torch.arange(4000))
    assert octaves.min() >= -1
    assert octaves.max() < 2
    quarters = torch.histc(octaves, bins=4, min=-1, max=2) / 4000
    assert (quarters - 0.25).abs().max() < 0.03


def test_a_sample_depends_on_seed_and_index_alone():
    stroke = StrokeRange(0.35, 2.8)
    together = stroke.sample(1, torch.tensor([5, 6, 7]))
    assert torch.equal(stroke.sample(1, torch.tensor([7])), together[2:])
    assert not torch.equal(stroke.sample(2, torch.tensor([7])), together[2:])


@pytest.mark.parametrize("spread", [False, True])
def test_the_samples_of_a_group_share_one_scale_wherever_a_batch_begins(spread):
    each, grouped = (StrokeRange(0.35, 2.8, group=group, spread=spread) for group in (1, 4))
    octaves = grouped.sample(1, torch.arange(32))
    assert torch.equal(octaves, each.sample(1, torch.arange(8)).repeat_interleave(4))
    assert len(octaves.unique()) == 8
    assert torch.equal(grouped.sample(1, torch.arange(6, 14)), octaves[6:14])


def test_spread_scales_cover_the_range_wherever_one_begins():
    stroke = StrokeRange(0.5, 4, spread=True)
    octaves = stroke.sample(3, torch.arange(4000))
    for start in (0, 7, 3001):
        tenths = torch.histc(octaves[start : start + 50], bins=10, min=-1, max=2)
        assert tenths.min() >= 4
        assert tenths.max() <= 6
    assert not torch.equal(stroke.sample(4, torch.arange(9)), octaves[:9])


def test_only_a_conditioned_network_is_told_the_scale():
    octaves = torch.tensor([0.5, -1.0])
    assert torch.equal(StrokeRange(0.35, 2.8, "conditioned").told(octaves).flatten(), octaves)
    assert torch.equal(StrokeRange(0.35, 2.8, "mixed").told(octaves).flatten(), torch.zeros(2))


def test_grid_reaches_both_ends_in_equal_steps():
    grid = StrokeRange(0.35, 2.8).grid(0.125)
    assert grid[0].item() == pytest.approx(math.log2(0.35), abs=1e-5)
    assert grid[-1].item() == pytest.approx(math.log2(2.8), abs=1e-5)
    assert len(grid) == 25
    assert len(StrokeRange(1, 1, "fixed").grid(0.125)) == 1


def test_scales_outside_the_range_move_to_its_nearest_end():
    assert StrokeRange(0.7, 1.4).inside([0.5, 1.0, 2.0]) == [0.7, 1.0, 1.4]
    assert StrokeRange(1, 1, "fixed").inside([0.5, 1.0, 2.0]) == [1]


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7])
def test_rendering_scales_the_short_side_and_the_strokes(scale):
    rendered = painting().render(scale)
    assert min(rendered.shape[-2:]) == round(200 * scale)
    row = rendered[0, 0, 50]
    edges = ((row[1:] > 0.5) != (row[:-1] > 0.5)).sum().item()
    assert edges == pytest.approx(49, abs=1)  # 25 stripes, whatever their width in px


def test_a_crop_shows_strokes_of_the_same_width_as_the_whole():
    scale, crop_px = 0.8, 96
    crop = painting().random_crop(scale, crop_px, seed=0, index=4)
    assert crop.shape == (1, 3, crop_px, crop_px)
    row = crop[0, 0, 10]
    edges = ((row[1:] > 0.5) != (row[:-1] > 0.5)).sum().item()
    stripe_px = 10 * scale * 200 / 400
    assert edges == pytest.approx(crop_px / stripe_px, abs=2)


def test_crops_are_drawn_by_index_and_come_from_the_painting():
    pixels = (torch.from_numpy(seeds.rng(0, "test").random((3, 400, 500))) * 255).to(torch.uint8)
    noise = painting(pixels)
    same = [noise.random_crop(2.0, 64, seed=1, index=9) for _ in range(2)]
    assert torch.equal(*same)
    assert not torch.equal(same[0], noise.random_crop(2.0, 64, seed=1, index=10))
    assert noise.random_crop(2.0, 64, seed=1, index=9).mean() == pytest.approx(0.5, abs=0.05)


def test_a_painting_smaller_than_the_crop_is_used_whole():
    crop = painting().random_crop(0.25, 128, seed=0, index=0)
    assert crop.shape == (1, 3, 50, 62)


def test_a_painting_too_small_for_the_range_is_enlarged_with_a_word(caplog):
    with caplog.at_level(logging.WARNING):
        painting(reference_px=256).check(StrokeRange(0.35, 2.8))
    assert "stripes is 400 px on its short side; stroke scales above 1.56 (stroke.max=2.8) enlarge it" in caplog.text


def test_a_painting_large_enough_gives_no_warning(caplog):
    with caplog.at_level(logging.WARNING):
        painting(reference_px=128).check(StrokeRange(0.35, 2.8))
    assert caplog.text == ""


def test_a_range_that_shrinks_the_painting_to_nothing_is_refused():
    with pytest.raises(UserError, match=r"stroke\.min=0\.1 shrinks the painting to 20 px; .* at least 32"):
        painting().check(StrokeRange(0.1, 1))


def test_a_painting_of_one_colour_is_refused():
    with pytest.raises(UserError, match=r"style\.files: stripes is all of one colour; a painting with brushstrokes"):
        painting(torch.full((3, 300, 300), 90, dtype=torch.uint8)).check(StrokeRange(0.5, 1))


def test_a_missing_or_broken_painting_is_named(tmp_path):
    with pytest.raises(UserError, match=r"style\.files: .*none\.jpg does not exist"):
        Painting.open(tmp_path / "none.jpg", reference_px=256)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"style\.files: .*broken\.jpg cannot be read: "):
        Painting.open(tmp_path / "broken.jpg", reference_px=256)


def test_a_painting_is_named_after_its_file(tmp_path):
    images.write(images.to_float(stripes())[None], tmp_path / "my stripes.png")
    assert Painting.open(tmp_path / "my stripes.png", reference_px=256).name == "my stripes"
