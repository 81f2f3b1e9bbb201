"""A claim: what is said, how it is tested, what was found, and the verdict."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from brushnet.errors import BrushnetError

SUPPORTED, CONTRADICTED, DEPENDS, NOT_TESTED = "supported", "contradicted", "depends", "not tested"
VERDICTS = (SUPPORTED, CONTRADICTED, DEPENDS, NOT_TESTED)


@dataclass(frozen=True)
class Claim:
    """`test` says what would support the statement and what contradict it, whatever the figures turn out to be.

    `found` says in words what decided; `figures` are all that were measured, by name, for claims.json.
    """

    name: str
    statement: str
    test: str
    verdict: str
    found: str
    figures: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise BrushnetError(f"a verdict is one of {', '.join(VERDICTS)}, got {self.verdict}")


def verdict_of(value: float, *, supports: float, contradicts: float) -> str:
    """On which side of two thresholds a figure lies; between them, and where there is none (NaN), it depends."""
    upward = supports > contradicts
    if value >= supports if upward else value <= supports:
        return SUPPORTED
    if value <= contradicts if upward else value >= contradicts:
        return CONTRADICTED
    return DEPENDS


def joint(verdicts: Sequence[str]) -> str:
    """What all agree on, or `depends`."""
    return verdicts[0] if len(set(verdicts)) == 1 else DEPENDS


def tally(verdicts: Sequence[str]) -> str:
    """How many of several networks say what, in front of their figures; nothing for a single one."""
    if len(verdicts) < 2:
        return ""
    counts = [f"{each} by {verdicts.count(each)}" for each in (SUPPORTED, CONTRADICTED) if each in verdicts]
    counts += [f"open in {verdicts.count(DEPENDS)}"] if DEPENDS in verdicts else []
    return f"{', '.join(counts)} of {len(verdicts)} networks: "


# One-sided 5 % critical values of Spearman's rho by number of points (Zar 1984, table B.20; Ramsey 1989).
CRITICAL = {4: 1.0, 5: 0.9, 6: 0.829, 7: 0.714, 8: 0.643, 9: 0.6, 10: 0.564, 12: 0.503, 14: 0.464, 16: 0.429}


def critical_correlation(points: int) -> float:
    """The rank correlation that one in twenty shuffled series reach: in between, that of fewer points.

    Infinite where no rank correlation is clear, with fewer than 4.
    """
    return min((value for count, value in CRITICAL.items() if count <= points), default=math.inf)


def correlation_verdict(correlation: float, points: int, *, rises: str, falls: str) -> str:
    """`rises` or `falls` where the rank correlation is clear, else `depends`."""
    # The table has three digits: 29/35, which is the critical value of 6 points, is 0.829 there.
    if abs(round(correlation, 3)) >= critical_correlation(points):
        return rises if correlation > 0 else falls
    return DEPENDS
