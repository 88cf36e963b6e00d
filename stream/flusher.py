"""Carries flushes into the lake on a thread of its own, one after the other, while reading goes on.

The steps of a flush, each of which may be the last one that this process takes:

1. if somebody was erased since the records were read, stop before anything of theirs is uploaded;
   the files for quarantine are written, then those for the primary table; nobody can see them yet;
2. the topic is asked for its incarnation: if it is not the one the positions belong to, stop;
3. quarantine is committed with its positions, also if nothing goes there, so that whoever decided
   otherwise about these records can no longer say so; then the audit of redaction, if one is kept;
4. the primary table is committed with its positions: *now* the range is done;
5. the group's offsets are committed in Kafka, for lag tools to look at.

Labels follow in flushes of their own, once what they rest on is in the lake
(`stream.label_driver.flush_steps`).

| dies after | what the next owner finds | what it does |
|---|---|---|
| 1, 2 | files that no table knows | reads the range again; vacuum removes the files |
| 3 | quarantine ahead of the primary table | reads again, keeps what quarantine has |
| 4 | both tables done, the group's offsets behind | goes on from the position |
"""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Protocol

from lake import audit_chains, cross_references
from lake.ledger import Incarnation
from lake.table_writer import PreparedFiles, TableWriter
from lake.tables import Table
from schemas.errors import FatalError, RetryableError
from stream.buffer import Flush
from stream.failpoints import FlushStep
from stream.label_driver.label_flush import LabelFlush, LabelsFlushed


@dataclass(frozen=True, slots=True)
class CommittedFlush:
    """A flush that is in the lake. ``files`` and ``bytes`` are what it added, sizes as encoded."""

    flush: Flush
    seconds: float
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class FailedFlush:
    """A flush that is not in the lake as far as anybody knows, and why."""

    flush: Flush | LabelFlush
    error: BaseException


FlushOutcome = CommittedFlush | LabelsFlushed | FailedFlush


class FlushRunner(Protocol):
    """What takes the steps of a flush; see `RecordFlushRunner` and `stream.label_driver.flush_steps`."""

    def run(self, flush: Any) -> CommittedFlush | LabelsFlushed:
        """Take them. Raises FencedError, FatalError, or RetryableError if told to stop."""


@dataclass(frozen=True, slots=True)
class RecordFlushRunner:
    """Does one flush. ``incarnation`` asks Kafka; ``reached`` is told after each step.

    ``cross_references`` are the tables whose versions the commits of the primary table name.
    """

    primary: TableWriter
    quarantine: TableWriter
    audit: TableWriter | None
    incarnation: Callable[[str], Incarnation]
    reached: Callable[[FlushStep], None]
    on_checkpoint_error: Callable[[str, RetryableError], None]
    others: Sequence[Table] = field(default=())

    def run(self, flush: Flush) -> CommittedFlush:
        """Take all steps but the last, which belongs to the thread that owns the consumer.

        Raises FencedError, FatalError, or RetryableError if told to stop.
        """
        began = monotonic()
        self.primary.check_ceilings(flush.primary.guards)
        aside = self.quarantine.prepare(flush.set_aside, flush.quarantine.ranges)
        self.reached(FlushStep.QUARANTINE_WRITTEN)
        told = self.audit.prepare(flush.audit_rows, flush.audit.ranges) if self.audit else None
        rows = self.primary.prepare(flush.rows, flush.primary.ranges)
        self.reached(FlushStep.PRIMARY_WRITTEN)
        self._same_topic(flush)
        self._commit(flush, aside, told, rows)
        seconds = monotonic() - began
        self._checkpoint()
        return CommittedFlush(
            flush,
            seconds=seconds,
            files=len(rows.files) + len(aside.files),
            bytes=rows.bytes + aside.bytes,
        )

    def _commit(
        self, flush: Flush, aside: PreparedFiles, told: PreparedFiles | None, rows: PreparedFiles
    ) -> None:
        incarnations = {flush.topic: flush.incarnation}
        if flush.claim.moves:
            self.primary.claim(flush.claim, token=flush.token, incarnations=incarnations)
            self.reached(FlushStep.CLAIMED)
        if flush.quarantine.moves:
            self.quarantine.commit(
                aside, flush.quarantine, token=flush.token, incarnations=incarnations
            )
            self.reached(FlushStep.QUARANTINE_COMMITTED)
        if self.audit and told and flush.audit.moves:
            chained = audit_chains.audit_chain_metadata(
                audit_chains.audit_chains_of(flush.audit_rows)
            )
            audit = replace(flush.audit, metadata=chained)
            self.audit.commit(told, audit, token=flush.token, incarnations=incarnations)
            self.reached(FlushStep.AUDIT_COMMITTED)
        said = cross_references.cross_reference_metadata(self.others, flush.audit.ranges)
        primary = replace(flush.primary, metadata=said)
        self.primary.commit(rows, primary, token=flush.token, incarnations=incarnations)
        self.reached(FlushStep.PRIMARY_COMMITTED)

    def _checkpoint(self) -> None:
        for writer in filter(None, (self.quarantine, self.audit, self.primary)):
            try:
                if writer.checkpoint_if_due() and writer is self.primary:
                    self._look_at_others()
            except RetryableError as error:
                self.on_checkpoint_error(writer.table.name, error)

    def _look_at_others(self) -> None:
        """Bring the handles of tables up to date that this worker seldom or never writes to."""
        for table in self.others:
            table.refresh()

    def _same_topic(self, flush: Flush) -> None:
        now = self.incarnation(flush.topic)
        if now != flush.incarnation:
            raise FatalError(describe_changed_topic(flush.topic))


def describe_changed_topic(topic: str) -> str:
    """Return the message for a topic whose incarnation is not the one its positions belong to."""
    return (
        f"topic {topic} is not the one that was read before: it was deleted and made again, or the "
        "client now talks to another cluster. Offsets of the two do not match; nothing was "
        f"written. When the new one is right: `goldpan stream adopt --topic {topic}`"
    )


class Flusher:
    """The thread. Hand it a flush, later take its outcome; it never drops one silently."""

    def __init__(self, steps: Callable[[str], FlushRunner]) -> None:
        """``steps`` gives those for the topic of a flush; `LABELS` stands for labels."""
        self._steps = steps
        self._inbox: queue.SimpleQueue[Flush | LabelFlush | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[FlushOutcome] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="flusher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, flush: Flush | LabelFlush) -> None:
        """Hand over a flush; it is carried out after those before it."""
        self._inbox.put(flush)

    def outcome(self, seconds: float = 0.0) -> FlushOutcome | None:
        """Return the next outcome, waiting for it at most that long; None if there is none yet."""
        try:
            return self._outbox.get(timeout=seconds) if seconds else self._outbox.get_nowait()
        except queue.Empty:
            return None

    def stop(self, seconds: float) -> None:
        """Ask the thread to end after what it has been given, and wait for it that long."""
        self._inbox.put(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        while (flush := self._inbox.get()) is not None:
            self._outbox.put(self._outcome_of(flush))

    def _outcome_of(self, flush: Flush | LabelFlush) -> FlushOutcome:
        try:
            return self._steps(flush.topic).run(flush)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            return FailedFlush(flush, error)
