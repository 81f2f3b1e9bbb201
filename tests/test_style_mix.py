"""Which painting, or which mixture of them; what is refused, and in which words."""

import pytest

from brushnet.errors import UserError
from brushnet.style_mix import parse_mix, style_index, style_weights

NAMES = ("starry-night", "great-wave", "udnie")


def test_a_style_is_chosen_by_name_or_index_and_the_first_by_default():
    assert style_weights(None, NAMES) == [1, 0, 0]
    assert style_weights("udnie", NAMES) == style_weights(2, NAMES) == [0, 0, 1]


def test_a_mixture_is_weights_by_name_left_out_ones_are_0():
    assert style_weights({"udnie": 0.3, "great-wave": 0.7}, NAMES) == [0, 0.7, 0.3]


def test_weights_that_are_rounded_are_made_to_sum_to_1():
    weights = style_weights({"udnie": 0.33, "great-wave": 0.33, "starry-night": 0.335}, NAMES)
    assert sum(weights) == pytest.approx(1, abs=1e-12)
    assert weights[1] == weights[2]


@pytest.mark.parametrize("style", ["monet", 3, -1, True, {"monet": 1.0}])
def test_an_unknown_style_lists_the_known(style):
    with pytest.raises(
        UserError, match=r"^style must be one of starry-night, great-wave, udnie, got ('monet'|3|-1|True)$"
    ):
        style_weights(style, NAMES)


@pytest.mark.parametrize("style", ["great-wav", {"udnie": 0.5, "great-wav": 0.5}])
def test_the_nearest_name_is_suggested(style):
    with pytest.raises(UserError, match=r"got 'great-wav'; did you mean great-wave\?$"):
        style_weights(style, NAMES)


def test_of_many_names_the_first_are_listed():
    with pytest.raises(UserError, match=r"^style must be one of s0, .*, s19 and 30 more, got 'q'$"):
        style_index("q", [f"s{number}" for number in range(50)])


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        ({"udnie": 0.3, "great-wave": 0.6}, r"sum to 1 within 0\.01, got 0\.9; write udnie=0\.333,great-wave=0\.667$"),
        ({"udnie": 30, "great-wave": 70}, r"sum to 1 within 0\.01, got 100; write udnie=0\.3,great-wave=0\.7$"),
        ({"udnie": 0.0}, r"sum to 1 within 0\.01, got 0; write a=0\.3,b=0\.7$"),
        ({}, r"sum to 1 within 0\.01, got 0;"),
        ({"udnie": -0.5, "great-wave": 1.5}, r"must be finite numbers of at least 0, got udnie=-0\.5$"),
        ({"udnie": float("inf")}, r"must be finite numbers of at least 0, got udnie=inf$"),
        ({"udnie": float("nan")}, r"must be finite numbers of at least 0, got udnie=nan$"),
        ({"udnie": "1"}, r"must be finite numbers of at least 0, got udnie=1$"),
    ],
)
def test_weights_that_make_no_mixture_are_refused(mixture, message):
    with pytest.raises(UserError, match=rf"^weights of a mixture must {message}" if message[0] == "s" else message):
        style_weights(mixture, NAMES)


def test_a_mixture_is_written_with_equal_signs_and_commas():
    assert parse_mix("a=0.3, b=.7") == {"a": 0.3, "b": 0.7}
    assert parse_mix("x=y=1") == {"x=y": 1}


@pytest.mark.parametrize("text", ["", "a", "a=", "=1", "a=0.5,", "a=nan", "0.3,0.7"])
def test_a_mixture_that_is_written_otherwise_is_refused(text):
    with pytest.raises(UserError, match=r"^--mix must be names with weights that sum to 1, e\.g\. a=0\.3,b=0\.7, got "):
        parse_mix(text)


def test_a_style_that_is_named_twice_is_refused():
    with pytest.raises(UserError, match=r"^--mix must name each style once, got a twice in a=0\.5,a=0\.5$"):
        parse_mix("a=0.5,a=0.5")
