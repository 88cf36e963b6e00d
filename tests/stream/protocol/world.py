"""A topic, a lake and some workers, of which any may stop or die at any time.

Only Kafka, the schemas and the policy are made up; intake, buffers, flushes, take-over and commits
are the worker's own.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc

from lake.fences import ERASURE_FENCE
from lake.ledger import Incarnation, SourcePartition
from lake.table_writer import TableWriter
from lake.tables import Table
from lake.tombstones import Tombstone, newest_tombstone, put_tombstone
from lake.verify import verify_lake
from redact.crypto.subjects import feedback_mark
from redact.pipeline.audit import AuditEntry
from schemas.errors import FencedError
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind, RejectedRecord
from schemas.records import Feedback
from stream.applied_tombstones import AppliedTombstones
from stream.buffer import Flush, TopicBuffer
from stream.flusher import RecordFlushRunner
from stream.initial_positions import InitialPositions
from stream.intake import Intake
from stream.owned_partition import Assignment
from stream.take_over import TakeOver
from tests.lake.kit import At, commit_context, patience, rows
from tests.redact.kit import KEYS
from tests.stream.protocol.actors import Actor, PausingHandle, Stage

TOPIC = "t"
PARTITIONS = 2
PRIMARY, QUARANTINE, AUDIT = "feedback", "quarantine", "redactions"


@dataclass
class Log:
    """What Kafka holds of one partition: the offsets of records, and where it ends."""

    offsets: list[int] = field(default_factory=list)
    end: int = 0
    low: int = 0

    def append(self, records: int, hole: int = 0) -> None:
        """Add records, then ``hole`` offsets without one."""
        self.offsets += range(self.end, self.end + records)
        self.end += records + hole

    def compact(self, offset: int) -> None:
        """Delete one record, as compaction does."""
        self.offsets = [o for o in self.offsets if o != offset]

    def expire(self, low: int) -> None:
        """Delete what is older than an offset, as retention does."""
        self.low = max(self.low, min(low, self.end))
        self.offsets = [o for o in self.offsets if o >= self.low]


@dataclass
class Verdict:
    """Stands for schemas, policy and time-outs: which records fail, as of today.

    As decoder, redactor and sealer of one worker; ``bad`` may change at any time.
    """

    bad: Callable[[int, int], bool]
    memory_bytes: int = 0

    def decode(
        self, topic: str, messages: Sequence[RawRecord]
    ) -> tuple[DecodedBatch[Any], list[RejectedRecord]]:
        """Tell records that pass from others."""
        passed = [raw for raw in messages if not self.bad(raw.partition, raw.offset)]
        failed = [raw for raw in messages if self.bad(raw.partition, raw.offset)]
        decoded: DecodedBatch[Any] = DecodedBatch(
            kind=RecordKind.FEEDBACK,
            topic=topic,
            records=[said(raw) for raw in passed],
            partitions=[raw.partition for raw in passed],
            offsets=[raw.offset for raw in passed],
            schema_ids=[""] * len(passed),
            raws=passed,
        )
        return decoded, [RejectedRecord(topic, "not_json", "d", raw) for raw in failed]

    def redact(self, decoded: DecodedBatch[Any], *, ingested_at: int) -> "Passed":
        """Make rows."""
        found = [At(raw.partition, raw.offset) for raw in decoded.raws]
        told = [AuditEntry(decoded.topic, at.partition, at.offset, None, 0, ()) for at in found]
        return Passed(rows(found, topic=decoded.topic, ingested_at=when(ingested_at)), audit=told)

    def statistics(self) -> dict[str, int]:
        """Return nothing."""
        return {}

    def seal(self, rejected: Sequence[RejectedRecord], *, ingested_at: int) -> Any:
        """Make rows of quarantine."""
        found = [At(item.raw.partition, item.raw.offset) for item in rejected]
        topic = rejected[0].topic
        return rows(found, table=QUARANTINE, topic=topic, ingested_at=when(ingested_at))


def said(raw: RawRecord) -> Feedback:
    """Return feedback that is named by its offset."""
    return Feedback(
        feedback_id=f"f-{raw.partition}-{raw.offset}",
        trace_id=f"t-{raw.offset}",
        kind="comment",
        actor="end_user",
        occurred_at=0,
    )


@dataclass
class Passed:
    """What redaction gives."""

    rows: Any
    rejected: Sequence[RejectedRecord] = ()
    audit: Sequence[Any] = ()


def when(micros: int) -> datetime:
    """Return a time given in microseconds since 1970."""
    return datetime.fromtimestamp(micros / 1e6, UTC)


@dataclass
class Worker:
    """One process: a loop that takes partitions over and reads, and a thread that flushes.

    ``taking`` and ``flushing`` are what each of the two is busy with. Flushes that were given up
    are carried out nevertheless, and the next one waits for them.
    """

    world: "World"
    verdict: Verdict
    steps: RecordFlushRunner
    take_over: TakeOver
    erasures: AppliedTombstones
    assignment: Assignment = field(default_factory=Assignment)
    buffer: TopicBuffer = field(default_factory=lambda: TopicBuffer(TOPIC))
    incarnation: Incarnation | None = None
    taking: Actor | None = None
    flushing: Actor | None = None
    inbox: list[Flush] = field(default_factory=list)
    in_flight: Flush | None = None

    def take(self, partitions: Sequence[int]) -> None:
        """Begin to take partitions over, dropping everything that is not in the lake."""
        if self.taking is None:
            sources = [SourcePartition(TOPIC, partition) for partition in partitions]
            self._drop()
            self.taking = self.world.stage.start(lambda: self.take_over.take(sources))

    def read(self, records: int) -> None:
        """Take in the next records of every partition that this worker owns."""
        batch: list[RawRecord] = []
        for source, item in self.assignment.owned.items():
            log = self.world.logs[source.partition]
            left = [o for o in log.offsets if o >= max(item.range.next, log.low)]
            batch += [RawRecord(source.partition, o, 0, None, b"") for o in left[:records]]
        intake = self.world.intake(self.verdict, self.erasures)
        intake.take(batch, self.assignment, self.buffer, 0.0)
        for source, item in self.assignment.owned.items():
            log = self.world.logs[source.partition]
            if all(o < item.range.next for o in log.offsets):
                item.range.skip_to(log.end, "absent")

    def flush(self) -> None:
        """Hand everything that has been read to the thread that flushes."""
        if self.in_flight is None and self.assignment.owned and self.incarnation:
            owned = list(self.assignment.owned.values())
            token, known = self.world.new_token(), self.erasures.newest
            self.in_flight = self.buffer.seal(owned, self.incarnation, token, erasures=known)
            if self.in_flight is not None:
                self.inbox.append(self.in_flight)
                self.settle()

    def settle(self) -> None:
        """Take note of what has ended, and begin what comes next."""
        if self.taking is not None and self.taking.done:
            taking, self.taking = self.taking, None
            if taking.error is not None:
                raise taking.error
            taken, incarnations = taking.result
            self.assignment.add(taken)
            self.incarnation = incarnations[TOPIC]
        if self.flushing is not None and self.flushing.done:
            flushing, self.flushing = self.flushing, None
            if not isinstance(flushing.error, FencedError | None):
                raise flushing.error
            if self.inbox.pop(0) is self.in_flight:
                self.in_flight = None
                if flushing.error is not None:
                    self.erasures.reload()
                    self._drop()
        if self.flushing is None and self.inbox:
            flush = self.inbox[0]
            self.flushing = self.world.stage.start(lambda: self.steps.run(flush))

    def crash(self) -> None:
        """Die. Nothing of this worker goes on."""
        self._drop()
        self.inbox.clear()
        for actor in (self.taking, self.flushing):
            if actor is not None and not actor.done:
                actor.crash()
        self.taking = self.flushing = None

    def acts(self) -> list[Actor]:
        """Return what may go on by a step."""
        found = (self.taking, self.flushing)
        return [actor for actor in found if actor is not None and not actor.done]

    def _drop(self) -> None:
        self.assignment, self.buffer = Assignment(), TopicBuffer(TOPIC)
        self.in_flight = None


class Shelf:
    """The folder of tombstones, in memory."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def put_new(self, path: str, data: bytes) -> bool:
        """Write a file if there is none."""
        return self._files.setdefault(path, data) == data

    def find(self, path: str) -> bytes | None:
        """Return the content of a file."""
        return self._files.get(path)

    def walk(self, _prefix: str) -> list[tuple[str, int]]:
        """List the files."""
        return [(path, len(data)) for path, data in self._files.items()]


