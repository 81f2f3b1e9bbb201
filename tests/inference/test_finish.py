"""Colour, then strength: what the command line and Python share, and what either refuses."""

import subprocess
import sys

import pytest
import torch

from brushnet.errors import UserError
from brushnet.inference.colour import WAYS, with_histogram
from brushnet.inference.finish import COLOURS, check_colour, finish, parse_strength
from brushnet.inference.strength import at_strength


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(3)
    return torch.rand(1, 3, 40, 30, generator=generator), torch.rand(1, 3, 40, 30, generator=generator)


def test_without_a_wish_it_is_the_painting(pair):
    assert finish(*pair) is pair[1]


@pytest.mark.parametrize("way", COLOURS)
def test_strength_0_is_the_photo_and_1_the_painting_in_its_colours(pair, way):
    assert torch.equal(finish(*pair, strength=0, preserve_colour=way), pair[0])
    assert torch.equal(finish(*pair, preserve_colour=way), WAYS[way](*pair))


def test_colour_comes_before_strength(pair):
    photo, painting = pair
    expected = at_strength(photo, with_histogram(photo, painting), 0.5)
    assert torch.equal(finish(photo, painting, strength=0.5, preserve_colour="histogram"), expected)


def test_every_way_that_may_be_named_is_there():
    assert tuple(WAYS) == COLOURS


@pytest.mark.parametrize(("text", "strength"), [("0", 0.0), (" .25", 0.25), ("1.5", 1.5)])
def test_strength_is_read(text, strength):
    assert parse_strength(text) == strength


@pytest.mark.parametrize(
    ("text", "got"), [("2", "2"), ("nan", "nan"), ("-0.1", "-0.1"), ("inf", "inf"), ("abc", "'abc'"), ("", "''")]
)
def test_what_is_no_strength_is_refused_by_option_value_and_range(pair, text, got):
    message = rf"^--strength must be a number from 0 \(the photo\) to 1\.5, 1 is the painting; got {got}$"
    with pytest.raises(UserError, match=message):
        parse_strength(text)
    with pytest.raises(UserError, match=message):
        finish(*pair, strength=float(text) if got == text else text)


def test_an_unknown_way_is_refused_with_those_allowed(pair):
    message = (
        r"^--preserve-colour must be luminance or histogram, got 'purple'; "
        r"before a model or picture write --preserve-colour=luminance$"
    )
    with pytest.raises(UserError, match=message):
        check_colour("purple")
    with pytest.raises(UserError, match=message):
        finish(*pair, preserve_colour="purple")


def test_pictures_of_two_sizes_are_refused(pair):
    message = r"^photo and painting must be of one shape, got \(1, 3, 40, 20\) and \(1, 3, 40, 30\)$"
    with pytest.raises(UserError, match=message):
        finish(pair[0][..., :20], pair[1])


@pytest.mark.skipif(sys.platform != "linux", reason="others count memory in other units")
def test_of_a_large_picture_few_copies_are_in_memory():
    wishes = [{"strength": 0.5}, {"strength": 1.5}, *({"preserve_colour": way} for way in COLOURS)]
    program = f"""
import resource, torch
from brushnet.inference.finish import finish
def paint(height, width):
    photo, painting = torch.rand(1, 3, height, width), torch.rand(1, 3, height, width)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for wish in {wishes}:
        finish(photo, painting, **wish)
    return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / (4 * photo.numel())
paint(99, 99)  # what comes with the first use
print(paint(2400, 1500))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 3  # copies; 2 at strength 1.5, else 1, and what a strip needs


def test_options_are_read_without_torch():
    code = "import sys, brushnet.inference.finish; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
