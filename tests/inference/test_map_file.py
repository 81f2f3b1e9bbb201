"""Stroke maps as pictures: grey levels, precision, and which photos they fit."""

import numpy as np
import pytest
import torch
from PIL import Image

from brushnet import images
from brushnet.errors import UserError
from brushnet.inference import map_file
from brushnet.inference.map_file import check_map_fits, read_map
from brushnet.stroke_map import fit_map


def save_grey(path, levels_HW, dtype=np.uint8):
    Image.fromarray(np.asarray(levels_HW, dtype)).save(path)
    return path


def test_octaves_are_linear_in_the_grey_level(tmp_path):
    path = save_grey(tmp_path / "map.png", [[0, 51, 102, 255]])
    expected = torch.tensor([0.0, 0.2, 0.4, 1.0]) * 3 - 1.5
    octaves = read_map(path, black=2**-1.5, white=2**1.5).log2()
    torch.testing.assert_close(octaves, expected.view(1, 1, 1, 4), atol=1e-6, rtol=0)


def test_sixteen_bits_are_kept(tmp_path):
    path = save_grey(tmp_path / "map.png", [[0, 1, 32768, 65535]], np.uint16)
    torch.testing.assert_close(
        read_map(path, black=1, white=2).log2()[0, 0, 0], torch.tensor([0, 1 / 65535, 32768 / 65535, 1]), atol=1e-7,
        rtol=0,
    )  # fmt: skip


def test_range_may_be_turned_around(tmp_path):
    path = save_grey(tmp_path / "map.png", [[0, 255]])
    torch.testing.assert_close(read_map(path, black=2, white=0.5)[0, 0, 0], torch.tensor([2.0, 0.5]))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "CMYK", "P"])
def test_colours_count_by_luma_and_transparency_does_not(tmp_path, mode):
    grey = Image.linear_gradient("L").resize((8, 8))
    picture = grey.convert(mode) if mode == "P" else grey.convert("RGB").convert(mode)
    if mode in ("RGBA", "LA"):
        picture.putalpha(0)
    path = tmp_path / ("map.tif" if mode == "CMYK" else "map.png")
    picture.save(path)
    torch.testing.assert_close(
        read_map(path, black=1, white=2).log2()[0, 0] * 255, torch.from_numpy(np.asarray(grey, np.float32)), atol=1.01,
        rtol=0,
    )  # fmt: skip


def test_large_map_is_reduced_which_the_network_does_not_see(tmp_path, monkeypatch):
    blocks = np.kron(np.random.default_rng(1).integers(0, 256, (6, 9)), np.ones((50, 50)))
    path = save_grey(tmp_path / "map.png", blocks)
    whole = read_map(path, black=0.35, white=2.8)
    monkeypatch.setattr(map_file, "MOST_PX", 150)
    reduced = read_map(path, black=0.35, white=2.8)
    assert (whole.shape, reduced.shape) == ((1, 1, 300, 450), (1, 1, 100, 150))
    on_grid = [fit_map(each.log2(), (480, 720)) for each in (whole, reduced)]
    torch.testing.assert_close(*on_grid, atol=0.01, rtol=0)


def test_missing_map(tmp_path):
    with pytest.raises(UserError, match=rf"^--stroke-map {tmp_path}: a folder; give a grey picture$"):
        read_map(tmp_path, black=1, white=2)
    with pytest.raises(UserError, match=r"^--stroke-map .*gone\.png: no such file; give a grey picture$"):
        read_map(tmp_path / "gone.png", black=1, white=2)


def test_broken_map(tmp_path):
    (tmp_path / "map.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"^--stroke-map .*map\.png: not a picture, or of an unknown kind$"):
        read_map(tmp_path / "map.png", black=1, white=2)


def test_level_that_is_not_a_number(tmp_path):
    path = save_grey(tmp_path / "map.tif", [[0.5, np.nan]], np.float32)
    with pytest.raises(UserError, match=r"^--stroke-map .*map\.tif: grey levels that are no finite numbers$"):
        read_map(path, black=1, white=2)


def test_photo_of_another_shape_is_refused_by_both_sizes(tmp_path, save_photo):
    photo = save_photo(tmp_path / "a.jpg", (30, 21))
    check_map_fits((42, 60), photo, map_path=tmp_path / "m.png")
    with pytest.raises(
        UserError,
        match=r"^--stroke-map .*m\.png is 60 x 60 px, .*a\.jpg 30 x 21; the map must have the photo's aspect ratio$",
    ):
        check_map_fits((60, 60), photo, map_path=tmp_path / "m.png")


def test_photo_held_sideways_counts_upright(tmp_path, save_photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = save_photo(tmp_path / "a.jpg", (60, 20), exif=exif)
    assert images.size(photo) == (60, 20)
    check_map_fits((30, 10), photo, map_path=tmp_path / "m.png")


def test_broken_photo_is_left_to_the_painting(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"broken")
    check_map_fits((30, 10), tmp_path / "a.jpg", map_path=tmp_path / "m.png")
