"""`scripts/measure_flicker.py`: that it measures flicker, and nothing else."""

import pytest
import torch

from brushnet import images
from brushnet.errors import BrushnetError
from tests.conftest import load_script


@pytest.fixture
def script():
    return load_script("measure_flicker")


@pytest.fixture
def photos() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [images.resize(torch.rand(1, 3, 40, 40, generator=generator), 320, 320).clamp(0, 1) for _ in range(2)]


def test_a_pan_of_a_photo_does_not_flicker_itself_and_a_wrong_step_does(script, photos):
    clip = script.CLIPS["pan 3,2"](*photos, 6)
    assert script.flicker(clip.frames, clip) == pytest.approx((0, 0), abs=1e-4)
    assert script.flicker(clip.frames, script.Clip(clip.frames, (2, 2)))[0] > 5


def test_flicker_is_in_percent_of_the_contrast(script):
    frames = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).repeat(4, 1, 1, 1) * 0.5
    frames[1::2] += 0.1
    fast, slow = script.flicker(frames, script.Clip(frames))
    assert fast == pytest.approx(100 * 0.1 / (0.5 / 12**0.5), rel=0.05)
    assert slow == pytest.approx(0, abs=1e-3)  # half a clip before, it was as bright


def test_what_passes_is_not_looked_at(script, photos):
    clip = script.passing(*photos, 6)
    assert clip.frames.diff(dim=0).abs().amax() > 0.1
    assert script.flicker(clip.frames, clip) == (0, 0)


def test_table_has_a_row_a_clip_and_holding_on_the_grid_calms_a_pan(script, photos, model, monkeypatch):
    monkeypatch.setattr(script, "CLIPS", {"pan 1,0": script.CLIPS["pan 1,0"]})
    (row,) = script.rows(model, photos, [1.0], 4)
    assert (row["stroke"], row["clip"]) == (1.0, "pan 1,0")
    assert row["2 s"]["flicker"] < 0.5 * row["each"]["flicker"]


def test_too_few_photos_that_are_large_enough_are_said(script, tmp_path):
    images.write(torch.rand(1, 3, 40, 40), tmp_path / "small.png")
    with pytest.raises(BrushnetError, match=r": 0 photos of at least \d+ x \d+ px, 2 needed"):
        script._photos(tmp_path, 2, 12)
