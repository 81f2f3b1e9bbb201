"""The figures as tables for a terminal."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from brushnet.bench.loss_table import loss_lines, loss_rows
from brushnet.bench.scaling_table import pixel_rows, process_lines
from brushnet.bench.steps import PARTS


def lines(found: dict[str, Any]) -> Iterator[str]:
    """All that was measured, as JSON has it, in words."""
    machine = found["machine"]
    versions = ", ".join(f"{name} {machine['versions'][name]}" for name in ("torch", "brushnet"))
    yield f"{machine['device']}, {machine['threads']} threads, {versions}"
    sections: dict[str, Callable[[Any], Iterator[str]]] = {
        "training": _training,
        "inference": _inference,
        "loading": _loading,
        "loss": _loss,
        "scaling": _scaling,
    }
    for name, section in sections.items():
        if name in found:
            yield ""
            yield from section(found[name])


def _training(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"TRAINING  {found['net']}, {found['lossnet']}, {found['crop_px']} px, {found['precision']}"
        + (", compiled" if found["compile"] else "")
        + f", {found['workers']} loader workers"
    )
    rows = [("", "IMAGES/S", "BATCH", "STEP", "GFLOP/IMAGE", "OF THE ROOFLINE"), _trained("brushnet", found)]
    if "reference" in found:
        rows.append(_trained("reference", found["reference"]))
    yield from aligned(rows)
    if "ratio" in found:
        yield f"{found['ratio']:.2f} times the reference's images/s"
    parts = found["parts_ms"]
    whole = sum(parts.values())
    yield "a step: " + ", ".join(
        f"{name.replace('_', ' ')} {parts[name]:.1f} ms ({parts[name] / whole:.0%})" for name in PARTS
    )
    if found["compiled_meanwhile"]:
        yield f"{found['compiled_meanwhile']} graphs were compiled meanwhile: with more --seconds they do not count"
    yield from _roofline(found)


def _trained(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    return (
        name,
        f"{found['images_s']:.2f}",
        str(found["batch_size"]),
        f"{found['step_ms']:.1f} ms",
        f"{found['flops_per_image'] / 1e9:.2f}",
        f"{found['roofline_share']:.0%}",
    )


def _roofline(found: dict[str, Any]) -> Iterator[str]:
    roof = found["roofline"]
    rates = ", ".join(f"{name} {rate / 1e9:.0f}" for name, rate in roof["product_flops_s"].items())
    yield f"matrix products: {rates} GFLOP/s; copying: {roof['copy_bytes_s'] / 1e9:.0f} GB/s (read and written)"
    yield (
        f"roofline in {roof['arithmetic']}: {roof['images_s']:.1f} images/s by operations alone, "
        f"{roof['images_s_by_layer']:.1f} where each layer also reads and writes memory"
    )


def _inference(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield "PAINTING  one picture at a time; the ratio is to the reference network (Johnson et al., float32)"
    table = [("SIZE", "NETWORK", "S", "ARITHMETIC", "TIME", "PEAK MEMORY", "RATIO")]
    for row in rows:
        table.append(
            (
                f"{row['width']} x {row['height']}",
                row["network"],
                "-" if row["stroke"] is None else f"{row['stroke']:g}",
                row["arithmetic"] + ("" if row["way"] == "plain" else f", {row['way']}"),
                f"{row['ms']:.1f} ms",
                "-" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.0f} MB",
                f"{row['ratio']:.2f}",
            )
        )
    yield from aligned(table)


def _loading(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield f"LOADING  crops of {rows[0]['crop_px']} px in batches of {rows[0]['batch_size']}"
    table = [("FROM", "WORKERS", "IMAGES/S")]
    yield from aligned([*table, *((row["source"], str(row["workers"]), f"{row['images_s']:.0f}") for row in rows)])


def _loss(found: dict[str, Any]) -> Iterator[str]:
    yield from loss_lines(found)
    yield from aligned(loss_rows(found))


def _scaling(found: dict[str, Any]) -> Iterator[str]:
    yield from process_lines(found["processes"])
    yield ""
    yield "A PIXEL'S COST  from file to file, s = 1, float32; beside 512 x 512 px in turn"
    yield from aligned(pixel_rows(found["painting"]))
    yield ""
    yield from _loading(found["loading"])


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