class World:
    """Everything there is. ``open_lake`` gives a lake with handles of its own.

    ``erased`` are the coordinates of records that tombstones name, ``unfenced`` the tables that are
    to be fenced for the newest one, ``fenced`` says of each record and table that was fenced for it
    whether it was there then.
    """

    def __init__(self, open_lake: Callable[[], Any]) -> None:
        self.logs = [Log() for _ in range(PARTITIONS)]
        self.stage = Stage()
        self.fates: list[str] = []
        self.shelf: Any = Shelf()
        self.erased: set[At] = set()
        self.unfenced: list[str] = []
        self.fenced: dict[str, dict[At, bool]] = {name: {} for name in (PRIMARY, AUDIT)}
        self._open_lake = open_lake
        self._lake = open_lake()
        self._token = 0

    def new_token(self) -> int:
        """Return a number that nobody has had."""
        self._token += 1
        return self._token

    def worker(self, bad: Callable[[int, int], bool]) -> Worker:
        """Start a worker."""
        lake = self._open_lake()
        tables = {name: self._pausing(lake.table(name)) for name in (PRIMARY, QUARANTINE, AUDIT)}
        committing = self._open_lake()
        writers = {
            name: TableWriter(self._pausing(committing.table(name)), commit_context(patience(1e9)))
            for name in (PRIMARY, QUARANTINE, AUDIT)
        }
        steps = RecordFlushRunner(
            primary=writers[PRIMARY],
            quarantine=writers[QUARANTINE],
            audit=writers[AUDIT],
            incarnation=self._incarnation,
            reached=self.stage.pause,
            on_checkpoint_error=lambda _table, _error: None,
        )
        take_over = TakeOver(
            primary={TOPIC: tables[PRIMARY]},
            quarantine=tables[QUARANTINE],
            audit=tables[AUDIT],
            labels=None,
            incarnation=self._incarnation,
            watermarks=lambda source: (
                self.logs[source.partition].low,
                self.logs[source.partition].end,
            ),
            start="earliest",
            on_lost_offsets="skip",
            on_lost=lambda _source, _start, _end: None,
            initial=InitialPositions(
                primary={TOPIC: tables[PRIMARY]},
                quarantine=tables[QUARANTINE],
                context=commit_context(patience(1e9), new_token=self.new_token),
            ),
        )
        return Worker(self, Verdict(bad), steps, take_over, self.tombstones())

    def tombstones(self) -> AppliedTombstones:
        """Return those of now."""
        found = AppliedTombstones(self.shelf, [KEYS])
        found.reload()
        return found

    def erase(self, at: At, tables: Sequence[str]) -> None:
        """Put a tombstone for a record, which may not be there yet; fence tables after it."""
        marks = {KEYS.name: [feedback_mark(KEYS, f"f-{at.partition}-{at.offset}")]}
        put_tombstone(self.shelf, lambda number: Tombstone(number, 0, feedback=marks))
        self.erased.add(at)
        self.unfenced = list(tables)

    def fence_next(self) -> None:
        """Fence the next table, and take note of what is in it."""
        if not self.unfenced:
            return
        table = self._lake.table(self.unfenced.pop(0))
        ERASURE_FENCE.raise_to(table, newest_tombstone(self.shelf), commit_context(patience(1e9)))
        table.refresh()
        there = _coordinates(table)
        for at in self.erased if table.name in self.fenced else ():
            self.fenced[table.name].setdefault(at, there[at] > 0)

    def versions(self) -> list[int]:
        """Return the versions that the tables stand at."""
        tables = [self._lake.table(name) for name in (PRIMARY, QUARANTINE, AUDIT)]
        for table in tables:
            table.refresh()
        return [table.handle.version() for table in tables]

    def position(self, partition: int) -> int:
        """Return the position of the primary table."""
        table, source = self._lake.table(PRIMARY), SourcePartition(TOPIC, partition)
        table.refresh()
        return table.positions([source])[source] or 0

    def intake(self, verdict: Verdict, erasures: AppliedTombstones) -> Intake:
        """Return the intake of a worker."""
        kept_out = erasures.kept_out
        return Intake(
            verdict, verdict, verdict, lambda: 0, lambda _rejected: None, lambda: kept_out
        )

    def problems(self, *, everything: bool = False) -> list[str]:
        """Return what is wrong with the lake; with ``everything``, also what is not in it yet."""
        primary, aside = self._lake.table(PRIMARY), self._lake.table(QUARANTINE)
        primary.refresh()
        aside.refresh()
        found = list(verify_lake(self._lake, deep=True).problems)
        audit = self._lake.table(AUDIT)
        audit.refresh()
        stored, held, told = _coordinates(primary), _coordinates(aside), _coordinates(audit)
        found += [f"{at}: told {times} times" for at, times in told.items() if times > 1]
        found += [f"{at}: stored and not told" for at in stored.keys() - told.keys()]
        for name, rows_of in ((PRIMARY, stored), (AUDIT, told)):
            late = [at for at, was in self.fenced[name].items() if rows_of[at] and not was]
            found += [f"{at}: came into {name} behind the fence" for at in late]
        for partition, log in enumerate(self.logs):
            source = SourcePartition(TOPIC, partition)
            position = primary.positions([source])[source] or 0
            if everything and position < log.end:
                found.append(f"{source}: the position is {position} of {log.end}")
            for offset in log.offsets:
                here = At(partition, offset)
                times = (stored[here], held[here])
                right = {(1, 0), (0, 1)} if offset < position else {(0, 0), (0, 1)}
                if here in self.erased:
                    right.add((0, 0))
                if times not in right:
                    found.append(f"{source} {offset}: stored {times[0]}, aside {times[1]} times")
        return found

    def end(self) -> None:
        """Let every actor die."""
        for actor in list(self.stage.actors):
            actor.crash()

    def _pausing(self, table: Table) -> Table:
        table.handle = PausingHandle(table.handle, self.stage, table.name, self._fate)  # type: ignore[assignment]
        return table

    def _fate(self) -> str:
        return self.fates.pop() if self.fates else "well"

    def _incarnation(self, _topic: str) -> Incarnation:
        self.stage.pause("asking for the topic")
        return Incarnation("cluster", "topic")


def _coordinates(table: Table) -> Counter[At]:
    found = table.read(["_partition", "_offset"], pc.field("_topic") == TOPIC)
    pairs = zip(found["_partition"].to_pylist(), found["_offset"].to_pylist(), strict=True)
    return Counter(At(*pair) for pair in pairs)
