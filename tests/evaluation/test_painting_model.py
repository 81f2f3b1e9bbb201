import itertools
import logging
import math
from pathlib import Path

import pytest
import torch

from brushnet import models
from brushnet.evaluation import painting_model
from brushnet.evaluation.painting_model import default_strokes, model_name, model_system
from brushnet.evaluation.systems import Photos, System
from brushnet.models import StyleModel


def system(model: StyleModel, strokes: list[float], *, sizes_px: tuple[int, ...] = (64,), count: int = 2) -> System:
    photos = Photos(Path("photos"))
    return model_system(model, photos, name="m", style=0, strokes=strokes, sizes_px=sizes_px, count=count)


def test_a_conditioned_model_paints_what_is_asked_and_clamps_what_it_has_not_seen(
    model: StyleModel, caplog: pytest.LogCaptureFixture
) -> None:
    found = system(model, [0.5, 1.0, 4.0])
    assert caplog.messages == ["stroke 4 is outside the trained range 0.5 to 2: clamped"]
    assert [found.seen(stroke) for stroke in (0.5, 1.0, 2.0, 4.0)] == [True, True, True, False]
    photo, paint = found.tasks[0].open()
    assert photo is not None
    assert torch.equal(paint(1.0), model(photo, 1.0))
    assert torch.equal(paint(4.0), model(photo, 2.0))


@pytest.mark.parametrize(("mode", "low", "high"), [("fixed", 1.5, 1.5), ("mixed", 0.5, 2.0)])
def test_a_model_that_takes_no_stroke_paints_with_its_own_whatever_is_asked(
    place, save_model, caplog: pytest.LogCaptureFixture, mode: str, low: float, high: float
) -> None:
    model = models.load(save_model(mode=mode, low=low, high=high))
    found = system(model, [0.25, 1.0, 4.0])
    own = 1.5 if mode == "fixed" else 1
    assert caplog.messages == [
        f"m was trained with stroke.mode={mode}: it paints with its own stroke {own:g} whatever is asked, and is "
        "measured so"
    ]
    photo, paint = found.tasks[0].open()
    assert photo is not None
    assert torch.equal(paint(0.25), model(photo))
    assert torch.equal(paint(4.0), model(photo))
    assert [found.seen(stroke) for stroke in (0.25, 1.0, 1.5)] == [False, mode == "mixed", True]


def test_every_photo_is_painted_at_every_size(model: StyleModel, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    found = system(model, [1.0], sizes_px=(32, 128), count=3)
    assert [(task.photo, task.size_px) for task in found.tasks] == [
        (photo, size) for size in (32, 128) for photo in ("a", "b", "deep/c")
    ]
    assert "3 of 3 photos are smaller than 128 px and are enlarged to it" in caplog.text
    for task in found.tasks:
        photo, paint = task.open()
        assert photo is not None
        assert min(photo.shape[-2:]) == task.size_px
        assert paint(1.0).shape == photo.shape


def test_damaged_photos_are_left_out_and_told(model: StyleModel, place: Path) -> None:
    (place / "photos" / "b.png").write_text("no picture")
    found = system(model, [1.0], count=3)
    assert [task.photo for task in found.tasks] == ["a", "deep/c"]
    assert found.skipped == [(Path("photos/b.png"), "not a picture, or of an unknown kind")]


def test_default_scales_are_seven_in_equal_octaves_over_the_trained_range(model: StyleModel) -> None:
    strokes = default_strokes(model)
    assert strokes[0] == 0.5
    assert strokes[-1] == 2
    steps = [math.log2(after / before) for before, after in itertools.pairwise(strokes)]
    assert steps == pytest.approx([1 / 3] * 6, abs=0.01)


def test_default_scales_of_a_fixed_model_lie_around_its_own(place, save_model) -> None:
    strokes = default_strokes(models.load(save_model(mode="fixed", low=2, high=2)))
    assert len(strokes) == 7
    assert strokes[0] == pytest.approx(2**-0.5, rel=1e-4)
    assert strokes[-1] == pytest.approx(2**2.5, rel=1e-4)
    small = default_strokes(models.load(save_model(mode="fixed", low=0.6, high=0.6)))
    assert small[0] == pytest.approx(0.32)  # 32 px of the painting
    own = models.load(save_model(mode="fixed", low=2, high=2))
    assert default_strokes(own, largest_scale=3)[-1] == pytest.approx(3)
    assert default_strokes(own, largest_scale=1)[-1] == pytest.approx(2)


def test_a_model_is_called_by_what_tells_it_from_others(place: Path) -> None:
    run = place / "runs" / "waves"
    (run / "checkpoints").mkdir(parents=True)
    for file in (run / "model.safetensors", run / "checkpoints" / "last.ckpt", run / "mine.safetensors"):
        file.write_text("")
    assert model_name("starry-night") == "starry-night"
    for path in (run, run / "model.safetensors", run / "checkpoints" / "last.ckpt"):
        assert model_name(str(path)) == "waves"
    assert model_name(str(run / "mine.safetensors")) == "mine"


def test_what_would_not_fit_into_the_memory_is_not_begun(model: StyleModel, monkeypatch: pytest.MonkeyPatch) -> None:
    _, paint = system(model, [1.0]).tasks[0].open()
    monkeypatch.setattr(painting_model, "_free_bytes", lambda: 100_000.0)
    with pytest.raises(MemoryError, match=r"about 0\.0 GB are needed and 0\.0 GB are free"):
        paint(1.0)
    assert painting_model.BYTES_PER_VALUE * 4 * 64 * 80 > 100_000


def test_free_memory_is_a_number_or_not_known() -> None:
    assert painting_model._free_bytes() > 1e6
