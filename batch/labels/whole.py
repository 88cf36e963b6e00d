"""Which traces the lake still holds all evidence of: those whose evidence expired are left as they are.

Retention takes rows of old days away, or texts and users out of feedback, which decide too. From
what is left another label could come, and be in force.
"""  # noqa: E501 - one sentence

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from batch.labels.scan import Extent
from labels.facts import Knowledge
from lake.retention import PSEUDONYMS, ROWS, TEXT, whole_from
from lake.tables import Table

EXPIRED = "expired"
"""What became of the decision on a trace whose evidence is not whole any more."""


@dataclass(frozen=True, slots=True)
class Whole:
    """From when on evidence is whole: traces by the day they began, the rest in microseconds."""

    since: date | None
    feedback: int
    reviews: int

    @classmethod
    def of(cls, traces: Table, feedback: Table, reviews: Table, labels: Table) -> "Whole":
        """Ask the tables, as of their last refresh; RetryableError if the lake does not answer."""
        days = [whole_from(table, ROWS) for table in (traces, reviews, labels)]
        said = whole_from(feedback, ROWS)
        # Where clocks differ, feedback may be stored under an earlier day than its trace.
        days.append(None if said is None else said + timedelta(days=Extent().margin))
        return cls(
            since=max((day for day in days if day is not None), default=None),
            feedback=micros(whole_from(feedback, TEXT, PSEUDONYMS)),
            reviews=micros(whole_from(reviews, TEXT)),
        )

    def within(self, asked: Extent) -> Extent:
        """Return the part of an extent that lies where no rows have expired."""
        if self.since is None or (asked.since is not None and asked.since >= self.since):
            return asked
        return replace(asked, since=self.since)

    def covers(self, known: Knowledge) -> bool:
        """Tell whether nothing of the evidence on a trace has lost what decides."""
        return all(item.occurred_at >= self.feedback for item in known.said) and all(
            verdict.reviewed_at >= self.reviews for verdict in known.verdicts
        )

    def keeps(self, started_at: int | None) -> bool:
        """Tell whether rows of a trace that began then (None: nobody knows) may not have expired.

        ``started_at`` is in microseconds since 1970 (UTC).
        """
        return self.since is None or (started_at or 0) >= micros(self.since)


def micros(day: date | None) -> int:
    """Return when a day begins, in microseconds since 1970 (UTC); 0 for none."""
    if day is None:
        return 0
    return int(datetime.combine(day, time(), UTC).timestamp()) * 1_000_000
