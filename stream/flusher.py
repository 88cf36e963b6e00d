"""Commits flushes to the lake in order, on a separate thread, while reading continues.

The steps of a flush; the process may die after any of them:

1. if somebody was erased since the records were read, stop before anything of theirs is uploaded;
   then write the files for quarantine and for the primary table; nothing is visible yet;
2. ask for the topic's incarnation; if it is not the one of the positions, stop;
3. commit quarantine with its positions, even if no record goes there, so that a previous owner
   that decided otherwise about these records can no longer commit; then commit the audit, if any;
4. commit the primary table with its positions: *now* the range is done;
5. commit the group's offsets in Kafka, for lag tools.

Labels follow in flushes of their own, once their evidence is in the lake
(`stream.label_driver.flush_steps`).

| dies after | what the next owner finds | what it does |
|---|---|---|
| 1, 2 | files that no table references | re-reads the range; vacuum removes the files |
| 3 | quarantine ahead of the primary table | re-reads the range, keeps quarantine's rows |
| 4 | both tables done, the group's offsets too low | continues from the position |
"""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Protocol

from lake import audit_chains, cross_references
from lake.ledger import Incarnation
from lake.table_writer import FlushPart, PreparedFiles, TableWriter
from lake.tables import Table
from schemas.errors import FatalError, RetryableError
from stream.buffer import Flush, RedactedBatch
from stream.failpoints import FlushStep
from stream.label_driver.label_flush import LabelFlush, LabelsFlushed
from stream.tracing import NO_TRACER, Tracer, table_span


@dataclass(frozen=True, slots=True)
class CommittedFlush:
    """A flush that is in the lake. ``files`` and ``bytes`` are what it added, sizes as encoded."""

    flush: Flush
    seconds: float
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class FailedFlush:
    """A flush that is not known to be in the lake, and the error."""

    flush: Flush | LabelFlush
    error: BaseException


FlushOutcome = CommittedFlush | LabelsFlushed | FailedFlush


class FlushRunner(Protocol):
    """Runs the steps of a flush; see `RecordFlushRunner` and `stream.label_driver.flush_steps`."""

    def run(self, flush: Any) -> CommittedFlush | LabelsFlushed:
        """Run the steps. Raises FencedError, FatalError, or RetryableError if asked to stop."""


