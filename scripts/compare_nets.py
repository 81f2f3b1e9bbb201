"""What a network's design costs and gives: trained runs side by side, as nets.json, a plot and a sheet.

    python scripts/compare_nets.py RUN [RUN ...] -o OUT [--size PX] [--seconds S] [--photos DIR]

The runs should differ in `net.*` alone and have been trained for as many steps. Each row has the losses of the last
validation of its metrics.csv and the time to paint a picture of SIZE x SIZE px at s = 0.5, 1 and 2, in turn with
Johnson et al.'s network as the common port has it (scripts/bench/reference_trainer.py): medians of one run, and how
many times faster than that. The sheet shows the photos, painted by each at s = 1.
"""

import argparse
import csv
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import brushnet
from brushnet import images, samples
from brushnet.bench.clock import Clock
from brushnet.bench.inference import measure_inference, variants
from brushnet.bench.machine import describe_machine
from brushnet.commands.parser import positive_int
from brushnet.config import compose
from brushnet.config.folder import conf_dir
from brushnet.config.saved import load_run
from brushnet.devices import pick_device
from brushnet.report.figure import COLOURS, new_figure, plain_label, write_figure

LOSSES = ("val/style", "val/content")
SHEET_PHOTOS = 4
SHEET_PX = 512
CELL_PX = 320


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT")
    parser.add_argument("--size", type=positive_int, default=512, metavar="PX")
    parser.add_argument("--seconds", type=float, default=3.0, help="of painting by each network and scale (3)")
    parser.add_argument("--photos", type=Path, help="for the sheet (the samples)")
    args = parser.parse_args(argv)
    device = pick_device("auto")
    runs = {_label(run): run for run in args.runs}
    models = {label: brushnet.load(run, device=str(device)) for label, run in runs.items()}
    compared = variants({label: model.net for label, model in models.items()}, device, arithmetics=["float32"],
                        compiled=False)  # fmt: skip
    timed = measure_inference(compared, Clock(device), seconds=args.seconds, sizes=[(args.size, args.size)])
    rows = [{"net": label, **_trained(run), **_painting(timed, label)} for label, run in runs.items()]
    args.output.mkdir(parents=True, exist_ok=True)
    found = {"machine": describe_machine(device), "size_px": args.size, "reference_ms": timed[0]["ms"], "nets": rows}
    (args.output / "nets.json").write_text(json.dumps(found, indent=1) + "\n")
    _plot(rows, args.output / "nets.png")
    _sheet(models, args.photos or samples.resolve("sample:photos"), args.output / "nets.jpg")
    for row in rows:
        times = ", ".join(f"{ms:.0f} ms ({row['ratio'][stroke]:.1f}x)" for stroke, ms in row["ms"].items())
        print(f"{row['net']:32s} style {row['val/style']:.3f}  content {row['val/content']:.3f}  {times}")
    return 0


def _label(run: Path) -> str:
    """The group that it is, or what of `net` is unlike it."""
    net = asdict(load_run(run).net)
    best = min(_groups().items(), key=lambda group: sum(group[1][name] != net[name] for name in net))
    changed = [f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"
               for name, value in net.items() if best[1][name] != value]  # fmt: skip
    return " ".join([best[0], *changed])


def _groups() -> dict[str, dict[str, Any]]:
    """The networks of conf/net: name -> options."""
    names = sorted(path.stem for path in (conf_dir() / "net").glob("*.yaml"))
    return {name: asdict(compose([f"net={name}"]).net) for name in names}


def _trained(run: Path) -> dict[str, Any]:
    """Losses of the last validation."""
    with (run / "metrics.csv").open(newline="") as file:
        last = [row for row in csv.DictReader(file) if row.get("val/loss")][-1]
    return {"step": int(float(last["step"])), **{name: float(last[name]) for name in ("val/loss", *LOSSES)}}


def _painting(timed: Sequence[Mapping[str, Any]], label: str) -> dict[str, Any]:
    mine = [row for row in timed if row["network"] == label]
    strokes = {f"{row['stroke']:g}" if row["stroke"] else "any": row for row in mine}
    return {name: {stroke: row[name] for stroke, row in strokes.items()} for name in ("ms", "ratio")}


def _plot(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Time at s = 1 against each loss; bars reach from the quickest to the slowest scale."""
    figure, every = new_figure(8.0, 3.6, columns=len(LOSSES))
    for axes, loss in zip(every, LOSSES, strict=True):
        for place, row in enumerate(rows):
            ms, colour = list(row["ms"].values()), COLOURS[place % len(COLOURS)]
            middle = row["ms"].get("1", statistics.median(ms))
            axes.plot([min(ms), max(ms)], [row[loss]] * 2, color=colour, linewidth=1, alpha=0.5)
            axes.plot(middle, row[loss], "o", color=colour)
            axes.annotate(plain_label(row["net"]), (middle, row[loss]), (0, 6), textcoords="offset points", fontsize=7,
                          ha="center")  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlabel("ms a picture")
        axes.set_title(f"{loss.removeprefix('val/')} loss, held-out photos", fontsize=9, loc="left")
        axes.margins(0.18, 0.15)
        axes.grid(True, which="both", alpha=0.25, linewidth=0.5)
    write_figure(figure, path)


def _sheet(models: Mapping[str, brushnet.StyleModel], photos: Path, path: Path) -> None:
    rows, names = [], []
    for file in sorted(photos.glob("*.jpg"))[:SHEET_PHOTOS]:
        photo = images.read(file)
        zoom = min(1.0, SHEET_PX / max(photo.shape[-2:]))
        photo = images.resize(photo, *(round(side * zoom) for side in photo.shape[-2:]))
        rows.append([photo, *(model(photo, model.default_stroke) for model in models.values())])
        names.append(file.stem)
    sheet = images.sheet(rows, row_labels=names, column_labels=["photo", *models], cell_px=CELL_PX)
    images.write(sheet, path)


if __name__ == "__main__":
    sys.exit(main())
