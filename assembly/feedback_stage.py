"""The part of the assembly that turns feedback into records, once their traces are known."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

import pyarrow as pa

from assembly.feedback_targets import has_feedback, read_feedback
from assembly.feedback_writer import FeedbackOutcome, FeedbackWriter
from assembly.time_share import TimeShare
from lake.tables import Table
from otel.open_traces import AssemblyTerms, shard_of
from otel.waiting_feedback import FeedbackQueue
from schemas.times import day_of_micros

LOOK_BACK: Final = timedelta(days=2)
"""How long before a feedback its trace may have begun; the job looks further."""
OLDEST_US: Final = 7 * 86_400_000_000
"""Feedback that says an earlier time is taken to be this old; the job looks further."""


class FeedbackObserver(Protocol):
    """What is reported about feedback."""

    def feedback(self, outcome: FeedbackOutcome, left: int, waiting: int) -> None:
        """Record what became of feedback, how much was left to the job, and how much waits."""


@dataclass
class FeedbackStage:
    """Feedback of the shards of one owner: what waits, and what is due."""

    spans: Table
    writer: FeedbackWriter
    terms: AssemblyTerms
    observer: FeedbackObserver
    now_us: Callable[[], int]
    monotonic: Callable[[], float]
    _shards: frozenset[int] = frozenset()
    _queue: FeedbackQueue = field(init=False)
    _searches: TimeShare = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self._queue = FeedbackQueue(self.terms)
        self._searches = TimeShare(self.monotonic)

    def begin(self, shards: Collection[int]) -> None:
        """Forget what waits, and own these shards; as of the table's newest version."""
        self._shards, self._queue = frozenset(shards), FeedbackQueue(self.terms)
        self.writer.sequences.table.refresh()
        self.writer.sequences.load(self._shards)

    def take(self, path: str, columns: pa.Table, since_us: int | None = None) -> None:
        """Take in the feedback of a file whose columns were read."""
        if not has_feedback(columns):
            return
        for feedback, arrived_us in read_feedback(self.spans, path, since_us):
            if shard_of(feedback.target_id) in self._shards:
                self._queue.add(feedback, arrived_us)

    @property
    def untried(self) -> bool:
        """Whether some feedback was never tried."""
        return self._queue.untried()

    def resolve(self, is_open: Callable[[str], bool], *, everything: bool) -> None:
        """Write the records of feedback that is due and whose trace has a row.

        Raises as `FeedbackWriter.write`.
        """
        now_us = self.now_us()
        due = self._queue.take_due(now_us, everything=everything)
        if not due or (self._searches.spent and not everything):
            return
        with self._searches.use():
            for table in (self.spans, self.writer.finder.traces, self.writer.sequences.table):
                table.refresh()
            oldest_us = min([each.time_ns // 1000 or now_us for each in due])
            oldest_us = min(max(oldest_us, now_us - OLDEST_US), now_us)
            days = day_of_micros(oldest_us) - LOOK_BACK, day_of_micros(now_us) + timedelta(days=1)
            outcome = self.writer.write(due, days, is_open)
            self._queue.resolved([*outcome.written, *outcome.settled])
            left = self._queue.failed(outcome.waiting, now_us)
            self.observer.feedback(outcome, len(left), len(self._queue.waiting))