@dataclass(frozen=True, slots=True)
class RecordFlushRunner:
    """Runs one flush of records. ``incarnation`` asks Kafka; ``reached`` is called after each step.

    ``referenced_tables`` are the tables whose versions the primary table's commits record.
    """

    primary: TableWriter
    quarantine: TableWriter
    audit: TableWriter | None
    incarnation: Callable[[str], Incarnation]
    reached: Callable[[FlushStep], None]
    on_checkpoint_error: Callable[[str, RetryableError], None]
    referenced_tables: Sequence[Table] = field(default=())
    tracer: Tracer = NO_TRACER

    def run(self, flush: Flush) -> CommittedFlush:
        """Run all steps but the last, which belongs to the thread that owns the consumer.

        Raises FencedError, FatalError, or RetryableError if asked to stop.
        """
        began = monotonic()
        self.primary.check_ceilings(flush.primary.guards)
        quarantined = self._prepare(self.quarantine, flush.quarantine_rows, flush.quarantine)
        self.reached(FlushStep.QUARANTINE_WRITTEN)
        audit_files = None
        if self.audit:
            audit_files = self._prepare(self.audit, flush.audit_rows, flush.audit)
        rows = self._prepare(self.primary, flush.rows, flush.primary)
        self.reached(FlushStep.PRIMARY_WRITTEN)
        self._check_incarnation(flush)
        self._commit(flush, quarantined, audit_files, rows)
        seconds = monotonic() - began
        self._checkpoint()
        return CommittedFlush(
            flush,
            seconds=seconds,
            files=len(rows.files) + len(quarantined.files),
            bytes=rows.bytes + quarantined.bytes,
        )

    def _prepare(
        self, writer: TableWriter, rows: Sequence[RedactedBatch], part: FlushPart
    ) -> PreparedFiles:
        if not rows:
            return writer.prepare(rows, part.ranges)
        with table_span(self.tracer, "write", writer.table, part.ranges):
            return writer.prepare(rows, part.ranges)

    def _commit(
        self,
        flush: Flush,
        quarantined: PreparedFiles,
        audit_files: PreparedFiles | None,
        rows: PreparedFiles,
    ) -> None:
        if flush.claim.moves:
            incarnations = {flush.topic: flush.incarnation}
            self.primary.claim(flush.claim, token=flush.token, incarnations=incarnations)
            self.reached(FlushStep.CLAIMED)
        if flush.quarantine.moves:
            self._commit_part(self.quarantine, quarantined, flush.quarantine, flush)
            self.reached(FlushStep.QUARANTINE_COMMITTED)
        if self.audit and audit_files and flush.audit.moves:
            chained = audit_chains.audit_chain_metadata(
                audit_chains.audit_chains_of(flush.audit_rows)
            )
            audit = replace(flush.audit, metadata=chained)
            self._commit_part(self.audit, audit_files, audit, flush)
            self.reached(FlushStep.AUDIT_COMMITTED)
        versions = cross_references.cross_reference_metadata(
            self.referenced_tables, flush.audit.ranges
        )
        primary = replace(flush.primary, metadata=versions)
        self._commit_part(self.primary, rows, primary, flush)
        self.reached(FlushStep.PRIMARY_COMMITTED)

    def _commit_part(
        self, writer: TableWriter, files: PreparedFiles, part: FlushPart, flush: Flush
    ) -> None:
        incarnations = {flush.topic: flush.incarnation}
        with table_span(self.tracer, "commit", writer.table, part.ranges):
            writer.commit(files, part, token=flush.token, incarnations=incarnations)

    def _checkpoint(self) -> None:
        for writer in filter(None, (self.quarantine, self.audit, self.primary)):
            try:
                if writer.checkpoint_if_due() and writer is self.primary:
                    self._refresh_referenced()
            except RetryableError as error:
                self.on_checkpoint_error(writer.table.name, error)

    def _refresh_referenced(self) -> None:
        """Refresh the handles of tables that this worker seldom or never writes to."""
        for table in self.referenced_tables:
            table.refresh()

    def _check_incarnation(self, flush: Flush) -> None:
        now = self.incarnation(flush.topic)
        if now != flush.incarnation:
            raise FatalError(describe_changed_topic(flush.topic))


def describe_changed_topic(topic: str) -> str:
    """Return the message for a topic whose incarnation is not the recorded one."""
    return (
        f"topic {topic} is not the one that was read before: it was deleted and recreated, or the "
        "client is connected to another cluster. Their offsets do not match, so nothing was "
        f"written. To continue with the new topic: `goldpan stream adopt --topic {topic}`"
    )


class Flusher:
    """The flusher thread: takes flushes and returns their outcomes; it never drops one silently."""

    def __init__(self, runners: Callable[[str], FlushRunner], tracer: Tracer = NO_TRACER) -> None:
        """Create the thread. ``runners`` returns the runner for a topic, or for `LABELS_MARKER`."""
        self._runners = runners
        self._tracer = tracer
        self._inbox: queue.SimpleQueue[Flush | LabelFlush | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[FlushOutcome] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="flusher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, flush: Flush | LabelFlush) -> None:
        """Queue a flush; it runs after those submitted before it."""
        self._inbox.put(flush)

    def outcome(self, seconds: float = 0.0) -> FlushOutcome | None:
        """Return the next outcome, waiting up to ``seconds``; None if there is none yet."""
        try:
            return self._outbox.get(timeout=seconds) if seconds else self._outbox.get_nowait()
        except queue.Empty:
            return None

    def stop(self, seconds: float) -> None:
        """Stop after the queued flushes; wait up to ``seconds`` for that."""
        self._inbox.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        """Run the next flush; return whether there was one. Nothing here keeps its rows then."""
        flush = self._inbox.get()
        if flush is not None:
            self._outbox.put(self._outcome_of(flush))
        return flush is not None

    def _outcome_of(self, flush: Flush | LabelFlush) -> FlushOutcome:
        try:
            with self._tracer.span("flush", topic=flush.topic):
                return self._runners(flush.topic).run(flush)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            return FailedFlush(flush, error)
