"""HTML from values: every text is escaped where it enters, so that a run's name or a cause can be anything."""

import html
import json
from collections.abc import Iterable
from typing import Any


class Html(str):
    """Markup already: not escaped again."""

    __slots__ = ()


def tag(name: str, /, *children: Any, **attributes: Any) -> Html:
    """`tag("td", 3, klass="number", data_value="3")`. False and None leave an attribute out, True is its name alone."""
    inside = "".join(text(child) for child in children)
    return Html(f"<{name}{_attributes(attributes)}>{inside}</{name}>")


def void(name: str, /, **attributes: Any) -> Html:
    """An element that has no end: img, input."""
    return Html(f"<{name}{_attributes(attributes)}>")


def text(value: Any) -> str:
    """Escaped, unless it is Html; the parts of a list one after the other; nothing for None."""
    if isinstance(value, Html):
        return value
    if isinstance(value, list | tuple):
        return "".join(text(each) for each in value)
    return "" if value is None else html.escape(str(value), quote=True)


def joined(parts: Iterable[Any], between: str = "") -> Html:
    return Html(between.join(text(part) for part in parts))


def script_json(value: Any) -> Html:
    """For inside <script>: no text may end the element, or begin a comment."""
    plain = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Html(plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _attributes(attributes: dict[str, Any]) -> str:
    found = ""
    for key, value in attributes.items():
        name = {"klass": "class", "label_for": "for"}.get(key, key.replace("_", "-"))
        if value is True:
            found += f" {name}"
        elif value is not None and value is not False:
            found += f' {name}="{html.escape(str(value), quote=True)}"'
    return found
