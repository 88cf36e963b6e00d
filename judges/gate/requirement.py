"""One thing that a gate tests: an estimate against a bar, and what came of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from judges.gate.bounds import OneSidedBounds, rows_missing
from judges.gate.definition import RequirementRule
from judges.gate.paired_bounds import PairedBounds
from labels.binomial_interval import beta_cdf

RequirementState: TypeAlias = Literal["clears", "fails", "open", "not_measured"]
"""``clears``: the bound on the bad side reaches the bar. ``fails``: the other one is beyond it,
with Holm over everything that the gate tests. ``open``: neither."""


@dataclass(frozen=True, slots=True)
class BarTest:
    """An estimate with its bar. ``more_is_good``: it must be at least the bar, not at most."""

    bounds: OneSidedBounds
    bar: float
    more_is_good: bool

    def clears(self, level: float) -> bool:
        """Return whether the bound on the bad side reaches the bar."""
        if self.more_is_good:
            return self.bounds.is_above(self.bar, level)
        return self.bounds.is_below(self.bar, level)

    def fails(self, level: float) -> bool:
        """Return whether the bound on the good side reaches the bar."""
        if self.more_is_good:
            return self.bounds.is_below(self.bar, level)
        return self.bounds.is_above(self.bar, level)

    def detectable(self, level: float, failing_level: float) -> float:
        """Return the smallest distance from the bar that is found on either side of it.

        With a probability of `judges.gate.bounds.POWER`; infinite if none is.
        """
        clears, fails = self._margins
        return max(clears(self.bar, level, 1.0), fails(self.bar, failing_level, 1.0))

    def missing(self, level: float, failing_level: float) -> int | None:
        """Return about how many more rows it takes until a truth at the estimate is found.

        None if the estimate lies so near the bar that no number is enough.
        """
        distance = self.bounds.estimate - self.bar
        is_good = (distance > 0) == self.more_is_good
        margin, at = self._margins[0 if is_good else 1], level if is_good else failing_level
        return rows_missing(
            self.bounds.rows, abs(distance), lambda growth: margin(self.bar, at, growth)
        )

    @property
    def _margins(self) -> tuple["_Margin", "_Margin"]:
        """Return what gives the margins on the good and on the bad side of the bar."""
        above, below = self.bounds.margin_above, self.bounds.margin_below
        return (above, below) if self.more_is_good else (below, above)


_Margin: TypeAlias = Callable[[float, float, float], float]


@dataclass(frozen=True, slots=True)
class ChangedRows:
    """The rows on which two sides differ, for the reader: the margin decides, and not this.

    ``p_value`` is that of the exact test of McNemar (Psychometrika 12, 1947), which ignores
    clusters. ``differs``: zero is outside the cluster-robust interval, two-sided.
    """

    gained: int
    lost: int
    p_value: float
    differs: bool

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        return {
            "gained": self.gained,
            "lost": self.lost,
            "mcnemar_p": self.p_value,
            "differs": self.differs,
        }


def changed_rows(bounds: OneSidedBounds, level: float) -> ChangedRows | None:
    """Return the changed rows of a paired difference that counts them, None for anything else."""
    if not isinstance(bounds, PairedBounds):
        return None
    gained, lost = bounds.gained_rows, bounds.lost_rows
    if gained is None or lost is None:
        return None
    few, changed = min(gained, lost), gained + lost
    tail = 1 - beta_cdf(0.5, few + 1, changed - few) if changed > few else 1.0
    return ChangedRows(
        gained,
        lost,
        min(1.0, 2 * tail),
        bounds.is_above(0, level / 2) or bounds.is_below(0, level / 2),
    )


@dataclass(frozen=True, slots=True)
class RequirementResult:
    """What came of one requirement; None where it was not measured, or there is no such number.

    ``low`` and ``high`` are one-sided bounds at the level of the look. ``mde`` is the smallest
    distance from the bar that the gate finds with a power of 80 %: above it as cleared, and below
    it as failed. ``changed`` is there for the pass rates of two sides. ``segment`` is set for a
    segment: its name and value.
    """

    name: str
    metric: str
    rule: RequirementRule
    bar: float
    state: RequirementState
    reason: str | None = None
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    rows: int = 0
    reviews: int = 0
    mde: float | None = None
    missing_rows: int | None = None
    missing_reviews: int | None = None
    changed: ChangedRows | None = None
    segment: tuple[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        segment: dict[str, Any] = {}
        if self.segment is not None:
            segment = {"segment": self.segment[0], "value": self.segment[1]}
        return {
            "name": self.name,
            **segment,
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
            "bar": self.bar,
            "state": self.state,
            "rows": self.rows,
            "reviews": self.reviews,
            "mde": self.mde,
            "missing_rows": self.missing_rows,
            "missing_reviews": self.missing_reviews,
            "metric": self.metric,
            "rule": self.rule,
            "reason": self.reason,
            "changed": None if self.changed is None else self.changed.to_json(),
        }


class RequirementQuestion(NamedTuple):
    """What a gate tests: a name, the bar and the test; without a test, why it was not measured.

    With ``reviews`` these are what more evidence is made of, and not rows. ``segment`` is the name
    and the value of a segment.
    """

    name: str
    metric: str
    rule: RequirementRule
    bar: float
    test: BarTest | None
    reason: str | None = None
    reviews: int = 0
    segment: tuple[str, str] | None = None


_SETTLED: Final = ("clears", "fails")


def state_of(question: RequirementQuestion, level: float, *, fails: bool) -> RequirementState:
    """Return the state of a test; ``fails`` is what Holm says, ``level`` that of the look."""
    if question.test is None:
        return "not_measured"
    return "fails" if fails else "clears" if question.test.clears(level) else "open"


def result_of(
    question: RequirementQuestion, level: float, failing_level: float, *, fails: bool
) -> RequirementResult:
    """Return the result of a test; ``fails`` is what Holm says, at ``failing_level`` at the least.

    ``level`` is that of the look.
    """
    test = question.test
    result = RequirementResult(
        name=question.name,
        metric=question.metric,
        rule=question.rule,
        bar=question.bar,
        state="not_measured",
        reason=question.reason,
        reviews=question.reviews,
        segment=question.segment,
    )
    if test is None:
        return result
    state = state_of(question, level, fails=fails)
    missing = 0 if state in _SETTLED else test.missing(level, failing_level)
    return replace(
        result,
        state=state,
        estimate=test.bounds.estimate,
        low=_finite(test.bounds.lower(level)),
        high=_finite(test.bounds.upper(level)),
        rows=test.bounds.rows,
        mde=_finite(test.detectable(level, failing_level)),
        missing_rows=0 if question.reviews else missing,
        missing_reviews=missing if question.reviews else 0,
        changed=changed_rows(test.bounds, level),
    )


def holm(tests: Sequence[BarTest | None], level: float) -> list[bool]:
    """Return which tests fail by Holm's procedure (Scandinavian Journal of Statistics 6, 1979).

    The probability that any test fails whose truth is not beyond its bar is at most ``level``. What
    has no test never fails.
    """
    failed = [False] * len(tests)
    left = sum(test is not None for test in tests)
    while left:
        now = [
            was or (test is not None and test.fails(level / left))
            for was, test in zip(failed, tests, strict=True)
        ]
        if now == failed:
            break
        left -= sum(now) - sum(failed)
        failed = now
    return failed


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
