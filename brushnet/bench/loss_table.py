"""Time to loss in words."""

from collections.abc import Iterator
from typing import Any

COLUMNS = ("SECONDS", "CPU S", "IMAGES", "STYLE", "CONTENT", "TOTAL", "SOONER")


def loss_lines(found: dict[str, Any]) -> Iterator[str]:
    """A heading, then a line for `aligned` each."""
    yield (
        f"TIME TO LOSS  {found['net']}, {found['lossnet']}, {found['crop_px']} px, {found['precision']}"
        + (", compiled" if found["compile"] else "")
    )
    yield (
        f"judged at s = 1 on {found['held_out_photos']} held-out photos by the reference's own loss "
        f"({found['judge']}); looking costs neither of them time; TOTAL: "
        f"{found['content_weight']:g} content + {found['style_weight']:g} style, as it trains"
    )


def loss_rows(found: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("", *COLUMNS)]
    rows.append(_row(f"reference, {found['reference_steps']} steps", found["reference"][-1], found))
    for name, key in (("both losses", "both_reached"), ("their sum", "total_reached")):
        if found[key] is None:
            rows.append((f"brushnet, {name}", "not reached", *[""] * (len(COLUMNS) - 1)))
        else:
            rows.append(_row(f"brushnet, {name}", found[key], found))
    rows.append(_row("brushnet, at its end", found["ours"][-1], found))
    return rows


def _row(name: str, point: dict[str, Any], found: dict[str, Any]) -> tuple[str, ...]:
    total = found["content_weight"] * point["content"] + found["style_weight"] * point["style"]
    ratio = point.get("ratio")
    return (
        name,
        f"{point['seconds']:.1f}",
        f"{point['cpu_seconds']:.1f}",
        str(point["images"]),
        f"{point['style']:.3g}",
        f"{point['content']:.3g}",
        f"{total:.3g}",
        "" if ratio is None else f"{ratio:.1f} x",
    )
