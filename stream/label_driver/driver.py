"""Drives the join in the worker: feeds it rows, and decides when labels are written.

The join gets rows once they are in the lake, and only of partitions that are owned in both topics.
So everything that a label rests on is in the lake before it, and the positions of labels are never
ahead. After a failure the state is dropped and read back from the lake. See
`docs/decisions/0005-labels-in-the-worker.md`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from labels.join import JOIN_COLUMNS, LabelJoin, WrittenEvent
from lake.ledger import Incarnation, SourcePartition
from schemas.errors import FencedError
from schemas.record_batches import RecordKind
from schemas.records import LabelEvent
from stream.applied_tombstones import TombstoneNumber
from stream.buffer import Flush, RedactedBatch
from stream.label_driver.join_rebuild import JoinRebuild
from stream.label_driver.join_topic_check import JoinTopicCheck
from stream.label_driver.label_flush import LabelFlush, LabelsFlushed, build_label_rows
from stream.label_driver.label_positions import LabelPositions
from stream.label_driver.observer import LabelObserver
from stream.owned_partition import Assignment

FLUSH_WAIT_SECONDS: Final = 5.0
"""How long labels wait for record flushes in progress, to be decided with their rows."""
IDLE_COMMIT_SECONDS: Final = 300.0
"""How often positions of labels move while no label is decided."""


@dataclass(slots=True)
class LabelDriver:
    """Feeds the join and seals flushes of labels. Used by the worker's loop only.

    ``limit`` bounds the state in bytes, ``policy`` is the hash of the redaction policy.
    ``erasures`` returns the newest applied tombstone: when it changes, the worker abandons all
    state.
    """

    join: LabelJoin
    positions: LabelPositions
    rebuild: JoinRebuild
    check: JoinTopicCheck
    observer: LabelObserver
    limit: int
    policy: str
    erasures: TombstoneNumber
    now_us: Callable[[], int]
    new_token: Callable[[], int]
    _in_flight: bool = False
    _overdue: list[LabelEvent] = field(default_factory=list)
    _changed_at: float | None = None
    _moved_at: float = 0.0

    # -- partitions -----------------------------------------------------------------------------

    def drop_partitions(self, sources: Sequence[SourcePartition]) -> None:
        """Drop partitions that were taken over, taken over again, or revoked."""
        partitions = frozenset(source.partition for source in sources)
        self.rebuild.cancel(partitions)
        self.join.drop(partitions)
        self.positions.drop(partitions)

    def abandon(self) -> None:
        """Drop everything: unwritten labels are decided again from the lake."""
        self.rebuild.cancel()
        self.join.drop(self.positions.pairs)
        self.positions.pairs.clear()
        self._in_flight, self._changed_at = False, None
        self._overdue = []

    def unjoined(self, assignment: Assignment) -> list[int]:
        """Return the numbers of partitions that are owned in both topics and not joined."""
        if self.check.failed:
            return []
        topics = self.positions.topics.values()
        owned = [{item.source.partition for item in assignment.of(topic)} for topic in topics]
        return sorted(set.intersection(*owned) - self.positions.pairs.keys())

    @property
    def rebuilding(self) -> bool:
        """Return whether state is being read back from the lake."""
        return self.rebuild.running

    def run_rebuild_step(self, assignment: Assignment) -> None:
        """Continue to read state back from the lake, for a moment.

        Raises FatalError if the lake stays unavailable.
        """
        if self._in_flight:
            return
        finished = self.rebuild.run_step(lambda: self._joinable(assignment))
        if finished is None:
            return
        self._overdue += finished.overdue
        self.positions.pairs |= finished.pairs
        self._changed_at = self._moved_at = monotonic()
        for kind, rows, ends in finished.later:
            self._add(kind, rows, ends)

    def _joinable(self, assignment: Assignment) -> list[int]:
        partitions = self.unjoined(assignment)
        if partitions and not self.check.check_counts():
            self.abandon()
            return []
        return partitions

    # -- adding rows ----------------------------------------------------------------------------

    def add_flushed(self, flush: Flush) -> None:
        """Add rows that are in the lake now."""
        if not self.positions.pairs and not self.rebuild.running:
            return
        kinds = [kind for kind, topic in self.positions.topics.items() if topic == flush.topic]
        if not kinds:
            return  # a topic of spans
        kind = kinds[0]
        ends = {item.partition: item.end for item in flush.primary.ranges}
        rows = _join_columns(flush.rows, JOIN_COLUMNS[kind])
        self.rebuild.add_later((kind, rows, ends))
        self._add(kind, rows, ends)

    def _add(self, kind: RecordKind, rows: pa.RecordBatch | None, ends: Mapping[int, int]) -> None:
        new = self.positions.advance(kind, ends)
        if not new:
            return
        self._changed_at = self._changed_at or monotonic()
        if rows is None:
            return
        if len(new) < len(ends):
            partitions = pa.array(new, pa.int32())
            rows = rows.filter(pc.is_in(rows.column("_partition"), value_set=partitions))
        self.join.add(kind, rows)
        if not self.check.check_keys(kind, rows, self.join, self.positions.pairs):
            self.abandon()

    # -- writing labels -------------------------------------------------------------------------

    def seal(
        self, incarnations: Mapping[str, Incarnation], *, everything: bool, busy: bool
    ) -> LabelFlush | None:
        """Return the next flush of labels; None if there is nothing to write, or not yet.

        ``busy``: flushes of records are in progress. ``everything``: write all labels, since
        partitions are about to be revoked. Raises FatalError if the clock is wrong.
        """
        now = monotonic()
        if self._in_flight or not self._is_due(now, everything=everything, busy=busy):
            return None
        self.rebuild.cancel()
        batch = self.join.decide(now=self.now_us())
        self._changed_at = None
        self._limit_size()
        self.observer.report_counts(batch.counts, self.join)
        idle = not batch.decided and not self._overdue
        if idle and not everything and now - self._moved_at < IDLE_COMMIT_SECONDS:
            return None
        part = self.positions.build_part(
            batch.decided, event_times=self.join.watermarks, tombstone=self.erasures()
        )
        if not part.moves and not self._overdue:
            return None
        self._in_flight, self._moved_at = True, now
        overdue, self._overdue = self._overdue, []
        topics = self.positions.topics
        return LabelFlush(
            token=self.new_token(),
            incarnations={topic: incarnations[topic] for topic in topics.values()},
            rows=build_label_rows(batch, topics, ingested_at=self.now_us(), policy=self.policy),
            part=part,
            decided=batch.decided,
            overdue=overdue,
        )

    def finish_flush(self, outcome: LabelsFlushed | FencedError) -> None:
        """Record the outcome of a flush of labels."""
        self._in_flight = False
        if isinstance(outcome, FencedError):
            self.observer.fenced(outcome)
            self.abandon()
            return
        events = (label.event for label in outcome.flush.decided)
        self.join.mark_written(
            WrittenEvent(e.trace_id, e.label_event_id, e.revision) for e in events
        )
        self.observer.committed(outcome)

    def _is_due(self, now: float, *, everything: bool, busy: bool) -> bool:
        if everything:
            return not busy and (self._changed_at is not None or self.positions.has_undecided)
        if self.rebuild.running or self._changed_at is None:
            return False
        return not busy or now - self._changed_at >= FLUSH_WAIT_SECONDS

    def _limit_size(self) -> None:
        while self.join.size().bytes > self.limit and self.join.window > 1:
            self.join.halve_window()
            self.observer.window_shortened(self.join.window)


def _join_columns(
    batches: Sequence[RedactedBatch], columns: Sequence[str]
) -> pa.RecordBatch | None:
    """Return the columns of the join, of all batches as one; None without rows."""
    if not batches:
        return None
    selected = [sealed.value.select(columns) for sealed in batches]
    combined = pa.Table.from_batches(selected).combine_chunks().to_batches()
    return combined[0] if combined else None
