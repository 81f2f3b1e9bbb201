"""How our plots look, and how they are written.

Figures are made without pyplot: it keeps global state, looks for a display and never lets a figure go.
"""

import io
import logging
import os
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from brushnet.errors import BrushnetError, UserError
from brushnet.files import write_whole

SUFFIXES = (".png", ".pdf", ".svg")
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#0072b2", "#d55e00", "#009e73", "#cc3311", "#aa4499", "#777777"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED, GREY)  # told apart by colour-blind readers too (Okabe and Ito 2008)
LABEL_CHARS = 32
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "svg.hashsalt": "brushnet",  # the same figure gives the same bytes
}
# The first import on a machine says that the font cache is being built.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)


def plain_label(text: str) -> str:
    """A name as a label: no dollar begins a formula, no underscore hides it from the legend, and it is short."""
    short = text if len(text) <= LABEL_CHARS else f"{text[: LABEL_CHARS - 3]}..."
    return " ".join(short.lstrip("_").split()).replace("$", r"\$")


def new_figure(width_in: float, height_in: float, *, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Figure of that size in inches with axes side by side."""
    with rc_context(STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def write_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """The suffix selects the format: .png, .pdf or .svg. Whole or not at all."""
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise UserError(f"cannot write the plot {path}: the suffix must be one of {', '.join(SUFFIXES)}")
    dates = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    drawn = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(drawn, format=kind[1:], metadata=dates.get(kind))
    try:
        write_whole(path, drawn.getvalue(), flushed=False)
    except OSError as error:
        raise BrushnetError(f"cannot write {path}: {error.strerror or error}") from error
