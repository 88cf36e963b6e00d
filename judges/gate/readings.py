"""What the rows of a gate say: of each side and metric a value, or why a row has none."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from judges.weighted_rows import FloatArray, MaskArray, RowArrays

ReadingState: TypeAlias = Literal[
    "value", "pass", "fail", "unknown", "not_applicable", "error", "pending"
]
"""``pass`` to ``error`` are the outcomes of a judge, ``value`` is a number without a verdict, and
``pending`` has neither yet."""
READING_STATES: Final[tuple[ReadingState, ...]] = get_args(ReadingState)
GateSide: TypeAlias = Literal["candidate", "baseline"]
CANDIDATE: Final = "candidate"
BASELINE: Final = "baseline"

_VALUES: Final[Mapping[str, float]] = {"pass": 1.0, "fail": 0.0}


class RowReading(NamedTuple):
    """What one row says: a state, and the value if the state is ``value``."""

    state: ReadingState
    value: float | None = None


PENDING: Final = RowReading("pending")


@dataclass(frozen=True, slots=True)
class MetricReadings:
    """A metric of one side by row; the value of a row without one is NaN. A pass is 1, a fail 0."""

    values: FloatArray
    states: NDArray[np.str_]

    @classmethod
    def of(cls, readings: Iterable[RowReading]) -> "MetricReadings":
        """Return readings as arrays, one for each row in order."""
        held = list(readings)
        values = [_VALUES.get(each.state, each.value) for each in held]
        return cls(
            np.array([np.nan if value is None else value for value in values], float),
            np.array([each.state for each in held], np.str_),
        )

    @property
    def has_value(self) -> MaskArray:
        """Return which rows have a value."""
        mask: MaskArray = ~np.isnan(self.values)
        return mask

    def count(self, *states: ReadingState) -> int:
        """Return how many rows are in one of the states."""
        return sum(int((self.states == state).sum()) for state in states)

    def counts(self) -> dict[str, int]:
        """Return how many rows are in each state, and their sum as ``drawn``."""
        return {"drawn": len(self.states)} | {name: self.count(name) for name in READING_STATES}


SideReadings: TypeAlias = Mapping[str, MetricReadings]
"""The readings of one side, by the name of what is read."""


@dataclass(frozen=True, slots=True)
class GateReview:
    """What reviewers say of one row's answer: ``good`` or not.

    ``probability`` is that with which the row was drawn for review, of those that were judged.
    """

    at: int
    is_good: bool
    probability: float


@dataclass(frozen=True, slots=True)
class GateRows:
    """The rows of a gate with everything that is known of them.

    ``segments`` hold the value of each row, by the name of the segment as the gate file writes it.
    ``judges`` name who judged, by side and metric; a name that is not there is not known.
    ``reviews`` are of the candidate's answers, by metric, and ``baseline_reviews`` of the
    baseline's.
    """

    weights: RowArrays
    candidate: SideReadings
    baseline: SideReadings
    segments: Mapping[str, Sequence[str]]
    judges: Mapping[tuple[GateSide, str], str]
    reviews: Mapping[str, Sequence[GateReview]]
    baseline_reviews: Mapping[str, Sequence[GateReview]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Return the number of rows."""
        return len(self.weights.weight)

    def side(self, name: GateSide) -> SideReadings:
        """Return the readings of a side."""
        return self.candidate if name == CANDIDATE else self.baseline

    def reviews_of(self, name: GateSide, metric: str) -> Sequence[GateReview]:
        """Return the reviews of a side's answers for a metric."""
        reviews = self.reviews if name == CANDIDATE else self.baseline_reviews
        return reviews.get(metric, ())

    def paired_reviews(self, metric: str) -> list[tuple[GateReview, GateReview]]:
        """Return the reviews of candidate and baseline, of the rows that have both."""
        old = {review.at: review for review in self.reviews_of(BASELINE, metric)}
        new = self.reviews_of(CANDIDATE, metric)
        return [(review, old[review.at]) for review in new if review.at in old]

    def outcomes(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the counts of states by metric and side, for what was read of these."""
        return {
            name: {
                side: readings[name].counts()
                for side, readings in ((CANDIDATE, self.candidate), (BASELINE, self.baseline))
                if name in readings
            }
            for name in names
        }
