"""Workers that decide labels over tables in memory, and may be stopped or killed anywhere.

Kafka is a list of records for each partition, and of a flush of records only the commit is left;
the driving of the join, the rows and steps of labels, the commits and the tables' logs are real.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from prometheus_client import CollectorRegistry

from labels.join import LabelJoin
from lake.cut import read_table_cut
from lake.ledger import Incarnation, SourcePartition, SourceRange
from lake.table_commit import Move
from lake.table_log import position_app
from lake.table_writer import FlushPart, TableWriter
from lake.verify_labels import find_label_problems, find_label_row_problems
from schemas.errors import FencedError
from schemas.record_batches import SENT_KINDS, RecordKind
from schemas.records import Feedback, LabelEvent, Trace
from schemas.redacted import Redacted
from stream.buffer import Flush
from stream.failpoints import FlushStep, ignore_step
from stream.label_driver.driver import LabelDriver
from stream.label_driver.flush_steps import LabelFlushSteps
from stream.label_driver.join_rebuild import JoinRebuild
from stream.label_driver.join_tables import JoinTables
from stream.label_driver.join_topic_check import JoinTopicCheck
from stream.label_driver.label_flush import EVENT_COLUMNS, LabelFlush, parse_label_events
from stream.label_driver.label_positions import LabelPositions
from stream.label_driver.observer import LabelObserver
from stream.metrics import Metrics
from stream.owned_partition import Assignment, OwnedPartition
from stream.ranges import OpenRange
from tests.labels.kit import NOW, kind_of, partition_of, rows
from tests.lake.kit import commit_context, patience
from tests.stream.kit import Recorder
from tests.stream.protocol.simulated import SimulatedLake

TOPICS = {kind: f"llm.{kind}" for kind in SENT_KINDS}
TABLES = {RecordKind.TRACE: "traces", RecordKind.FEEDBACK: "feedback"}
PARTITIONS = 2
HERE = {topic: Incarnation("cluster", topic) for topic in TOPICS.values()}


class DeadError(Exception):
    """The process is gone."""


@dataclass
class Sent:
    """Stands for a topic of label events."""

    events: list[LabelEvent] = field(default_factory=list)

    def send(self, events: Sequence[LabelEvent]) -> None:
        """Take events."""
        self.events += events


class World:
    """The topics, the lake, and what was produced of labels."""

    def __init__(self, records: Sequence[Trace | Feedback], scales: Any, random: Random) -> None:
        self.scales, self.random = scales, random
        self.store: dict[str, Any] = {}
        self.sent = Sent()
        self.logs: dict[SourcePartition, list[Trace | Feedback]] = defaultdict(list)
        self.ghosts: list[tuple[LabelFlushSteps, LabelFlush]] = []
        self._numbers = iter(range(1, 10**9))
        for record in records:
            kind = kind_of(record)
            self.logs[SourcePartition(TOPICS[kind], partition_of(record, PARTITIONS))].append(
                record
            )

    def number(self) -> int:
        """Return a number that nobody has had."""
        return next(self._numbers)

    def events(self) -> list[LabelEvent]:
        """Return all rows of the table of labels."""
        return parse_label_events(self._table("labels").read(EVENT_COLUMNS))

    def problems(self) -> list[str]:
        """Return what is wrong with the table of labels."""
        labels = read_table_cut(self._table("labels"))
        sources = [
            SourcePartition(topic, n) for topic in TOPICS.values() for n in range(PARTITIONS)
        ]
        ends: dict[SourcePartition, int] = {}
        for kind, name in TABLES.items():
            mine = [source for source in sources if source.topic == TOPICS[kind]]
            found = self._table(name).positions(mine)
            ends |= {source: position or 0 for source, position in found.items()}
        rows = labels.table.read(["label_event_id", "decided_at", "_topic", "_partition"])
        return [*find_label_problems(labels, ends), *find_label_row_problems(labels, rows)]

    def _table(self, name: str) -> Any:
        table = SimulatedLake(self.store).table(name)
        table.refresh()
        return table


class Worker:
    """One process. ``more`` goes to `LabelDriver` and its parts."""

    def __init__(self, world: World, **more: Any) -> None:
        self.world = world
        self.lake, writing = SimulatedLake(world.store), SimulatedLake(world.store)
        self.writers = {
            name: TableWriter(writing.table(name), commit_context())
            for name in (*TABLES.values(), "labels")
        }
        self.assignment = Assignment()
        self.log = Recorder()
        self.steps = LabelFlushSteps(
            self.writers["labels"], world.sent, patience(), ignore_step, _ignore
        )
        join, observer = LabelJoin(world.scales), self._observer()
        tables = JoinTables(
            TOPICS,
            {kind: self.lake.table(name) for kind, name in TABLES.items()},
            self.lake.table("labels"),
        )
        limit = more.pop("limit", 2**30)
        counts = more.pop("count_partitions", lambda: dict.fromkeys(RecordKind, PARTITIONS))
        retry_seconds = more.pop("retry_seconds", 10.0)
        settings: dict[str, Any] = {
            "join": join,
            "positions": LabelPositions(TOPICS, producing=True),
            "rebuild": JoinRebuild(
                join, tables, observer, limit, producing=True, retry_seconds=retry_seconds
            ),
            "check": JoinTopicCheck(TOPICS, counts, observer),
            "observer": observer,
            "limit": limit,
            "policy": "p",
            "erasures": lambda: 0,
            "now_us": lambda: NOW + world.number(),
            "new_token": world.number,
        }
        self.label_driver = LabelDriver(**{**settings, **more})

    def _observer(self) -> LabelObserver:
        return LabelObserver(Metrics(CollectorRegistry()), self.log, lambda: 0, _ignore, _ignore)

    def take(self, numbers: Sequence[int]) -> None:
        """Take partitions of both topics over, as the tables stand."""
        sources = [SourcePartition(topic, n) for topic in TOPICS.values() for n in numbers]
        for kind, name in TABLES.items():
            table = self.lake.table(name)
            table.refresh()
            mine = [source for source in sources if source.topic == TOPICS[kind]]
            for source, position in table.positions(mine).items():
                reading = OpenRange(source, position or 0, position or 0)
                self.assignment.add([OwnedPartition(reading, position, None, None)])
        self.label_driver.drop_partitions(sources)

    def turn(self) -> None:
        """Go on with the rebuild until it is done."""
        while self.label_driver.unjoined(self.assignment):
            self.label_driver.run_rebuild_step(self.assignment)

    def flush(self, kind: RecordKind, count: int) -> None:
        """Bring the next records of one topic into the lake."""
        found, moves, ranges = [], [], []
        for item in self.assignment.of(TOPICS[kind]):
            start = item.range.next
            batch = self.world.logs[item.source][start : start + count]
            if not batch:
                continue
            end = start + len(batch)
            found.append(Redacted(rows(batch, partition=item.source.partition, start=start), "p"))
            moves.append(Move(position_app(item.source), item.position, end))
            ranges.append(SourceRange(*item.source, start, end))
            item.position = item.range.next = end
        if not moves:
            return
        flush = Flush(
            TOPICS[kind], self.world.number(), HERE[TOPICS[kind]], found,
            FlushPart(moves, (), ranges), (), FlushPart(), FlushPart(), (), FlushPart(), 0,
        )  # fmt: skip
        writer = self.writers[TABLES[kind]]
        try:
            prepared = writer.prepare(found, ranges)
            writer.commit(prepared, flush.primary, token=flush.token, incarnations={})
        except FencedError:
            self.take([item.source.partition for item in self.assignment.of(TOPICS[kind])])
        else:
            self.label_driver.add_flushed(flush)

    def label(self, *, everything: bool = True, fate: str = "lands") -> bool:
        """Write labels, if there are any to write; return whether the worker lives on.

        ``fate``: it ``lands``; the worker ``dies before`` or ``dies after`` the commit; or it is
        ``late``: given up, and carried out by a ghost later, if at all.
        """
        flush = self.label_driver.seal(HERE, everything=everything, busy=False)
        if flush is None:
            return True
        if fate == "late":
            self.world.ghosts.append((self.steps, flush))
            self.label_driver.abandon()
            return True
        if fate == "dies before":
            return False
        if fate == "dies after":
            self.steps = replace(self.steps, reached=_die_once_committed)
            with suppress(DeadError):
                self._carry_out(flush)
            return False
        return self._carry_out(flush)

    def _carry_out(self, flush: LabelFlush) -> bool:
        """Take the steps of a flush of labels."""
        try:
            self.label_driver.finish_flush(self.steps.run(flush))
        except FencedError as error:
            self.label_driver.finish_flush(error)
        return True


def haunt(world: World) -> None:
    """Let a flush that was given up be carried out after all."""
    if world.ghosts:
        steps, flush = world.ghosts.pop(world.random.randrange(len(world.ghosts)))
        try:
            steps.run(flush)
        except FencedError:
            return


def finish(world: World) -> None:
    """Let one last worker read everything and decide everything."""
    last = Worker(world)
    last.take(range(PARTITIONS))
    last.turn()
    for kind in SENT_KINDS:
        last.flush(kind, 10**6)
    last.label()


def _die_once_committed(step: FlushStep) -> None:
    if step is FlushStep.LABELS_COMMITTED:
        raise DeadError


def _ignore(*_: object) -> None:
    """Take note of nothing."""
