"""The page: one HTML file with its style and script inside, and nothing that needs a server or the network."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from brushnet.report.markup import Html, joined, script_json, tag, void
from brushnet.report.words import Point


def page(
    *,
    title: str,
    subtitle: str,
    points: Sequence[Point],
    figure: Html | None,
    sections: Sequence[Html | None],
    contents: Mapping[str, str],
    data: Mapping[str, Any],
) -> str:
    """`figure` stands beside the summary; `contents` are titles by the section's id; `data` is for the script."""
    script, style = _file("page.js"), _file("page.css")
    head = [
        void("meta", charset="utf-8"),
        void("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} - brushnet report"),
        tag("style", Html(style)),
    ]
    links = [tag("a", text, href=f"#{place}") for place, text in contents.items()]
    body = [
        tag("header", tag("p", "brushnet report", klass="kicker"), tag("h1", title), tag("p", subtitle, klass="meta"),
            tag("nav", links, aria_label="contents")),
        tag("main", _summary(points, figure), [section for section in sections if section]),
        _dialog(),
        tag("script", script_json(data), type="application/json", id="data"),
        tag("script", Html(script)),
    ]  # fmt: skip
    whole = tag("html", tag("head", *head), tag("body", *body), lang="en")
    return joined([Html("<!doctype html>\n"), whole, Html("\n")])


def plot(name: str, alt: str, caption: str = "", *, width_px: int) -> Html:
    """A PNG beside the page; it is drawn on white, which the style sheet turns round where the page is dark."""
    image = void("img", src=name, alt=alt, loading="lazy", klass="plot", width=width_px)
    return tag("figure", tag("a", image, href=name), tag("figcaption", caption) if caption else None)


def _summary(points: Sequence[Point], figure: Html | None) -> Html:
    pairs = [[tag("dt", each.about), [tag("dd", line) for line in (each.text, *each.more)]] for each in points]
    return tag("section", tag("div", tag("h2", "In short"), tag("dl", pairs, klass="points")), figure, id="summary",
               klass="summary" if figure else None)  # fmt: skip


def _dialog() -> Html:
    moves = {
        "left": "\N{LEFTWARDS ARROW}",
        "right": "\N{RIGHTWARDS ARROW}",
        "up": "\N{UPWARDS ARROW}",
        "down": "\N{DOWNWARDS ARROW}",
    }
    names = {"left": "smaller scale", "right": "larger scale", "up": "row above", "down": "row below"}
    buttons = [tag("button", sign, type="button", data_move=move, aria_label=names[move])
               for move, sign in moves.items()]  # fmt: skip
    close = tag("button", "close", type="button", data_move="close")
    return tag("dialog", void("img", alt=""), tag("p", id="zoom-caption"), tag("div", *buttons, close, klass="moves"),
               id="zoom", aria_labelledby="zoom-caption")  # fmt: skip


def _policy(script: str) -> str:
    """Pictures beside the page, our style and our script; nothing else, whatever texts got into the page."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _file(name: str) -> str:
    return (files("brushnet.report") / "page" / name).read_text(encoding="utf-8")
