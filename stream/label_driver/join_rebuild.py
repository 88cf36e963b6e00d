"""Rebuilds the join's state from the lake in small steps, between the worker's other work."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from time import monotonic
from typing import Final

import pyarrow as pa

from labels.join import LabelJoin
from schemas.errors import FatalError, RetryableError
from schemas.record_batches import RecordKind
from schemas.records import LabelEvent
from stream.label_driver.join_tables import JoinTables
from stream.label_driver.label_positions import PartitionPair
from stream.label_driver.observer import LabelObserver

REBUILD_STEP_SECONDS: Final = 0.25
"""The duration of one step, so that the worker keeps answering to its consumer group."""
REBUILD_RETRY_SECONDS: Final = 1.0

JoinRows = tuple[RecordKind, pa.RecordBatch | None, Mapping[int, int]]
"""Rows flushed to the lake, and the offset by partition up to which they are flushed."""


@dataclass(frozen=True, slots=True)
class FinishedRebuild:
    """The partitions that are joined now. ``overdue`` are events that may not be produced yet.

    ``later`` are the rows that were flushed during the rebuild.
    """

    pairs: Mapping[int, PartitionPair]
    overdue: Sequence[LabelEvent]
    later: Sequence[JoinRows]


@dataclass(slots=True)
class _Running:
    """A rebuild in progress."""

    pairs: dict[int, PartitionPair]
    steps: Iterator[int]
    started: float
    later: list[JoinRows] = field(default_factory=list)


@dataclass(slots=True)
class JoinRebuild:
    """Runs one rebuild at a time.

    ``limit`` bounds the state in bytes, ``producing`` means that a topic is set for label events,
    ``retry_seconds`` is how long an unavailable lake is retried.
    """

    join: LabelJoin
    tables: JoinTables
    observer: LabelObserver
    limit: int
    producing: bool
    retry_seconds: float
    _running: _Running | None = None
    _retry_at: float = 0.0
    _failing_since: float | None = None

    @property
    def running(self) -> bool:
        """Return whether a rebuild is in progress."""
        return self._running is not None

    def run_step(self, find_partitions: Callable[[], Sequence[int]]) -> FinishedRebuild | None:
        """Run one step of the rebuild; return its result once it is finished.

        If none is in progress, one starts for the partitions that ``find_partitions`` returns.
        Raises FatalError if the lake stays unavailable.
        """
        now = monotonic()
        if now < self._retry_at:
            return None
        try:
            if self._running is None and (partitions := find_partitions()):
                self._running = self._start(partitions, now)
            if self._running is not None:
                return self._continue(self._running, now + REBUILD_STEP_SECONDS)
        except RetryableError as error:
            self.cancel()
            self._failing_since = self._failing_since or now
            if now - self._failing_since > self.retry_seconds:
                raise FatalError(
                    f"still failing after {self.retry_seconds:g} s: {error}"
                ) from error
            self._retry_at = now + REBUILD_RETRY_SECONDS
            self.observer.retried(error, REBUILD_RETRY_SECONDS)
        return None

    def add_later(self, rows: JoinRows) -> None:
        """Store rows that are flushed during the rebuild, to be joined after it."""
        if self._running is not None:
            self._running.later.append(rows)

    def cancel(self, partitions: frozenset[int] | None = None) -> None:
        """Cancel the rebuild, or only one that includes any of these partitions."""
        running = self._running
        if running is not None and (partitions is None or partitions & running.pairs.keys()):
            self.join.drop(running.pairs)
            self._running = None

    def _start(self, partitions: Sequence[int], now: float) -> _Running:
        pairs = self.tables.pairs(partitions)
        since = self.tables.since(pairs, self.join.window)
        steps = self.join.rebuild_steps(
            {partition: pair.decided for partition, pair in pairs.items()},
            traces=self.tables.rows(RecordKind.TRACE, partitions, since),
            feedback=self.tables.rows(RecordKind.FEEDBACK, partitions, since),
        )
        return _Running(pairs, chain(steps, self._mark_written(partitions, since)), now)

    def _mark_written(self, partitions: Sequence[int], since: int) -> Iterator[int]:
        for events in self.tables.written_events(partitions, since):
            self.join.mark_written(events)
            yield 0

    def _continue(self, running: _Running, until: float) -> FinishedRebuild | None:
        for size in running.steps:
            if size > self.limit:
                self.cancel()
                self.join.halve_window()
                self.observer.window_shortened(self.join.window)
                return None
            if monotonic() >= until:
                return None
        overdue = self.tables.overdue(running.pairs) if self.producing else []
        self._running, self._failing_since = None, None
        self.observer.rebuilt(list(running.pairs), self.join, monotonic() - running.started)
        return FinishedRebuild(running.pairs, overdue, running.later)
