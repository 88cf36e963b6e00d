"""Writes a flush of labels to the lake, and produces it to a topic if one is set.

| dies after | what the next owner finds | what it does |
|---|---|---|
| the file is written | a file in no table | decides again from the position on |
| the commit | the position moved, `#produced` not | produces these events again |
| producing | the same | the same: the events have the same ids |

A commit implies that all events before its own are produced. So events that a dead worker may not
have produced come first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from lake.retry import Retry
from lake.table_writer import PreparedFiles, TableWriter
from schemas.errors import RetryableError
from schemas.records import LabelEvent
from stream.failpoints import FlushStep
from stream.label_driver.label_flush import LabelFlush, LabelsFlushed
from stream.tracing import NO_TRACER, Tracer, table_span


class EventSender(Protocol):
    """Produces label events; see `stream.label_driver.label_producer.LabelProducer`."""

    def send(self, events: Sequence[LabelEvent]) -> None:
        """Produce the events, and wait for the brokers."""


@dataclass(frozen=True, slots=True)
class LabelFlushSteps:
    """Runs the steps of a flush of labels, and calls ``reached`` after each."""

    writer: TableWriter
    topic: EventSender | None
    retry: Retry
    reached: Callable[[FlushStep], None]
    on_checkpoint_error: Callable[[str, RetryableError], None]
    tracer: Tracer = NO_TRACER

    def run(self, flush: LabelFlush) -> LabelsFlushed:
        """Write, commit, produce. Raises FencedError, FatalError, or RetryableError if stopped."""
        began = monotonic()
        produced = self._produce(flush.overdue)
        self.writer.check_ceilings(flush.part.guards)
        prepared = self._prepare(flush)
        self.reached(FlushStep.LABELS_WRITTEN)
        if flush.part.moves:
            with table_span(self.tracer, "commit", self.writer.table, flush.part.ranges):
                self.writer.commit(
                    prepared, flush.part, token=flush.token, incarnations=flush.incarnations
                )
            self.reached(FlushStep.LABELS_COMMITTED)
        produced += self._produce([item.event for item in flush.decided])
        self._checkpoint()
        return LabelsFlushed(flush, monotonic() - began, produced)

    def _prepare(self, flush: LabelFlush) -> PreparedFiles:
        if not flush.rows:
            return self.writer.prepare(flush.rows, flush.part.ranges)
        with table_span(self.tracer, "write", self.writer.table, flush.part.ranges):
            return self.writer.prepare(flush.rows, flush.part.ranges)

    def _produce(self, events: Sequence[LabelEvent]) -> int:
        topic = self.topic
        if topic is None or not events:
            return 0
        self.retry.call("producing label events", lambda: topic.send(events))
        self.reached(FlushStep.LABELS_PRODUCED)
        return len(events)

    def _checkpoint(self) -> None:
        try:
            self.writer.checkpoint_if_due()
        except RetryableError as error:
            self.on_checkpoint_error(self.writer.table.name, error)
