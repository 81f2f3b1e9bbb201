"""The layer probe as a table: every layer, pyramid level and pair of neighbouring stroke widths, with its figures."""

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

from brushnet.lossnet import LossNetwork
from brushnet.lossnet.receptive import pyramid_field_px, receptive_fields_px
from brushnet.measure.probe import Cell, Series, probe

LOSS = "style loss"  # the observer that sums the layers which a training uses
ALL_LEVELS = "all"

Observer = tuple[tuple[str, ...], tuple[int, ...]]
Progress = Callable[[int, int, str], None]


class Row(NamedTuple):
    """One observer between two neighbouring widths (px, or stroke scales s for paintings).

    `levels` is a pyramid level (0 is the whole picture) or `all`. Shares are among the layers at the same levels and
    widths: of the covariance's energy, which is what an undivided loss would be made of, and of the style distance
    between the widths, where each layer is divided by its energy. NaN for the style loss, which is a sum of layers.
    `d_prime_error` is the standard error of d' over subjects (of several paintings over their parts).
    """

    observer: str
    levels: str
    field_px: int  # receptive field; the largest one of a sum
    narrow: float
    wide: float
    d_prime: float
    distance: float
    within: float
    ratio: float
    energy_share: float
    loss_share: float
    d_prime_error: float = math.nan

    @property
    def middle(self) -> float:
        """Geometric mean of both widths."""
        return (self.narrow * self.wide) ** 0.5


def layer_table(
    subjects: Sequence[Series],
    lossnet: LossNetwork,
    *,
    loss_layers: Sequence[str],
    levels: int,
    mean_weight: float,
    progress: Progress | None = None,
) -> list[Row]:
    """Rows by width, observer and levels; of several series, which have the same widths, the mean."""
    watching = observers(lossnet.layers, loss_layers=loss_layers, levels=levels)
    tables: list[list[Row]] = []
    total = sum(len(series.widths) - 1 for series in subjects)
    for series in subjects:
        table: list[Row] = []
        for cells in probe(series, lossnet, watching, mean_weight=mean_weight):
            table += _rows(cells, lossnet)
            done = sum(len(rows) for rows in [*tables, table])
            if progress:
                progress(done // len(watching), total, f"{lossnet.name}, {series.name}")
        tables.append(table)
    return [_mean(rows) for rows in zip(*tables, strict=True)]


def observers(layers: Sequence[str], *, loss_layers: Sequence[str], levels: int) -> list[Observer]:
    """Each layer at each level and over all of them, then what a training sums, at full size and over all levels."""
    every = tuple(range(levels))
    choices = [(level,) for level in every] + ([every] if levels > 1 else [])
    found = [((layer,), choice) for choice in choices for layer in layers]
    used = tuple(layer for layer in loss_layers if layer in layers)
    return found + [(used, choice) for choice in (choices[0], choices[-1]) if used and len(used) > 1]


def _rows(cells: Iterable[Cell], lossnet: LossNetwork) -> list[Row]:
    cells = list(cells)
    fields = receptive_fields_px(lossnet.layers)
    rows = []
    for cell in cells:
        single = len(cell.layers) == 1
        peers = [peer for peer in cells if peer.levels == cell.levels and len(peer.layers) == 1]
        found = cell.separation
        rows.append(
            Row(
                observer=cell.layers[0] if single else LOSS,
                levels=str(cell.levels[0]) if len(cell.levels) == 1 else ALL_LEVELS,
                field_px=pyramid_field_px(max(fields[layer] for layer in cell.layers), max(cell.levels)),
                narrow=cell.narrow,
                wide=cell.wide,
                d_prime=found.d_prime,
                distance=found.distance,
                within=found.within,
                ratio=found.ratio,
                energy_share=_share(cell.energy, [peer.energy for peer in peers]) if single else float("nan"),
                loss_share=_share(found.distance, [peer.separation.distance for peer in peers])
                if single
                else float("nan"),
                d_prime_error=found.d_prime_error,
            )
        )
    return rows


def _share(part: float, parts: Sequence[float]) -> float:
    whole = sum(parts)
    return part / whole if whole else float("nan")


def _mean(rows: Sequence[Row]) -> Row:
    figures = {
        name: fmean(getattr(row, name) for row in rows)
        for name in ("d_prime", "distance", "within", "ratio", "energy_share", "loss_share")
    }
    error = math.sqrt(sum(row.d_prime_error**2 for row in rows)) / len(rows)
    return Row(**{**rows[0]._asdict(), **figures, "d_prime_error": error})
