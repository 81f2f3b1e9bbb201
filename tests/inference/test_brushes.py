"""What photos are painted with, as `brushnet stylize` is asked for it."""

import logging
import math
from pathlib import Path

import pytest
import torch
from PIL import Image

from brushnet import images
from brushnet.errors import UserError
from brushnet.inference.stylize import stylize_files


@pytest.fixture
def photo(tmp_path, save_photo) -> Path:
    return save_photo(tmp_path / "photo.png", (96, 64))


@pytest.fixture
def save_map(tmp_path):
    """Writes an even grey map of the photo's shape."""

    def save(level: int, size: tuple[int, int] = (48, 32)) -> Path:
        path = tmp_path / f"map{level}.png"
        Image.new("L", size, level).save(path)
        return path

    return save


def painted(tmp_path, model, photo, **request) -> torch.Tensor:
    report = stylize_files(model, [photo], tmp_path / "painted.png", force=True, **request)
    assert report.exit_code == 0
    return images.read(report.written[0])


@pytest.mark.parametrize(("level", "stroke"), [(0, 0.5), (255, 2.0), (85, 0.5 * 4 ** (1 / 3))])
def test_even_map_paints_as_its_scale(tmp_path, model, photo, save_map, level, stroke):
    by_map = painted(tmp_path, model, photo, stroke_map=save_map(level))
    torch.testing.assert_close(by_map, painted(tmp_path, model, photo, strokes=[stroke]), atol=1.01 / 255, rtol=0)


def test_map_range_names_the_scales_of_black_and_white(tmp_path, model, photo, save_map):
    by_map = painted(tmp_path, model, photo, stroke_map=save_map(0), map_range=(1.5, 1))
    torch.testing.assert_close(by_map, painted(tmp_path, model, photo, strokes=[1.5]), atol=1.01 / 255, rtol=0)


def test_map_range_beyond_the_trained_one_is_said_once_for_all_photos(tmp_path, model, photo, save_map, caplog):
    stylize_files(model, [photo, photo.parent], tmp_path / "out", stroke_map=save_map(255), map_range=(1, 9))
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (logging.WARNING, "stroke 9 is outside the trained range 0.5 to 2: clamped")
    ]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"map_range": (1, 9), "strict": True}, r"^stroke 9 is outside the trained range 0\.5 to 2$"),
        (
            {"strokes": [1.0]},
            r"^give one of strokes, stroke_map and stroke_per_side, got \[1\.0\], .*map255\.png and None$",
        ),
        ({"stroke_per_side": 1.0}, r"^give one of strokes, stroke_map and stroke_per_side, got \[\], .* and 1\.0$"),
        ({"stroke_map": None, "map_range": (1, 2)}, r"^--map-range 1,2 needs a --stroke-map$"),
        ({"map_range": (0, 2)}, r"^--map-range must be two numbers above 0 .*, got \(0, 2\)$"),
        ({"map_range": (1, math.inf)}, r"^--map-range must be two numbers above 0 .*, got \(1, inf\)$"),
        ({"map_range": (1,)}, r"^--map-range must be two numbers above 0 .*, got \(1,\)$"),
        ({"stroke_map": "gone.png"}, r"^--stroke-map gone\.png: no such file; give a grey picture$"),
    ],
)
def test_wrong_map_is_refused_before_anything_is_written(tmp_path, model, photo, save_map, request_, message):
    with pytest.raises(UserError, match=message):
        stylize_files(model, [photo], tmp_path / "out", **{"stroke_map": save_map(255), **request_})
    assert not (tmp_path / "out").exists()


def test_map_is_never_overwritten(tmp_path, model, photo, save_map):
    path = save_map(9)
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"^-o .*map9\.png would overwrite the input .*map9\.png; choose another$"):
        stylize_files(model, [photo], path, stroke_map=path, force=True)
    assert path.read_bytes() == before


def test_map_of_another_shape_than_one_of_the_photos_is_refused_before_anything_is_written(
    tmp_path, model, photo, save_photo, save_map, monkeypatch
):
    other = save_photo(tmp_path / "tall.jpg", (64, 96))
    monkeypatch.setattr("brushnet.inference.map_file.MOST_PX", 24)
    with pytest.raises(UserError, match=r"map9\.png is 48 x 32 px, .*tall\.jpg 64 x 96; the map must have the photo's"):
        stylize_files(model, [photo, other], tmp_path / "out", stroke_map=save_map(9))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("mode", "low", "high", "own"), [("mixed", 0.5, 2.0, 1.0), ("fixed", 1.5, 1.5, 1.5)])
def test_models_of_one_stroke_refuse_a_map(tmp_path, make_model, photo, save_map, mode, low, high, own):
    with pytest.raises(
        UserError,
        match=rf"^--stroke-map .*map9\.png: this model was trained with stroke\.mode={mode} and paints with its own "
        rf"stroke {own:g} only; leave the map out$",
    ):
        stylize_files(make_model(mode=mode, low=low, high=high), [photo], tmp_path / "out", stroke_map=save_map(9))
    assert not (tmp_path / "out").exists()


def test_strokes_per_side_paint_as_the_scale_of_that_size(tmp_path, model, photo):
    per_side = painted(tmp_path, model, photo, stroke_per_side=4.0)
    assert torch.equal(per_side, painted(tmp_path, model, photo, strokes=[1.0]))


def test_size_that_was_painted_is_told_of_each_photo(tmp_path, model, photo, save_photo, caplog):
    caplog.set_level(logging.INFO)
    large = save_photo(tmp_path / "large.png", (300, 200))
    report = stylize_files(model, [photo, large], tmp_path / "out", stroke_per_side=4.0)
    assert report.exit_code == 0
    assert caplog.messages == [
        f"{large}: strokes of 3.12 are beyond the trained 2: painted at 128 px and enlarged 1.6 times"
    ]
    assert images.size(tmp_path / "out" / "large.png") == (200, 300)


@pytest.mark.parametrize(
    ("per_side", "strict", "message"),
    [
        (4.0, True, r"large\.png: --stroke-per-side 4 asks for a stroke of 3\.12 at 300 x 200 px, outside"),
        (9.0, False, r"^--stroke-per-side must be above 0 and at most 8 with this model, got 9$"),
        (0.001, False, r"photo\.png: --stroke-per-side 0\.001 needs 96 x 64 px painted 2e\+03 times as large, more"),
    ],
)
def test_wrong_strokes_per_side_are_refused_before_anything_is_written(
    tmp_path, model, photo, save_photo, per_side, strict, message
):
    large = save_photo(tmp_path / "large.png", (300, 200))
    with pytest.raises(UserError, match=message):
        stylize_files(model, [photo, large], tmp_path / "out", stroke_per_side=per_side, strict=strict)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("brush", ["per side", "map"])
def test_photos_that_cannot_be_read_are_reported_beside_good_ones(tmp_path, model, save_photo, save_map, brush):
    folder = save_photo(tmp_path / "photos" / "good.png", (96, 64)).parent
    (folder / "broken.png").write_bytes(b"broken")
    (folder / "gone.png").symlink_to("nowhere.png")
    request = {"stroke_per_side": 4.0} if brush == "per side" else {"stroke_map": save_map(9)}
    report = stylize_files(model, [folder], tmp_path / "out", **request)
    assert (len(report.written), [path.name for path, _ in report.failed]) == (1, ["broken.png", "gone.png"])
