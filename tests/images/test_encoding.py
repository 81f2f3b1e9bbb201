"""Pictures written: every format, whole or not at all."""

import os

import numpy as np
import pytest
import torch

from brushnet import images
from brushnet.errors import BrushnetError, ImageError, UserError

RAMP = np.linspace(0, 255, 12 * 16).round().astype(np.uint8).reshape(12, 16)
COLOUR = np.stack([RAMP, RAMP[::-1], np.full_like(RAMP, 90)], axis=-1)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
def test_lossless_round_trip(tmp_path, suffix):
    image = images.to_float(torch.from_numpy(COLOUR).permute(2, 0, 1))[None]
    images.write(image, tmp_path / "made" / f"a{suffix}")
    assert torch.equal(images.read(tmp_path / "made" / f"a{suffix}"), image)
    assert [path.name for path in (tmp_path / "made").iterdir()] == [f"a{suffix}"]


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_round_trip(tmp_path, suffix):
    image = images.to_float(torch.from_numpy(COLOUR).permute(2, 0, 1))[None]
    images.write(image, tmp_path / f"a{suffix}")
    assert (images.read(tmp_path / f"a{suffix}") - image).abs().mean() < 0.03


def test_unknown_suffix_lists_the_known_ones(tmp_path):
    with pytest.raises(UserError, match=r"a\.xyz: the suffix must be one of \.jpg, .*\.png"):
        images.write(torch.zeros(1, 3, 4, 4), tmp_path / "a.xyz")


def test_failed_write_says_so_and_leaves_nothing(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(BrushnetError, match=r"cannot write .*a\.png: Is a directory"):
        images.write(torch.zeros(1, 3, 4, 4), tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    (tmp_path / "file").touch()
    with pytest.raises(BrushnetError, match=r"cannot write .*file/a\.png: File exists"):
        images.write(torch.zeros(1, 3, 4, 4), tmp_path / "file" / "a.png")


def test_a_link_of_the_temporary_name_is_not_followed(tmp_path):
    (tmp_path / "of the user").write_bytes(b"kept")
    (tmp_path / f".a.png.{os.getpid()}.part").symlink_to(tmp_path / "of the user")
    images.write(torch.zeros(1, 3, 4, 4), tmp_path / "a.png")
    assert (tmp_path / "of the user").read_bytes() == b"kept"


def test_a_name_as_long_as_the_disk_allows_is_written_and_a_longer_one_costs_that_picture_only(tmp_path):
    image = torch.rand(1, 3, 2, 2)
    images.write(image, tmp_path / f"{'a' * 251}.png")
    with pytest.raises(ImageError, match=r"cannot write .*aaa\.png: File name too long"):
        images.write(image, tmp_path / f"{'a' * 252}.png")
    assert [len(path.name) for path in tmp_path.iterdir()] == [255]
