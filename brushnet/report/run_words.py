"""What the control curve of one run says, in plain words computed from its figures."""

import math

from brushnet.report.figures import CONTROL, at_scale, mean, shown
from brushnet.report.runs import Evaluation, Run
from brushnet.report.words import Point

GOOD_SLOPE = 0.15  # off 1


def run_points(run: Run) -> list[Point]:
    evaluation = run.evaluation
    assert evaluation is not None
    points = [Point("control", _control(evaluation)), Point("where it is off", _worst(evaluation))]
    if losses := _losses(evaluation):
        points.append(Point("style and photo", losses))
    if not math.isnan(run.seconds):
        steps = f", {run.steps} steps" if run.steps is not None else ""
        points.append(Point("training", f"{run.seconds:.0f} s{steps}{f', on {run.device}' if run.device else ''}."))
    return points


def _control(evaluation: Evaluation) -> str:
    slope = evaluation.summary.get("slope", math.nan)
    error = mean(row.error_octaves for row in evaluation.rows)
    low, high = evaluation.trained
    if math.isnan(error):
        return "No stroke could be measured in its pictures."
    if evaluation.stroke_mode != "conditioned":
        own = f"s = {low:g}" if low == high else f"s from {low:g} to {high:g}"
        return (
            f"It was trained for {own} and is not told the stroke scale: it paints with one brush whatever is "
            f"asked, so that over the test scales it is {shown(error, CONTROL)} off in the mean."
        )
    text = ""
    if not math.isnan(slope):
        side = "larger" if slope >= 0 else "smaller"
        text = (
            f"Asked for strokes over s = {low:g} to {high:g}, one octave more makes measured strokes {abs(slope):.2f} "
        )
        text += f"octave {side}, {_judged(slope)}. "
    return f"{text}They are {shown(error, CONTROL)} off in the mean. {_usable(evaluation)}"


def _judged(slope: float) -> str:
    if abs(slope - 1) <= GOOD_SLOPE:
        return "as they should"
    if slope < 0:
        return "the wrong way"
    return "less than they should" if slope < 1 else "more than they should"


def _usable(evaluation: Evaluation) -> str:
    summary = evaluation.summary
    low, high = (summary.get(f"usable_{end}_octaves", math.nan) for end in ("from", "to"))
    if math.isnan(low) or math.isnan(high):
        return "At no test scale are they within a quarter of an octave."
    if low == high:
        return f"Within a quarter of an octave they are at s = {2**low:.2g} alone."
    return f"From s = {2**low:.2g} to {2**high:.2g} they are within a quarter of an octave."


def _worst(evaluation: Evaluation) -> str:
    errors = {
        scale: mean(row.octaves - math.log2(row.stroke) for row in at_scale(evaluation.rows, scale))
        for scale in evaluation.scales
    }
    errors = {scale: error for scale, error in errors.items() if not math.isnan(error)}
    if not errors:
        return "Nothing could be measured."
    worst, best = (pick(errors, key=lambda scale: abs(errors[scale])) for pick in (max, min))
    side = "too large" if errors[worst] > 0 else "too small"
    text = f"Furthest at s = {worst:g}, where strokes are {shown(abs(errors[worst]), CONTROL)} {side}"
    return f"{text}; closest at s = {best:g}, {shown(abs(errors[best]), CONTROL)} off."


def _losses(evaluation: Evaluation) -> str:
    losses = {scale: mean(row.style_loss for row in at_scale(evaluation.rows, scale)) for scale in evaluation.scales}
    losses = {scale: loss for scale, loss in losses.items() if not math.isnan(loss)}
    if not losses:
        return ""
    best, worst = min(losses, key=lambda scale: losses[scale]), max(losses, key=lambda scale: losses[scale])
    content = mean(row.content_distance for row in evaluation.rows)
    text = f"Style loss is {losses[best]:.2f} at s = {best:g} and {losses[worst]:.2f} at s = {worst:g}"
    return f"{text}; content distance {content:.2f} in the mean." if not math.isnan(content) else f"{text}."
