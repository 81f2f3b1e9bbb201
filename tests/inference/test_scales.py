"""Stroke scales as typed and as written into file names."""

import subprocess
import sys

import pytest

from brushnet.errors import UserError
from brushnet.inference.scales import labels, parse_per_side, parse_range, parse_stroke, parse_strokes, without_doubles


@pytest.mark.parametrize(("text", "scales"), [("1", [1.0]), ("0.5,1,2", [0.5, 1.0, 2.0]), (" 2 , .5", [2.0, 0.5])])
def test_one_scale_or_several_are_read_in_order(text, scales):
    assert parse_strokes(text) == scales


@pytest.mark.parametrize("text", ["nan", "0", "-1", "inf", "", "big", "1e999"])
def test_what_is_no_positive_number_is_refused_by_option_and_value(text):
    with pytest.raises(UserError, match=rf"^--strokes must be a number above 0, .* got '{text}'$"):
        parse_strokes(text)
    with pytest.raises(UserError, match=rf"^--stroke must be a number above 0, got '{text}'; "):
        parse_stroke(text)


def test_one_scale_is_one():
    assert parse_stroke(" .5") == 0.5
    with pytest.raises(UserError, match=r"^--stroke must be a number above 0, got '0\.5,1'; --strokes takes several$"):
        parse_stroke("0.5,1")


def test_the_wrong_one_of_several_is_named():
    with pytest.raises(UserError, match=r"^--strokes must be .* got 'x' in '1,x,2'"):
        parse_strokes("1,x,2")


def test_labels_tell_scales_apart():
    assert labels([0.5, 1, 2, 0.3535, 0.354]) == ["0.50", "1.00", "2.00", "0.3535", "0.354"]


def test_of_scales_with_one_label_the_first_stays_in_its_place():
    assert without_doubles([0.35, 1.0, 0.35, 2.0, 1.0000000001]) == [0.35, 1.0, 2.0]


def test_options_are_read_without_torch():
    code = "import sys, brushnet.inference.scales; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_range_is_two_scales():
    assert parse_range("0.5, 2") == (0.5, 2.0)


@pytest.mark.parametrize("text", ["1", "1,2,3", "0,1", "1,nan", "a,b", ""])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(
        UserError, match=rf"^--map-range must be two numbers above 0 with a comma between \(0\.5,2\), got '{text}'$"
    ):
        parse_range(text)


def test_strokes_per_side_are_one_number():
    assert parse_per_side("0.5") == 0.5
    with pytest.raises(UserError, match=r"^--stroke-per-side must be a number above 0, got '-1'$"):
        parse_per_side("-1")
