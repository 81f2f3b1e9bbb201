"""Where a new scene begins."""

import itertools

import pytest
import torch

from brushnet import images
from brushnet.inference.video.cuts import CutFinder


def found(frames) -> list[bool]:
    finder = CutFinder()
    return [finder(frame) for frame in frames]


def test_the_first_frame_begins_a_scene_and_the_same_again_does_not():
    frame = torch.full((3, 40, 60), 90, dtype=torch.uint8)
    assert found([frame, frame, frame]) == [True, False, False]


def test_cut_between_two_pictures_is_found_once():
    dark, light = (torch.full((3, 40, 60), grey, dtype=torch.uint8) for grey in (40, 200))
    assert found([dark, dark, light, light, dark]) == [True, False, True, False, True]


def test_slow_change_of_light_is_no_cut():
    ramp = torch.linspace(20, 120, 60).expand(3, 40, 60)
    assert found([(ramp * (1 + 0.05 * number)).to(torch.uint8) for number in range(20)])[1:] == [False] * 19


@pytest.fixture
def photos(shared_data) -> list[torch.Tensor]:
    paths = sorted((shared_data / "content").glob("bsds_test-*.jpg"))
    photos = [images.read_uint8(path) for path in paths[::8]]
    return [photo[:, :320, :320] for photo in photos]


def test_of_photos_most_cuts_are_found_and_no_pan(photos):
    cuts = [found(pair)[1] for pair in itertools.pairwise(photos)]
    assert sum(cuts) >= 0.7 * len(cuts)
    for px in (4, 16, 32):
        pans = [found([photo[:, :, :280], photo[:, :, px : 280 + px]])[1] for photo in photos]
        assert not any(pans), px
