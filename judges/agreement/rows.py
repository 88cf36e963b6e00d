"""A judged row that reviewers have judged too."""

from typing import NamedTuple

from judges.outcome import JudgeOutcome
from judges.weighted_rows import WeightedRow


class AgreementRow(NamedTuple):
    """The judge's outcome and what reviewers say: True for a good answer.

    ``probability`` is that with which the row came to be reviewed; rows from the queue of uncertain
    answers have none and are no fair sample, so they are not given here.
    """

    outcome: JudgeOutcome
    reviewed_good: bool
    probability: float = 1.0
    p_fail: float | None = None
    cluster: str | None = None
    segment: str = ""
    epoch: int = 1

    @property
    def weighted(self) -> WeightedRow:
        """Return how much the row stands for."""
        return WeightedRow(self.probability, self.cluster)

    @property
    def is_decided(self) -> bool:
        """Return whether the judge said pass or fail."""
        return self.outcome in ("pass", "fail")
