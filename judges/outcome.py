"""The five outcomes of a judge, the reasons for errors, and the counts that add up to the draw.

Nothing that went wrong is a verdict, and nothing is dropped: whatever was drawn has one of these
outcomes, or is pending while a run is open.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, get_args

JudgeOutcome: TypeAlias = Literal["pass", "fail", "unknown", "not_applicable", "error"]
"""``unknown``: the judge abstained, or its probability is between the thresholds.
``not_applicable``: a rule of the definition excludes the row; never the model's own word."""

JudgeErrorReason: TypeAlias = Literal[
    "refused",
    "unparsable",
    "contradictory",
    "timeout",
    "rate_limited",
    "unavailable",
    "too_long",
    "residue",
    "budget",
    "missing_input",
]
"""Why there is no verdict. ``refused``: by the model, or by the server for good. ``unparsable``:
the reply has no verdict that can be read. ``contradictory``: it has several, or more than a
verdict. ``unavailable``: no whole reply. ``too_long``: the row does not fit the limits.
``residue``: personal data was found in what would have been sent. ``budget``: the money was spent.
``missing_input``: a field that the judge reads is empty."""

OUTCOMES: Final[tuple[JudgeOutcome, ...]] = get_args(JudgeOutcome)
VERDICTS: Final[tuple[JudgeOutcome, ...]] = ("pass", "fail", "unknown")
"""The outcomes that a judge may give; the rest are goldpan's own."""
ERROR_REASONS: Final[tuple[JudgeErrorReason, ...]] = get_args(JudgeErrorReason)
PASSING_ERRORS: Final[frozenset[JudgeErrorReason]] = frozenset(
    {"timeout", "rate_limited", "unavailable", "budget"}
)
"""The reasons that may not hold at the next attempt, so that a later run tries again."""


@dataclass(frozen=True, slots=True)
class JudgeAnswer:
    """What came of judging one row once.

    ``reason`` is set for errors and for nothing else. ``p_fail`` is the probability of fail where
    the judge gave one; an error and a row that does not apply have none. ``failure_mode`` is one of
    the definition's, for a fail only. Raises ValueError if these contradict each other.
    """

    outcome: JudgeOutcome
    reason: JudgeErrorReason | None = None
    p_fail: float | None = None
    failure_mode: str | None = None

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"an outcome is one of {', '.join(OUTCOMES)}")
        if (self.reason is not None) != (self.outcome == "error"):
            raise ValueError("an error has a reason, and nothing else has one")
        if self.reason is not None and self.reason not in ERROR_REASONS:
            raise ValueError(f"the reason of an error is one of {', '.join(ERROR_REASONS)}")
        if self.p_fail is not None and not _is_probability(self.p_fail):
            raise ValueError("p_fail is a number from 0 to 1")
        if self.p_fail is not None and self.outcome not in VERDICTS:
            raise ValueError("only a verdict has a p_fail")
        if self.failure_mode is not None and self.outcome != "fail":
            raise ValueError("only a fail has a failure mode")

    @property
    def is_final(self) -> bool:
        """Return whether a later run must leave it: a verdict, or an error that stays."""
        return self.reason not in PASSING_ERRORS


def judge_error(reason: JudgeErrorReason) -> JudgeAnswer:
    """Return the answer of an error."""
    return JudgeAnswer("error", reason)


@dataclass(frozen=True, slots=True)
class OutcomeCounts:
    """How many of the drawn rows have which outcome; ``pending`` have none yet.

    ``reasons`` counts the errors by reason and adds up to ``error``; ValueError if it does not.
    """

    passed: int = 0
    failed: int = 0
    unknown: int = 0
    not_applicable: int = 0
    error: int = 0
    pending: int = 0
    reasons: Mapping[JudgeErrorReason, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if min(self.passed, self.failed, self.unknown, self.not_applicable, self.error) < 0:
            raise ValueError("no count of outcomes is negative")
        if self.pending < 0:
            raise ValueError("there are more outcomes than rows were drawn")
        if sum(self.reasons.values()) != self.error:
            raise ValueError("the errors by reason do not add up to the errors")

    @classmethod
    def of(cls, answers: Iterable[JudgeAnswer], *, drawn: int | None = None) -> "OutcomeCounts":
        """Count answers, one for each row; of ``drawn`` rows, those without one are pending.

        Raises ValueError if there are more answers than rows were drawn.
        """
        numbers = Counter((answer.outcome, answer.reason) for answer in answers)
        return cls.of_numbers(numbers, drawn=drawn)

    @classmethod
    def of_numbers(
        cls,
        numbers: Mapping[tuple[JudgeOutcome, JudgeErrorReason | None], int],
        *,
        drawn: int | None = None,
    ) -> "OutcomeCounts":
        """Return the counts, given the number of rows by outcome and reason; else as `of`."""
        outcomes: Counter[JudgeOutcome] = Counter()
        reasons: Counter[JudgeErrorReason] = Counter()
        for (outcome, reason), rows in numbers.items():
            outcomes[outcome] += rows
            if reason is not None:
                reasons[reason] += rows
        judged = outcomes.total()
        return cls(
            passed=outcomes["pass"],
            failed=outcomes["fail"],
            unknown=outcomes["unknown"],
            not_applicable=outcomes["not_applicable"],
            error=outcomes["error"],
            pending=0 if drawn is None else drawn - judged,
            reasons=dict(sorted(reasons.items())),
        )

    @property
    def drawn(self) -> int:
        """Return the number of rows that were drawn: the sum of all counts."""
        return self.judged + self.pending

    @property
    def judged(self) -> int:
        """Return the number of rows with an outcome: the sum of the five."""
        return self.passed + self.failed + self.unknown + self.not_applicable + self.error

    @property
    def applicable(self) -> int:
        """Return the number of rows that the judge applies to, as far as they have an outcome."""
        return self.judged - self.not_applicable

    def share_of(self, outcome: Literal["unknown", "error"]) -> float | None:
        """Return the share of an outcome among the applicable rows; None if there are none."""
        count = self.unknown if outcome == "unknown" else self.error
        return count / self.applicable if self.applicable else None

    def __add__(self, other: "OutcomeCounts") -> "OutcomeCounts":
        return OutcomeCounts(
            self.passed + other.passed,
            self.failed + other.failed,
            self.unknown + other.unknown,
            self.not_applicable + other.not_applicable,
            self.error + other.error,
            self.pending + other.pending,
            dict(sorted((Counter(self.reasons) + Counter(other.reasons)).items())),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the counts under the names of the outcomes, with their sum as ``drawn``."""
        return {
            "drawn": self.drawn,
            "pass": self.passed,
            "fail": self.failed,
            "unknown": self.unknown,
            "not_applicable": self.not_applicable,
            "error": self.error,
            "pending": self.pending,
            "reasons": dict(self.reasons),
        }


def _is_probability(value: float) -> bool:
    return math.isfinite(value) and 0 <= value <= 1
