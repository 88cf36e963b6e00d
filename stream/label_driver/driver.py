"""Drives the join of traces and feedback: what it takes in, and when labels are written.

The join takes in rows once they are in the lake, and only of partitions of which both topics' are
owned; so whatever a label rests on is in the lake before it, and the labels' positions are never
ahead. What fails half-way is not mended but dropped: the state is read back from the lake. See
`docs/decisions/0005-labels-in-the-worker.md`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from time import monotonic
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from labels.join import JOIN_COLUMNS, DecidedBatch, LabelJoin, WrittenEvent
from lake.fences import ERASURE_FENCE, RELABEL_FENCE
from lake.ledger import Incarnation, SourcePartition, SourceRange
from lake.table_commit import Condition, Guard, Move
from lake.table_log import event_time_app, position_app, produced_app
from lake.table_writer import FlushPart
from schemas.errors import FatalError, FencedError, RetryableError
from schemas.record_batches import RecordKind
from schemas.records import LabelEvent
from stream.applied_tombstones import TombstoneNumber
from stream.buffer import Flush, RedactedBatch
from stream.copartition import CopartitionCheck
from stream.label_driver.join_tables import JoinTables, PartitionPair
from stream.label_driver.label_flush import LabelFlush, LabelsFlushed, build_label_rows
from stream.label_driver.observer import KEYS, PARTITION_COUNTS, LabelObserver
from stream.owned_partition import Assignment

REBUILD_STEP_SECONDS: Final = 0.25
"""A rebuild goes on for so long at a time, so that the worker keeps answering to its group."""
REBUILD_RETRY_SECONDS: Final = 1.0
FLUSH_WAIT_SECONDS: Final = 5.0
"""So long labels wait for flushes that are under way, to be decided with what these bring."""
IDLE_COMMIT_SECONDS: Final = 300.0
"""Positions of labels are moved that often where no label is decided."""
SAMPLED_TRACES: Final = 64

_COUNTS = (
    "{} has {} partitions and {} has {}: give them as many, or run `goldpan labels reconcile` on a "
    "schedule, which needs no such thing"
)
_KEYS = (
    "the same trace id lies in partitions of different numbers of {} and {}: let all producers use "
    "one partitioner, with trace_id as the key, or run `goldpan labels reconcile` on a schedule"
)


@dataclass(slots=True)
class _Rebuild:
    """The states of some partitions on their way from the lake, and what is flushed meanwhile."""

    pairs: dict[int, PartitionPair]
    steps: Iterator[int]
    began: float
    held: list[tuple[RecordKind, pa.RecordBatch | None, Mapping[int, int]]] = field(
        default_factory=list
    )


@dataclass(slots=True)
class LabelDriver:
    """All state is touched by the worker's loop alone.

    ``counts`` asks Kafka for the number of partitions of each topic. ``limit`` bounds the state in
    bytes, ``policy`` is the hash of the redaction policy, ``producing`` says whether a topic is set
    for label events. ``erasures`` tells the newest tombstone that is applied: when it changes, all
    of this is abandoned. ``retry_seconds`` is how long a lake that does not answer is borne with.
    """

    join: LabelJoin
    tables: JoinTables
    counts: Callable[[], Mapping[RecordKind, int]]
    observer: LabelObserver
    limit: int
    policy: str
    producing: bool
    erasures: TombstoneNumber
    retry_seconds: float
    now_us: Callable[[], int]
    new_token: Callable[[], int]
    pairs: dict[int, PartitionPair] = field(default_factory=dict)
    _check: CopartitionCheck | None = None
    _left: bool = False
    _rebuild: _Rebuild | None = None
    _flying: bool = False
    _overdue: list[LabelEvent] = field(default_factory=list)
    _news_since: float | None = None
    _moved_at: float = 0.0
    _again_at: float = 0.0
    _failing_since: float | None = None

    # -- partitions -----------------------------------------------------------------------------

    def forget(self, sources: Sequence[SourcePartition]) -> None:
        """Drop what is known of partitions: they were taken over, or again, or given up."""
        numbers = {source.partition for source in sources}
        if self._rebuild is not None and numbers & self._rebuild.pairs.keys():
            self._cancel()
        self.join.drop(numbers)
        for number in numbers:
            self.pairs.pop(number, None)

    def abandon(self) -> None:
        """Drop everything: what was decided and not written is decided again from the lake."""
        self._cancel()
        self.join.drop(self.pairs)
        self.pairs.clear()
        self._flying, self._news_since = False, None
        self._overdue = []

    def missing(self, assignment: Assignment) -> list[int]:
        """Return the numbers of partitions that are owned in both topics and not joined."""
        if self._left:
            return []
        topics = self.tables.topics.values()
        owned = [{item.source.partition for item in assignment.of(topic)} for topic in topics]
        return sorted(set.intersection(*owned) - self.pairs.keys())

    @property
    def rebuilding(self) -> bool:
        """Return whether something is being read back from the lake."""
        return self._rebuild is not None

    # -- reading back from the lake -------------------------------------------------------------

    def turn(self, assignment: Assignment) -> None:
        """Go on with what is read back from the lake, for a moment.

        Raises FatalError if the lake has not answered for too long.
        """
        now = monotonic()
        if self._flying or now < self._again_at:
            return
        try:
            if self._rebuild is None and (numbers := self.missing(assignment)):
                self._begin(numbers, now)
            if self._rebuild is not None:
                self._go_on(self._rebuild, now + REBUILD_STEP_SECONDS)
        except RetryableError as error:
            self._cancel()
            self._failing_since = self._failing_since or now
            if now - self._failing_since > self.retry_seconds:
                raise FatalError(
                    f"still failing after {self.retry_seconds:g} s: {error}"
                ) from error
            self._again_at = now + REBUILD_RETRY_SECONDS
            self.observer.retried(error, REBUILD_RETRY_SECONDS)

    def _begin(self, numbers: Sequence[int], now: float) -> None:
        if not self._alike():
            return
        pairs = self.tables.pairs(numbers)
        since = self.tables.since(pairs, self.join.window)
        steps = self.join.rebuilding(
            {number: pair.decided for number, pair in pairs.items()},
            traces=self.tables.rows(RecordKind.TRACE, numbers, since),
            feedback=self.tables.rows(RecordKind.FEEDBACK, numbers, since),
        )
        self._rebuild = _Rebuild(pairs, chain(steps, self._telling(numbers, since)), now)

    def _telling(self, numbers: Sequence[int], since: int) -> Iterator[int]:
        for told in self.tables.told(numbers, since):
            self.join.told(told)
            yield 0

    def _go_on(self, rebuild: _Rebuild, until: float) -> None:
        for size in rebuild.steps:
            if size > self.limit:
                self._cancel()
                self.join.shorten()
                self.observer.shortened(self.join.window)
                return
            if monotonic() >= until:
                return
        if self.producing:
            self._overdue += self.tables.overdue(rebuild.pairs)
        self._rebuild, self._failing_since = None, None
        self.pairs |= rebuild.pairs
        self._news_since = self._moved_at = monotonic()
        self.observer.rebuilt(list(rebuild.pairs), self.join, monotonic() - rebuild.began)
        for kind, rows, ends in rebuild.held:
            self._add(kind, rows, ends)

    def _cancel(self) -> None:
        if self._rebuild is not None:
            self.join.drop(self._rebuild.pairs)
            self._rebuild = None

    # -- taking in ------------------------------------------------------------------------------

    def stored(self, flush: Flush) -> None:
        """Take in what is in the lake now."""
        if not self.pairs and self._rebuild is None:
            return
        kind = next(kind for kind, topic in self.tables.topics.items() if topic == flush.topic)
        ends = {item.partition: item.end for item in flush.primary.ranges}
        rows = _narrow(flush.rows, JOIN_COLUMNS[kind])
        if self._rebuild is not None:
            self._rebuild.held.append((kind, rows, ends))
        self._add(kind, rows, ends)

    def _add(self, kind: RecordKind, rows: pa.RecordBatch | None, ends: Mapping[int, int]) -> None:
        new = [n for n in ends if n in self.pairs and self.pairs[n].known[kind] < ends[n]]
        if not new:
            return
        for number in new:
            self.pairs[number].known[kind] = ends[number]
        self._news_since = self._news_since or monotonic()
        if rows is None:
            return
        if len(new) < len(ends):
            wanted = pa.array(new, pa.int32())
            rows = rows.filter(pc.is_in(rows.column("_partition"), value_set=wanted))
        self.join.add(kind, rows)
        self._look(kind, rows)

    # -- writing --------------------------------------------------------------------------------

    def seal(
        self, incarnations: Mapping[str, Incarnation], *, everything: bool, busy: bool
    ) -> LabelFlush | None:
        """Return what is to be written now; None if nothing is, or not yet.

        ``busy`` says that flushes of records are under way, ``everything`` that all is to be
        written before partitions are given up. Raises FatalError if the clock is wrong.
        """
        now = monotonic()
        if self._flying or not self._due(now, everything=everything, busy=busy):
            return None
        self._cancel()
        taken = self.join.take(now=self.now_us())
        self._news_since = None
        self._bound()
        self.observer.counted(taken.counts, self.join)
        idle = not taken.decided and not self._overdue
        if idle and not everything and now - self._moved_at < IDLE_COMMIT_SECONDS:
            return None
        part = self._part(taken)
        if not part.moves and not self._overdue:
            return None
        self._flying, self._moved_at = True, now
        overdue, self._overdue = self._overdue, []
        return LabelFlush(
            token=self.new_token(),
            incarnations={topic: incarnations[topic] for topic in self.tables.topics.values()},
            rows=build_label_rows(
                taken, self.tables.topics, ingested_at=self.now_us(), policy=self.policy
            ),
            part=part,
            decided=taken.decided,
            overdue=overdue,
        )

    def _due(self, now: float, *, everything: bool, busy: bool) -> bool:
        if everything:
            return not busy and (
                self._news_since is not None or any(p.behind for p in self.pairs.values())
            )
        if self._rebuild is not None or self._news_since is None:
            return False
        return not busy or now - self._news_since >= FLUSH_WAIT_SECONDS

    def _part(self, taken: DecidedBatch) -> FlushPart:
        """Move the positions of labels to where the join knows the lake.

        Both positions of a pair are in a commit, the one that stays as a guard: what one owner has
        decided of the one topic must not meet what another knew of the other.
        """
        counts = Counter((item.partition, item.cause.kind) for item in taken.decided)
        seen = self.join.watermarks
        moves: list[Move] = []
        guards: list[Condition] = [ERASURE_FENCE.guard(self.erasures())]
        ranges: list[SourceRange] = []
        for number, pair in self.pairs.items():
            if not pair.behind:
                continue
            guards.append(RELABEL_FENCE.guard(pair.relabelled))
            for kind, topic in self.tables.topics.items():
                source, start, end = (
                    SourcePartition(topic, number),
                    pair.labelled[kind],
                    pair.known[kind],
                )
                if start == end:
                    guards.append(Guard(position_app(source), start))
                    continue
                moves.append(Move(position_app(source), start, end))
                moves += self._produced(pair, kind, source)
                count = counts[number, kind]
                ranges.append(
                    SourceRange(topic, number, start or 0, end, consumed=count, stored=count)
                )
                pair.labelled[kind] = end
                if kind is RecordKind.TRACE and (pair.seen or 0) < seen[number]:
                    moves.append(Move(event_time_app(source), pair.seen, seen[number]))
                    pair.seen = seen[number]
        return FlushPart(moves=moves, guards=guards, ranges=ranges)

    def _produced(
        self, pair: PartitionPair, kind: RecordKind, source: SourcePartition
    ) -> list[Move]:
        """Say that what was written before is produced: it was, or this would not be written."""
        before, start = pair.produced[kind], pair.labelled[kind] or 0
        if not self.producing or before == start:
            return []
        pair.produced[kind] = start
        return [Move(produced_app(source), before, start)]

    def settled(self, outcome: LabelsFlushed | FencedError) -> None:
        """Take note of what became of a flush of labels."""
        self._flying = False
        if isinstance(outcome, FencedError):
            self.observer.fenced(outcome)
            self.abandon()
            return
        events = (item.event for item in outcome.flush.decided)
        self.join.told(WrittenEvent(e.trace_id, e.label_event_id, e.revision) for e in events)
        self.observer.committed(outcome)

    # -- is it right, and is it small enough ----------------------------------------------------

    def _alike(self) -> bool:
        counts = self.counts()
        one, other = (counts[kind] for kind in RecordKind)
        if one != other:
            topics = self.tables.topics
            told = [part for kind in RecordKind for part in (topics[kind], counts[kind])]
            self._leave(PARTITION_COUNTS, _COUNTS.format(*told))
            return False
        if self._check is None or self._check.partitions != one:
            self._check = CopartitionCheck(one)
        return True

    def _look(self, kind: RecordKind, rows: pa.RecordBatch) -> None:
        """Hold some trace ids against the partitions that they came from."""
        if self._check is None or rows.num_rows == 0:
            return
        some = rows.select(["trace_id", "_partition"])
        some = some.take(pa.array(range(0, len(some), max(1, len(some) // SAMPLED_TRACES))))
        ids, numbers = (some.column(i).to_pylist() for i in range(2))
        self._check.add(kind, ids, numbers)
        if len(self.pairs) > 1:
            for number in set(numbers):
                mine = [one for one, at in zip(ids, numbers, strict=True) if at == number]
                self._check.add_misplaced(self.join.elsewhere(mine, number))
        if self._check.broken:
            self._leave(KEYS, _KEYS.format(*self.tables.topics.values()))

    def _leave(self, why: str, detail: str) -> None:
        self.abandon()
        self._left = True
        self.observer.left(why, detail)

    def _bound(self) -> None:
        while self.join.size().bytes > self.limit and self.join.window > 1:
            self.join.shorten()
            self.observer.shortened(self.join.window)


def _narrow(batches: Sequence[RedactedBatch], columns: Sequence[str]) -> pa.RecordBatch | None:
    """Return the columns of the join, of all batches as one; None without rows."""
    if not batches:
        return None
    narrow = [sealed.value.select(columns) for sealed in batches]
    found = pa.Table.from_batches(narrow).combine_chunks().to_batches()
    return found[0] if found else None
