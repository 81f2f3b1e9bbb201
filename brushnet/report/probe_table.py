"""The layer probe as JSON and CSV: every row, and what the figures depend on."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from brushnet.measure.layer_table import Row
from brushnet.report.probe_plot import Panel

FIGURES = ("d_prime", "d_prime_error", "distance", "within", "ratio", "energy_share", "loss_share")


def probe_json(panels: Sequence[Panel], settings: Mapping[str, Any]) -> dict[str, Any]:
    """`settings`, then the rows of each network; null where a figure has no meaning."""
    networks = [
        {"lossnet": panel.network, "unit": panel.unit, "rows": [_plain(row) for row in panel.rows]} for panel in panels
    ]
    return {**settings, "networks": networks}


def probe_csv(panels: Sequence[Panel]) -> str:
    """One line for each network, observer, levels and pair of widths."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["lossnet", "unit", *Row._fields])
    for panel in panels:
        lines.writerows([panel.network, panel.unit, *_plain(row).values()] for row in panel.rows)
    return text.getvalue()


def probe_lines(panel: Panel, levels: str) -> list[str]:
    """d' of each layer (lines) and width (columns), for a terminal."""
    shown = [row for row in panel.rows if row.levels == levels]
    middles = sorted({row.middle for row in shown})
    table = {(row.observer, row.middle): row for row in shown}
    heading = f"{'':12}" + "".join(f"{middle:7.3g}" for middle in middles) + f"   {panel.unit}"
    lines = [heading]
    for name in dict.fromkeys(row.observer for row in shown):
        cells = "".join(f"{table[name, middle].d_prime:7.1f}" for middle in middles)
        lines.append(f"{name:12}{cells}")
    return lines


def _plain(row: Row) -> dict[str, Any]:
    values = row._asdict()
    for name in FIGURES:
        values[name] = round(values[name], 6) if math.isfinite(values[name]) else None
    return {**values, "narrow": round(row.narrow, 4), "wide": round(row.wide, 4)}
