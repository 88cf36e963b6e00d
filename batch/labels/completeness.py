"""Finds the traces whose evidence is still complete; only those may be relabelled.

Retention removes rows of old days, or texts and users from feedback, which also affect decisions.
What remains could give another label, which would then be in force.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from batch.labels.trace_buckets import ScanExtent
from labels.facts import TraceKnowledge
from lake.retention_horizon import PSEUDONYMS_PART, ROWS_PART, TEXT_PART, complete_from
from lake.tables import Table
from schemas.times import day_start_micros

EXPIRED_EVIDENCE = "expired"
"""The outcome of a decision on a trace whose evidence has partly expired."""


@dataclass(frozen=True, slots=True)
class EvidenceCompleteness:
    """Since when evidence is complete: traces by start day, the rest in microseconds."""

    since: date | None
    feedback_since: int
    reviews_since: int

    @classmethod
    def read(
        cls, traces: Table, feedback: Table, reviews: Table, labels: Table
    ) -> "EvidenceCompleteness":
        """Read the tables as of their last refresh; RetryableError if the lake is unavailable."""
        days = [complete_from(table, ROWS_PART) for table in (traces, reviews, labels)]
        feedback_day = complete_from(feedback, ROWS_PART)
        # If clocks differ, feedback may be stored under an earlier day than its trace.
        days.append(
            None if feedback_day is None else feedback_day + timedelta(days=ScanExtent().margin)
        )
        return cls(
            since=max((day for day in days if day is not None), default=None),
            feedback_since=_start_micros(complete_from(feedback, TEXT_PART, PSEUDONYMS_PART)),
            reviews_since=_start_micros(complete_from(reviews, TEXT_PART)),
        )

    def limit(self, extent: ScanExtent) -> ScanExtent:
        """Return the part of an extent in which no rows have expired."""
        if self.since is None or (extent.since is not None and extent.since >= self.since):
            return extent
        return replace(extent, since=self.since)

    def covers(self, knowledge: TraceKnowledge) -> bool:
        """Return whether no evidence on a trace has lost texts or users that affect its label."""
        return all(
            event.occurred_at >= self.feedback_since for event in knowledge.feedback
        ) and all(verdict.reviewed_at >= self.reviews_since for verdict in knowledge.verdicts)

    def covers_start(self, started_at: int | None) -> bool:
        """Return whether the rows of a trace cannot have expired, given its start time.

        ``started_at`` is in microseconds since 1970 (UTC), None if unknown.
        """
        return self.since is None or (started_at or 0) >= day_start_micros(self.since)


def _start_micros(day: date | None) -> int:
    return 0 if day is None else day_start_micros(day)
