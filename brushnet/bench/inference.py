"""Painting: milliseconds a picture and memory by size, of each network and of the reference's, in turn."""

import copy
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from brushnet.bench.clock import Clock, interleaved
from brushnet.bench.memory import free_bytes, peak_bytes
from brushnet.bench.reference import reference_module
from brushnet.models import ModelMeta, StyleModel
from brushnet.nets import ResidualTransformer

SIZES = ((256, 256), (512, 512), (1024, 1024), (2048, 2048))  # height, width
STROKES = (0.5, 1.0, 2.0)
LONGEST = 2.5  # times `seconds`: a picture that would take longer is left out unless its size is asked for
REFERENCE = "reference"

Paint = Callable[[Tensor], object]


@dataclass(frozen=True)
class Variant:
    """One network in one way of running it. `stroke` is None where its cost does not depend on it."""

    network: str
    stroke: float | None
    arithmetic: str  # float32 or bfloat16
    way: str  # plain, replayed (a GPU's) or compiled, which a GPU replays, too
    paint: Paint

    @property
    def label(self) -> str:
        parts = [self.network, f"s={self.stroke:g}" if self.stroke is not None else ""]
        parts += ["bf16" if self.arithmetic == "bfloat16" else "", self.way if self.way != "plain" else ""]
        return " ".join(part for part in parts if part)


def variants(
    networks: Mapping[str, ResidualTransformer], device: torch.device, *, arithmetics: Sequence[str], compiled: bool
) -> list[Variant]:
    """The reference's network in float32 as torch runs it, then each of ours in every way that is asked for."""
    reference = reference_module().TransformerNet().to(device).eval()
    ways = ["plain", *(["replayed"] if device.type == "cuda" else []), *(["compiled"] if compiled else [])]
    found = [Variant(REFERENCE, None, "float32", "plain", partial(_paint_reference, reference))]
    for name, net in networks.items():
        for kind in arithmetics:
            for way in ways:
                model = model_of(net, device, arithmetic=kind, way=way)
                for stroke in STROKES if net.trunk == "scaled" else (None,):
                    paint = partial(_paint, model, stroke=stroke or 1.0, arithmetic=kind)
                    found.append(Variant(name, stroke, kind, way, paint))
    return found


def measure_inference(
    compared: Sequence[Variant],
    clock: Clock,
    *,
    seconds: float,
    sizes: Sequence[tuple[int, int]] | None,
    tell: Callable[[str], None] = lambda text: None,
) -> list[dict[str, Any]]:
    """One row for each size and variant. Without `sizes`, those of SIZES that a picture's time and memory allow.

    `ratio` is how many times faster a variant is than the first one, the reference: the median over rounds.
    """
    rows: list[dict[str, Any]] = []
    per_px = bytes_per_px = 0.0  # of the slowest and of the largest variant at the size before
    for height, width in sizes or SIZES:
        expected, needed = per_px * height * width, bytes_per_px * height * width
        if sizes is None and expected > LONGEST * seconds:
            tell(f"{width} x {height} px left out: about {expected:.0f} s a picture; --sizes {width} measures it")
            break
        if needed > (free_bytes(clock.device) or needed):
            tell(f"{width} x {height} px left out: about {needed / 1e9:.0f} GB, more than is free")
            break
        tell(f"painting at {width} x {height} px")
        photo = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0)).to(clock.device)
        try:
            times, peaks = _measure(compared, photo, clock, seconds=seconds)
        except (torch.OutOfMemoryError, MemoryError):
            tell(f"{width} x {height} px left out: it does not fit into memory")
            break
        rows += [_row(each, times, peaks, (height, width)) for each in compared]
        per_px = max(statistics.median(values) for values in times.values()) / (height * width)
        bytes_per_px = max(peak or 0 for peak in peaks.values()) / (height * width)
    return rows


def _measure(
    compared: Sequence[Variant], photo: Tensor, clock: Clock, *, seconds: float
) -> tuple[dict[str, list[float]], dict[str, int | None]]:
    with torch.no_grad():
        peaks = {}
        for each in compared:
            if each.way != "plain":
                for _ in range(2):  # or it would be the compiler's memory; the second one is recorded
                    each.paint(photo)
            peaks[each.label] = peak_bytes(partial(each.paint, photo), clock.device)
        # The calls that memory was looked at in have warmed up already.
        runs = {each.label: partial(each.paint, photo) for each in compared}
        return interleaved(runs, seconds=seconds, clock=clock, warm_up=0), peaks


def _row(
    each: Variant, times: Mapping[str, list[float]], peaks: Mapping[str, int | None], size: tuple[int, int]
) -> dict[str, Any]:
    first = next(iter(times.values()))
    mine = times[each.label]
    return {
        "network": each.network,
        "stroke": each.stroke,
        "arithmetic": each.arithmetic,
        "way": each.way,
        "height": size[0],
        "width": size[1],
        "ms": 1000 * statistics.median(mine),
        "rounds": len(mine),
        "peak_bytes": peaks[each.label],
        "ratio": statistics.median(reference / own for reference, own in zip(first, mine, strict=True)),
    }


def model_of(net: ResidualTransformer, device: torch.device, *, arithmetic: str, way: str) -> StyleModel:
    """As `brushnet.load` gives it; bfloat16 is autocast."""
    meta = ModelMeta.of(net, stroke_mode="conditioned", stroke_min=min(STROKES), stroke_max=max(STROKES),
                        reference_px=256, style_names=["none"], training={})  # fmt: skip
    model = StyleModel(copy.deepcopy(net).eval(), meta).to(device)
    return {"plain": lambda: model, "replayed": model.replay, "compiled": model.compile}[way]()


def _paint(model: StyleModel, photo: Tensor, *, stroke: float, arithmetic: str) -> Tensor:
    with torch.autocast(photo.device.type, dtype=torch.bfloat16, enabled=arithmetic == "bfloat16"):
        return model(photo, stroke)


def _paint_reference(net: torch.nn.Module, photo: Tensor) -> Tensor:
    return net(photo * 255).clamp(0, 255) / 255
