"""Which open items can be judged: those whose conversation, and whose reviews, are there.

A trace that has a signal and never came has nothing to show; it is handed out once it has come, and
its label has been decided again. Where retention has taken the texts of a day there is nothing to
show to a reviewer; where it has taken reviews, an item that was closed by them would seem open.
"""

from dataclasses import dataclass, replace

from batch.labels.completeness import start_micros
from labels.review_queue import QueueItem, ReviewQueue
from lake.retention_horizon import ROWS_PART, TEXT_PART, complete_from
from lake.tables import Table


@dataclass(frozen=True, slots=True)
class ReviewableItems:
    """From when on traces, and reviews, are whole; in microseconds since 1970 (UTC)."""

    traces: int
    reviews: int

    @classmethod
    def of(cls, traces: Table, reviews: Table) -> "ReviewableItems":
        """Ask the tables, as of their last refresh; RetryableError if the lake does not answer."""
        return cls(
            start_micros(complete_from(traces, ROWS_PART, TEXT_PART)),
            start_micros(complete_from(reviews, ROWS_PART)),
        )

    def only(self, queue: ReviewQueue) -> ReviewQueue:
        """Return the queue without the items that cannot be judged; it counts those of no trace."""
        events = queue.events
        came = [i for i in queue.items if events[i.trace_id].trace_started_at is not None]
        return replace(
            queue,
            items=[item for item in came if self._is(item, queue)],
            without_trace=len(queue.items) - len(came),
        )

    def _is(self, item: QueueItem, queue: ReviewQueue) -> bool:
        started = queue.events[item.trace_id].trace_started_at
        since = item.opened_at if started is None else started
        return since >= self.traces and item.opened_at >= self.reviews
