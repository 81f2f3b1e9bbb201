"""What is needed to repeat it all: command, configurations, versions, device, seeds."""

from collections.abc import Mapping

from brushnet.report.effects import grouped
from brushnet.report.markup import Html, tag
from brushnet.report.runs import Run, Sweep


def repeat_section(sweep: Sweep, versions: Mapping[str, str]) -> Html:
    common, differing = options_of(sweep)
    told = {
        **sweep.told,
        "devices": _values(sweep, "device"),
        "seeds": ", ".join(sorted(_seeds(sweep), key=_by_number)),
        "brushnet that trained": _values(sweep, "version"),
    }
    command = told.pop("command", "") or next((run.command for run in sweep.runs if run.command), "")
    shared = "configuration" if sweep.single else "configuration that all runs share"
    parts = [
        tag("h2", "To repeat it"),
        tag("pre", tag("code", command)) if command else None,
        _pairs({key: value for key, value in {**told, **versions}.items() if value}),
        _details(f"{shared} ({len(common)} options)", _pairs(common)) if common else None,
        tag("p", "What differs: ", ", ".join(differing), ".", klass="note") if differing else None,
        None if sweep.single else _details(f"configuration of each run ({len(sweep.runs)})", *map(_run, sweep.runs)),
    ]
    return tag("section", parts, id="repeat")


def options_of(sweep: Sweep) -> tuple[dict[str, str], list[str]]:
    """Options that all runs share, and the keys of those in which they differ. Damaged runs have none."""
    known = [run.options for run in sweep.runs if run.options]
    if not known:
        return {}, []
    common = {key: value for key, value in known[0].items() if all(each.get(key) == value for each in known)}
    return common, [key for key in known[0] if key not in common]


def _run(run: Run) -> Html:
    inside = [
        tag("pre", tag("code", run.command)) if run.command else None,
        tag("p", f"{run.state}: {run.cause}", klass="note") if run.cause else None,
        _pairs(run.options) if run.options else tag("p", "No configuration could be read.", klass="note"),
    ]
    return _details(f"{run.name}, {run.state}", *inside)


def _details(summary: str, *inside: object) -> Html:
    return tag("details", tag("summary", summary), *inside)


def _pairs(values: Mapping[str, str]) -> Html:
    return tag("dl", [[tag("dt", key), tag("dd", value)] for key, value in values.items()], klass="pairs")


def _values(sweep: Sweep, name: str) -> str:
    """All different values of an attribute, with how many runs have each where they differ."""
    groups = {
        value: len(group) for value, group in grouped(sweep.runs, lambda run: getattr(run, name)).items() if value
    }
    if len(groups) < 2:
        return "".join(groups)
    return ", ".join(f"{value} ({count} runs)" for value, count in groups.items())


def _seeds(sweep: Sweep) -> set[str]:
    return {run.seed for run in sweep.runs if run.seed}


def _by_number(seed: str) -> tuple[int, str]:
    return len(seed), seed
