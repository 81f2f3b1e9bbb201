import html
import json
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from brushnet.report.markup import Html, script_json, tag, void

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list]] = []
        self.data = ""

    def handle_starttag(self, name, attributes) -> None:
        self.tags.append((name, attributes))

    def handle_data(self, data) -> None:
        self.data += data


@given(texts, texts)
def test_any_text_comes_out_as_it_went_in_and_makes_no_element(inside: str, title: str) -> None:
    seen = Seen()
    seen.feed(tag("td", inside, title=title))
    seen.close()
    assert seen.tags == [("td", [("title", title)])]
    assert seen.data == inside


@given(st.recursive(texts | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=6))
def test_json_in_a_script_is_the_same_and_cannot_end_it(value) -> None:
    plain = script_json(value)
    assert json.loads(plain) == value
    assert not set("<>&") & set(plain)


def test_markup_is_not_escaped_twice_and_attributes_may_be_left_out() -> None:
    assert tag("p", tag("b", "1 < 2"), None, [3, "&"]) == "<p><b>1 &lt; 2</b>3&amp;</p>"
    assert void("input", hidden=True, title=None, data_x=0, klass="a") == '<input hidden data-x="0" class="a">'
    assert html.unescape(tag("p", Html("<i>"))) == "<p><i></p>"
