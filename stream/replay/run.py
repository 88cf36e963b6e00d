"""Reprocesses a bounded range of a topic under another policy, into staging tables.

It uses the worker's own path: the same intake, buffer and flush, into tables with positions of
their own. So it may be killed at any moment and repeated, and each record is staged exactly once.
Unlike the worker, it starts and ends where the plan says, and is a single thread: reading waits
while a flush is carried out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from lake.fences import ERASURE_FENCE
from lake.ledger import SourcePartition
from lake.table_commit import CommitContext
from schemas.errors import FatalError, FencedError, RetryableError
from schemas.record_batches import RawRecord
from stream.adaptive_batch import AdaptiveBatch
from stream.applied_tombstones import AppliedTombstones
from stream.buffer import TopicBuffer
from stream.flush_scheduler import FlushThresholds
from stream.flusher import RecordFlushRunner, describe_changed_topic
from stream.initial_positions import InitialPositions
from stream.intake import Intake
from stream.owned_partition import Assignment
from stream.replay.kafka_reader import ReplayBatch, describe_deleted_records, make_silence_error
from stream.replay.metrics import READING_RANGE, ReplayObserver
from stream.replay.plan import ReplayPlan
from stream.replay.rate_limiter import RateLimiter
from stream.take_over import TakeOver


class ReplayReader(Protocol):
    """The source of a replay's records; see `stream.replay.kafka_reader` and
    `stream.replay.lake_reader`.
    """

    def assign(self, starts: Mapping[SourcePartition, int]) -> None:
        """Read these partitions from these offsets."""

    def drop(self, source: SourcePartition) -> None:
        """Stop reading a partition."""

    def watermarks(self, source: SourcePartition) -> tuple[int, int]:
        """Return the first readable offset and the one after the last."""

    def read(self, limit: int) -> ReplayBatch:
        """Return the next records, up to ``limit``."""


ReportProgress = Callable[[str, int, int], None]
"""Called with a stage, how much of it is done, and the total."""


@dataclass(slots=True)
class Replay:
    """Reads the rest of a plan. ``patience`` is how long Kafka may return nothing, in seconds."""

    plan: ReplayPlan
    reader: ReplayReader
    take_over: TakeOver
    beginning: InitialPositions
    intake: Intake
    steps: RecordFlushRunner
    thresholds: FlushThresholds
    pace: AdaptiveBatch
    rate: RateLimiter
    context: CommitContext
    patience: float
    monotonic: Callable[[], float]
    erasures: AppliedTombstones
    observer: ReplayObserver
    assignment: Assignment = field(default_factory=Assignment)
    _buffer: TopicBuffer = field(init=False)

    def __post_init__(self) -> None:
        """Start with an empty buffer."""
        self._buffer = TopicBuffer(self.plan.topic)

    def run(self) -> None:
        """Read and stage everything that is left.

        Raises FatalError if the topic is another incarnation, if Kafka has deleted records of the
        range, if another process works on the same replay, or if an external system stays
        unavailable. Raises RetryableError if asked to stop.
        """
        self._load_tombstones()
        while True:
            try:
                self._fence()
                self._take_over()
                self._read()
                self._flush()
            except FencedError:
                if not self._load_tombstones():
                    raise FatalError(
                        f"another process works on the replay {self.plan.name}: let it finish, or "
                        "repeat this command"
                    ) from None
                self._buffer.clear()
                self.assignment.remove(list(self.assignment.owned))
            else:
                return

    def _load_tombstones(self) -> bool:
        return self.context.retry.call("reading tombstones", self.erasures.reload)

    def _fence(self) -> None:
        """Record in the staged tables which tombstones their records were checked against."""
        tables = [*self.take_over.primary.values(), self.take_over.quarantine, self.take_over.audit]
        for table in filter(None, tables if self.erasures.newest else []):
            ERASURE_FENCE.raise_to(table, self.erasures.newest, self.context)

    def _take_over(self) -> None:
        """Take over the unfinished partitions, at the staged tables' positions."""
        incarnations = self.context.retry.call(
            "taking positions", lambda: self.take_over.check([self._topic])
        )
        if incarnations[self._topic] != self.plan.incarnation:
            raise FatalError(describe_changed_topic(self._topic))
        new = {s: start for s, start in self.plan.starts.items() if self._staged(s) is None}
        if new:
            self.beginning.write(new, incarnations)
        self.take_over.primary[self._topic].refresh()
        left = {
            source: self._staged(source) or 0
            for source, end in self.plan.ends.items()
            if (self._staged(source) or 0) < end
        }
        self._check_available(left)
        partitions, _ = self.context.retry.call(
            "taking positions", lambda: self.take_over.take(list(left))
        )
        self.assignment.add(partitions)

    def _staged(self, source: SourcePartition) -> int | None:
        return self.take_over.primary[self._topic].positions([source])[source]

    def _check_available(self, starts: Mapping[SourcePartition, int]) -> None:
        for source, start in starts.items():
            low, _ = self.context.retry.call(
                "asking Kafka", partial(self.reader.watermarks, source)
            )
            if low > start:
                raise FatalError(describe_deleted_records(self._topic))

    def _read(self) -> None:
        left = set(self.assignment.owned)
        self.reader.assign({s: self.assignment.owned[s].range.next for s in left})
        answered = self.monotonic()
        trouble: RetryableError | None = None
        while left:
            self._report_progress()
            batch = self.reader.read(self.rate.limit_batch(self.pace.batch))
            trouble = batch.trouble or trouble
            self._take(batch.raws)
            self._skip_to(batch.ends)
            self.rate.took(len(batch.raws))
            self.observer.read(len(batch.raws))
            if not batch.empty:
                answered, trouble = self.monotonic(), None
            elif self.monotonic() - answered > self.patience:
                raise make_silence_error(trouble, self.patience)
            for source in [s for s in left if self._is_complete(s)]:
                left.remove(source)
                self.reader.drop(source)
            if self._is_due():
                self._flush()
                answered = self.monotonic()
        self._report_progress()

    def _take(self, raws: Sequence[RawRecord]) -> None:
        """Take in the range's records; a record beyond the end completes its partition."""
        began, ends = self.monotonic(), self.plan.ends
        mine = [
            raw for raw in raws if raw.offset < ends[SourcePartition(self._topic, raw.partition)]
        ]
        self.context.retry.call(
            "decoding", lambda: self.intake.take(mine, self.assignment, self._buffer, began)
        )
        size = sum(len(raw.value) for raw in mine if raw.value)
        self.pace.took(len(mine), size, self.monotonic() - began)
        beyond = {SourcePartition(self._topic, raw.partition): raw.offset for raw in raws}
        self._skip_to({source: last for source, last in beyond.items() if last >= ends[source]})

    def _skip_to(self, reached: Mapping[SourcePartition, int]) -> None:
        """Skip offsets without a record, up to the client's position."""
        for source, offset in reached.items():
            item = self.assignment.owned[source]
            item.range.skip_to(min(offset, self.plan.ends[source]), "absent")
            if item.range.moved:
                self._buffer.touch(self.monotonic())

    def _is_complete(self, source: SourcePartition) -> bool:
        return self.assignment.owned[source].range.next >= self.plan.ends[source]

    def _is_due(self) -> bool:
        old = self._buffer.age(self.monotonic()) >= self.thresholds.seconds
        return old or self._buffer.bytes >= self.thresholds.bytes

    def _flush(self) -> None:
        """Stage the buffered records and wait for the commit."""
        flush = self._buffer.seal(
            self.assignment.of(self._topic),
            self.plan.incarnation,
            self.context.new_token(),
            erasures=self.erasures.newest,
        )
        if flush is not None:
            self.steps.run(flush)
            self.observer.staged(flush.primary.ranges)

    def _report_progress(self) -> None:
        left = sum(
            self.plan.ends[source] - item.range.next
            for source, item in self.assignment.owned.items()
        )
        self.observer.progress(READING_RANGE, self.plan.offsets - left, self.plan.offsets)

    @property
    def _topic(self) -> str:
        return self.plan.topic
