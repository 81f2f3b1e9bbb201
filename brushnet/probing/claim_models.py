"""Claims b and c, as far as trained models decide them: does one scale transfer, and do more residual blocks help.

Pure functions of what `model_figures` measured.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isnan, log2
from statistics import fmean, median

from brushnet.probing.claim import CONTRADICTED, DEPENDS, NOT_TESTED, SUPPORTED, Claim
from brushnet.probing.claim_detail import SCALES, Detail

FAR_OCTAVES = 1.0  # from a fixed model's own scale: half an octave is hardly seen
DIVERSE_OCTAVES = 2.0  # a trained range from which on a model is called diverse
# Style loss over that of the best model at that scale; chosen before anything was trained.
BAD_EXCESS = 1.25
FINE_SCALE = 0.71  # up to this stroke scale strokes are fine
CLEAR_GAIN = 0.05

TRANSFER = "a model trained on one stroke scale transfers badly to others; on a diverse range it is robust"
TRANSFER_TEST = (
    f"Style loss against S_s over that of the best model at s. One scale: fixed models, {FAR_OCTAVES:g} octave and "
    "more from their own s, as they are and with the photo rescaled before and after (median). Diverse: models "
    f"trained on {DIVERSE_OCTAVES:g} octaves or more (the worst s). Supported if fixed ones need {BAD_EXCESS:g} times "
    "the loss either way and every diverse one less than that; contradicted if the diverse ones are no better than "
    "the fixed ones; depends else."
)
BLOCKS = "more residual blocks capture fine strokes better"
BLOCKS_TEST = (
    f"Of models alike but for net.blocks, the style loss at s up to {FINE_SCALE:g}, most blocks against fewest. "
    f"Supported if it is lower by {CLEAR_GAIN:.0%} and by more than that of broad strokes, contradicted if it is not "
    "lower at all; depends else."
)
NEEDED = "see conf/experiment/claims.yaml for trainings of some minutes each"


@dataclass(frozen=True)
class ModelFigures:
    """One model on some photos, the mean over them. By stroke scale s: `as_is` and `rescaled` style losses against S_s.

    Models that can be told s are told it, and then both are the same. `matched_octaves` is the scale that was measured
    (NaN where no picture has a texture to measure), `detail_db` the fine detail against that of S_s (two finest
    octaves, finest first), both as they are.
    """

    name: str
    mode: str
    octaves: tuple[float, float]
    blocks: int
    width: int
    lossnet: str | None
    steps: int | None
    as_is: dict[float, float]
    rescaled: dict[float, float]
    matched_octaves: dict[float, float]
    detail_db: dict[float, Sequence[float]]

    @property
    def span_octaves(self) -> float:
        return self.octaves[1] - self.octaves[0]


def transfer(models: Sequence[ModelFigures]) -> Claim:
    alike = _most_common_blocks(models)
    fixed = [model for model in alike if model.mode == "fixed"]
    diverse = [model for model in alike if model.mode != "fixed" and model.span_octaves >= DIVERSE_OCTAVES - 1e-6]
    if not fixed or not diverse:
        missing = "a fixed one" if not fixed else f"a mixed or conditioned one over {DIVERSE_OCTAVES:g} octaves"
        found = f"needs --models with {missing}; {NEEDED}"
        return Claim("b", TRANSFER, TRANSFER_TEST, NOT_TESTED, found, _as_json(models))
    best = best_losses(alike)
    plain, rescaled = (_far_excess(fixed, best, way) for way in ("as_is", "rescaled"))
    worst = {model.name: max(model.as_is[scale] / best[scale] for scale in best) for model in diverse}
    words = (
        f"an octave and more off, fixed models need {plain:.2f} times the best model's style loss as they are, "
        f"{rescaled:.2f} times with the photo rescaled; diverse ones at their worst s "
        + ", ".join(f"{value:.2f} ({name})" for name, value in worst.items())
        + f"; measured strokes at s = {min(best):g} and {max(best):g}, in octaves: "
        + ", ".join(_measured(model) for model in diverse)
    )
    figures = {**_as_json(models), "fixed_as_is": plain, "fixed_rescaled": rescaled, "diverse_worst": worst}
    return Claim("b", TRANSFER, TRANSFER_TEST, _transfer_verdict(plain, rescaled, list(worst.values())), words, figures)


def _transfer_verdict(plain: float, rescaled: float, worst: Sequence[float]) -> str:
    if min(plain, rescaled) >= BAD_EXCESS and max(worst) < BAD_EXCESS:
        return SUPPORTED
    return CONTRADICTED if min(worst) >= max(plain, rescaled) else DEPENDS


def _measured(model: ModelFigures) -> str:
    found = model.matched_octaves
    return f"{_octaves(found[min(found)])} and {_octaves(found[max(found)])} ({model.name})"


def _octaves(value: float) -> str:
    return "nothing to measure" if isnan(value) else f"{value:+.2f}"


def best_losses(models: Sequence[ModelFigures]) -> dict[float, float]:
    """By scale, the smallest style loss that any model has, either way."""
    scales = models[0].as_is
    return {scale: min(min(model.as_is[scale], model.rescaled[scale]) for model in models) for scale in scales}


def detail_of(models: Sequence[ModelFigures]) -> Detail | None:
    """Fine detail of conditioned and mixed models at the scales of claim d; None where one kind is missing."""
    alike = _most_common_blocks(models)
    found = {
        mode: {scale: _mean_of([model.detail_db[scale] for model in alike if model.mode == mode]) for scale in SCALES}
        for mode in ("conditioned", "mixed")
        if any(model.mode == mode for model in alike)
    }
    return Detail(found["conditioned"], found["mixed"]) if len(found) == 2 else None


def _mean_of(each: Sequence[Sequence[float]]) -> list[float]:
    return [fmean(octave) for octave in zip(*each, strict=True)]


def _far_excess(fixed: Sequence[ModelFigures], best: dict[float, float], way: str) -> float:
    return median(
        getattr(model, way)[scale] / best[scale]
        for model in fixed
        for scale in best
        if abs(log2(scale) - model.octaves[0]) >= FAR_OCTAVES - 0.01
    )


def _most_common_blocks(models: Sequence[ModelFigures]) -> list[ModelFigures]:
    """Transfer is compared among models of one depth: that of most of them."""
    if not models:
        return []
    depths = [model.blocks for model in models]
    return [model for model in models if model.blocks == max(depths, key=depths.count)]


def more_blocks(models: Sequence[ModelFigures]) -> Claim:
    pair = _blocks_pair(models)
    if pair is None:
        found = f"needs --models with two that differ in net.blocks only; {NEEDED}"
        return Claim("c, residual blocks", BLOCKS, BLOCKS_TEST, NOT_TESTED, found)
    few, many = pair
    gains = {scale: 1 - many.as_is[scale] / few.as_is[scale] for scale in few.as_is}
    fine = fmean(gain for scale, gain in gains.items() if scale <= FINE_SCALE)
    broad = fmean(gain for scale, gain in gains.items() if scale > FINE_SCALE)
    verdict = SUPPORTED if fine >= CLEAR_GAIN and fine > broad else CONTRADICTED if fine <= 0 else DEPENDS
    found = (
        f"{many.blocks} blocks instead of {few.blocks}: style loss of fine strokes lower by {fine:.1%}, "
        f"of broad ones by {broad:.1%}"
    )
    figures = {"few": few.blocks, "many": many.blocks, "gain": {f"{scale:g}": gain for scale, gain in gains.items()}}
    return Claim("c, residual blocks", BLOCKS, BLOCKS_TEST, verdict, found, figures)


def _blocks_pair(models: Sequence[ModelFigures]) -> tuple[ModelFigures, ModelFigures] | None:
    """Fewest and most blocks among models that are alike otherwise; of several such sets the one that differs most."""
    groups: dict[object, list[ModelFigures]] = {}
    for model in models:
        key = (model.mode, model.octaves, model.width, model.lossnet, model.steps)
        groups.setdefault(key, []).append(model)
    pairs = [(min(group, key=lambda m: m.blocks), max(group, key=lambda m: m.blocks)) for group in groups.values()]
    few, many = max(pairs, key=lambda pair: pair[1].blocks - pair[0].blocks, default=(None, None))
    return (few, many) if few and many and few.blocks < many.blocks else None


def _as_json(models: Sequence[ModelFigures]) -> dict[str, object]:
    return {"models": [asdict(model) for model in models]}
