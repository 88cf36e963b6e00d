"""The part of the assembly that turns feedback into records, once their traces are known."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, Protocol

import pyarrow as pa

from assembly.feedback_targets import has_feedback, read_feedback
from assembly.feedback_writer import FeedbackOutcome, FeedbackWriter
from assembly.time_share import TimeShare
from lake.tables import Table
from otel.open_traces import AssemblyTerms, shard_of
from otel.signals import ProductFeedback
from otel.span_tree import is_event_time
from otel.waiting_feedback import FeedbackQueue
from schemas.times import day_of_micros

LOOK_BACK: Final = 2
"""How many days before a feedback its trace may have begun; the job looks further."""
LOOK_AHEAD: Final = 1
"""How many days after it: clocks differ, and some say local time."""
MOST_DAYS: Final = 14
"""Days that are read together, for the feedback of one search."""


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
            for days, feedback in group_by_days(due, now_us):
                for table in (self.spans, self.writer.finder.traces, self.writer.sequences.table):
                    table.refresh()
                outcome = self.writer.write(feedback, days, is_open)
                self._queue.resolved([*outcome.written, *outcome.settled])
                left = self._queue.failed(outcome.waiting, now_us)
                self.observer.feedback(outcome, len(left), len(self._queue.waiting))
                if not everything:
                    break  # what is left stays due


def group_by_days(
    feedback: Iterable[ProductFeedback], now_us: int
) -> Iterator[tuple[frozenset[date], list[ProductFeedback]]]:
    """Yield feedback with the days on which its traces may have begun, a few days at once.

    Feedback without a valid time is taken to be from now.
    """
    days: frozenset[date] = frozenset()
    together: list[ProductFeedback] = []
    for day, each in sorted(
        ((_day_of(each, now_us), each) for each in feedback), key=lambda pair: pair[0]
    ):
        more = {day + timedelta(days=n) for n in range(-LOOK_BACK, LOOK_AHEAD + 1)}
        if together and len(days | more) > MOST_DAYS:
            yield days, together
            days, together = frozenset(), []
        days |= more
        together.append(each)
    if together:
        yield days, together


def _day_of(feedback: ProductFeedback, now_us: int) -> date:
    return day_of_micros(feedback.time_ns // 1000 if is_event_time(feedback.time_ns) else now_us)
