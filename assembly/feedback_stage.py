"""The part of the assembly that turns feedback into records, once their traces are known."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from assembly.feedback_targets import has_feedback, read_feedback
from assembly.feedback_writer import FeedbackOutcome, FeedbackWriter
from assembly.time_share import TimeShare
from lake.parquet import PARTITION_COLUMN
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
            for days, feedback in group_by_days(due):
                for table in (self.spans, self.writer.finder.traces, self.writer.sequences.table):
                    table.refresh()
                where = days or find_recent_days(self.spans, now_us)
                outcome = self.writer.write(feedback, where, is_open)
                self._queue.resolved([*outcome.written, *outcome.settled])
                left = self._queue.failed(outcome.waiting, now_us)
                self.observer.feedback(outcome, len(left), len(self._queue.waiting))
                if not everything:
                    break  # what is left stays due


def group_by_days(
    feedback: Iterable[ProductFeedback],
) -> Iterator[tuple[frozenset[date], list[ProductFeedback]]]:
    """Yield feedback with the days on which its traces may have begun, a few days at once.

    Feedback without a valid time comes first, with no day.
    """
    timed: list[tuple[date, ProductFeedback]] = []
    untimed: list[ProductFeedback] = []
    for each in feedback:
        if is_event_time(each.time_ns):
            timed.append((day_of_micros(each.time_ns // 1000), each))
        else:
            untimed.append(each)
    if untimed:
        yield frozenset(), untimed
    days: frozenset[date] = frozenset()
    together: list[ProductFeedback] = []
    for day, each in sorted(timed, key=lambda pair: pair[0]):
        more = {day + timedelta(days=n) for n in range(-LOOK_BACK, LOOK_AHEAD + 1)}
        if together and len(days | more) > MOST_DAYS:
            yield days, together
            days, together = frozenset(), []
        days |= more
        together.append(each)
    if together:
        yield days, together


def find_recent_days(spans: Table, now_us: int) -> frozenset[date]:
    """Return the days of the spans that arrived lately, each with the day before.

    Spans of long ago may have arrived just now: topics that are read again, or a backlog. Raises
    RetryableError if the table cannot be read.
    """
    files = spans.active_files()
    if not len(files):
        return frozenset()
    arrived = files["max._ingested_at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    since_us = now_us - LOOK_BACK * 86_400_000_000
    recent = files.filter(pc.fill_null(pc.greater_equal(arrived, since_us), pa.scalar(value=True)))
    texts = set(recent[f"partition.{PARTITION_COLUMN}"].cast(pa.string()).to_pylist())
    days = {date.fromisoformat(text) for text in texts}
    return frozenset(days | {day - timedelta(days=1) for day in days})
