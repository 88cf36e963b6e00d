"""Which traces the lake still holds all evidence of: those whose evidence expired are left as they are.

Retention takes rows of old days away, or texts and users out of feedback, which decide too. From
what is left another label could come, and be in force.
"""  # noqa: E501 - one sentence

from dataclasses import dataclass, replace
from datetime import date, timedelta

from batch.labels.trace_buckets import ScanExtent
from labels.facts import TraceKnowledge
from lake.retention_horizon import PSEUDONYMS_PART, ROWS_PART, TEXT_PART, complete_from
from lake.tables import Table
from schemas.times import midnight, to_micros

EXPIRED_EVIDENCE = "expired"
"""What became of the decision on a trace whose evidence is not whole any more."""


@dataclass(frozen=True, slots=True)
class EvidenceCompleteness:
    """From when on evidence is whole: traces by the day they began, the rest in microseconds."""

    since: date | None
    feedback: int
    reviews: int

    @classmethod
    def of(
        cls, traces: Table, feedback: Table, reviews: Table, labels: Table
    ) -> "EvidenceCompleteness":
        """Ask the tables, as of their last refresh; RetryableError if the lake does not answer."""
        days = [complete_from(table, ROWS_PART) for table in (traces, reviews, labels)]
        said = complete_from(feedback, ROWS_PART)
        # Where clocks differ, feedback may be stored under an earlier day than its trace.
        days.append(None if said is None else said + timedelta(days=ScanExtent().margin))
        return cls(
            since=max((day for day in days if day is not None), default=None),
            feedback=start_micros(complete_from(feedback, TEXT_PART, PSEUDONYMS_PART)),
            reviews=start_micros(complete_from(reviews, TEXT_PART)),
        )

    def within(self, asked: ScanExtent) -> ScanExtent:
        """Return the part of an extent that lies where no rows have expired."""
        if self.since is None or (asked.since is not None and asked.since >= self.since):
            return asked
        return replace(asked, since=self.since)

    def covers(self, known: TraceKnowledge) -> bool:
        """Tell whether nothing of the evidence on a trace has lost what decides."""
        return all(item.occurred_at >= self.feedback for item in known.said) and all(
            verdict.reviewed_at >= self.reviews for verdict in known.verdicts
        )

    def keeps(self, started_at: int | None) -> bool:
        """Tell whether rows of a trace that began then (None: nobody knows) may not have expired.

        ``started_at`` is in microseconds since 1970 (UTC).
        """
        return self.since is None or (started_at or 0) >= start_micros(self.since)


def start_micros(day: date | None) -> int:
    """Return when a day begins, in microseconds since 1970 (UTC); 0 for none."""
    return 0 if day is None else to_micros(midnight(day))
