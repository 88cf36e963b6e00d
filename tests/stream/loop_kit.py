"""A worker's loop on a real lake, with a client of Kafka and a clock that do as they are told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition

from lake.ledger import SourcePartition
from lake.table_writer import TableWriter
from lake.tables import Lake
from lake.tombstones import open_tombstones
from schemas.errors import FatalError, FencedError, RetryableError
from stream.adaptive_batch import AdaptiveBatch
from stream.applied_tombstones import AppliedTombstones
from stream.assembly_driver.driver import NoAssembly
from stream.backoff import WaitLimits
from stream.buffer import Flush, TopicBuffer
from stream.catch_up import CatchUp
from stream.client_errors import ClientErrors
from stream.flush_scheduler import FlushScheduler, FlushThresholds
from stream.flusher import CommittedFlush, FailedFlush, FlushOutcome, RecordFlushRunner
from stream.intake import Intake
from stream.label_driver.no_labels import NoLabels
from stream.memory import MemoryBudget, MemoryGate
from stream.partition_consumer import PartitionConsumer
from stream.partition_ownership import PartitionOwnership
from stream.worker import Worker
from tests.lake.kit import HERE, TOPIC, commit_context, patience
from tests.redact.kit import KEYS
from tests.stream.kit import Recorder, take_over
from tests.stream.protocol.world import Verdict


@dataclass
class Message:
    """What the client hands out: a record, or an error."""

    partition_: int = 0
    offset_: int = 0
    problem: KafkaError | None = None
    epoch: int | None = None

    def topic(self) -> str:
        """Return the topic."""
        return TOPIC

    def partition(self) -> int:
        """Return the partition."""
        return self.partition_

    def offset(self) -> int:
        """Return the offset."""
        return self.offset_

    def leader_epoch(self) -> int | None:
        """Return the leader epoch."""
        return self.epoch

    def timestamp(self) -> tuple[int, int]:
        """Return a time."""
        return (1, 0)

    def key(self) -> None:
        """Return no key."""

    def value(self) -> bytes:
        """Return a value that nobody reads."""
        return b""

    def error(self) -> KafkaError | None:
        """Return the error, if this is none of a record."""
        return self.problem


def records(*offsets: int, partition: int = 0) -> list[Message]:
    """Return records of a partition."""
    return [Message(partition, offset) for offset in offsets]


@dataclass
class Client:
    """Stands for the consumer: ``at`` is from where it fetches, ``batches`` what it hands out."""

    batches: list[list[Message]] = field(default_factory=list)
    at: dict[SourcePartition, int] = field(default_factory=dict)
    epochs: dict[SourcePartition, int | None] = field(default_factory=dict)
    paused: bool = False
    committed: dict[SourcePartition, int] = field(default_factory=dict)

    def subscribe(self, _topics: Sequence[str], **_callbacks: object) -> None:
        """Join no group: tests assign partitions themselves."""

    def close(self) -> None:
        """Leave no group."""

    def consume(self, _number: int, _timeout: float) -> list[Message]:
        """Return the next batch."""
        return self.batches.pop(0) if self.batches else []

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Fetch from these offsets."""
        self.at = {SourcePartition(p.topic, p.partition): p.offset for p in partitions}
        self.epochs = {SourcePartition(p.topic, p.partition): p.leader_epoch for p in partitions}

    def unassign(self) -> None:
        """Fetch nothing."""
        self.at = {}

    def pause(self, _partitions: Sequence[TopicPartition]) -> None:
        """Fetch nothing for a while."""
        self.paused = True

    def resume(self, _partitions: Sequence[TopicPartition]) -> None:
        """Fetch again."""
        self.paused = False

    def commit(self, *, offsets: Sequence[TopicPartition], asynchronous: bool) -> None:
        """Take note of the group's offsets."""
        assert asynchronous
        self.committed |= {SourcePartition(p.topic, p.partition): p.offset for p in offsets}


@dataclass
class AtOnce:
    """A flusher without a thread: ``fails`` says what to raise instead of a flush."""

    steps: RecordFlushRunner
    fails: list[BaseException] = field(default_factory=list)
    hanging: bool = False
    outcomes: list[FlushOutcome] = field(default_factory=list)

    def start(self) -> None:
        """Start no thread."""

    def stop(self, _seconds: float) -> None:
        """Stop no thread."""

    def submit(self, flush: Flush) -> None:
        """Carry a flush out, unless it is to fail or to hang."""
        if self.hanging:
            return
        if self.fails:
            self.outcomes.append(FailedFlush(flush, self.fails.pop(0)))
            return
        try:
            done: FlushOutcome = self.steps.run(flush)
        except (FencedError, FatalError) as error:
            done = FailedFlush(flush, error)
        assert isinstance(done, CommittedFlush | FailedFlush)
        self.outcomes.append(done)

    def outcome(self, _seconds: float = 0.0) -> FlushOutcome | None:
        """Return the next outcome."""
        return self.outcomes.pop(0) if self.outcomes else None


class RecordedCalls(Recorder):
    """A double that records every call by the method's name."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        def record(*what: Any, **more: Any) -> None:
            self.info(name, what=what, **more)

        return record


class ObserverDouble(RecordedCalls):
    """Stands in for the observer; health and gauges record calls of their own."""

    health = RecordedCalls()
    gauges = RecordedCalls()


@dataclass
class Refusing:
    """Stands for the cluster: every error is what it is told to be."""

    verdict: Exception

    def translate(self, _error: KafkaError, _topic: str) -> Exception:
        """Return what an error comes to."""
        return self.verdict


@dataclass
class Loop:
    """A worker of one topic, and all that it depends on.

    ``now`` is its monotonic clock, which goes on by ``tick`` whenever it is read.
    """

    lake: Lake
    patch: pytest.MonkeyPatch
    now: float = 1000.0
    bad: Callable[[int, int], bool] = lambda _partition, _offset: False
    client: Client = field(default_factory=Client)
    observer: ObserverDouble = field(default_factory=ObserverDouble)
    log: Recorder = field(default_factory=Recorder)
    client_errors: ClientErrors = field(default_factory=ClientErrors)
    cluster: Refusing = field(default_factory=lambda: Refusing(RetryableError("broker away")))
    resident: int = 0
    retry_seconds: float = 60.0
    tick: float = 0.0

    def __post_init__(self) -> None:
        self.erasures = AppliedTombstones(open_tombstones(self.lake.location), [KEYS])
        tokens, verdict = count(1), Verdict(self._fails)
        writers = {
            name: TableWriter(self.lake.table(name), commit_context())
            for name in ("feedback", "quarantine")
        }
        self.flusher = AtOnce(
            RecordFlushRunner(
                primary=writers["feedback"],
                quarantine=writers["quarantine"],
                audit=None,
                incarnation=lambda _topic: HERE,
                reached=lambda _step: None,
                on_checkpoint_error=lambda _table, _error: None,
            )
        )
        budget = MemoryBudget.plan(2**30, 0)
        self.gate = MemoryGate(budget, lambda: self.resident, lambda: None, lambda: self.now)
        parts: dict[str, Any] = {
            "cluster": self.cluster,
            "observer": self.observer,
            "log": self.log,
        }
        flusher: Any = self.flusher
        self.worker = Worker(
            kafka=PartitionConsumer(self.client, False, self.client_errors),
            partitions=PartitionOwnership(take_over(self.lake), patience(), lambda _taken: None),
            intakes={
                TOPIC: Intake(
                    verdict,
                    verdict,
                    verdict,
                    lambda: 0,
                    lambda _rejected: None,
                    lambda: self.erasures.kept_out,
                )
            },
            flushes=FlushScheduler(
                flusher=flusher,
                thresholds=FlushThresholds(2**20, 5.0),
                reached=lambda _step: None,
                new_token=lambda: next(tokens),
                buffers={TOPIC: TopicBuffer(TOPIC)},
                erasures=lambda: self.erasures.newest,
            ),
            gate=self.gate,
            pace=AdaptiveBatch(budget.batch),
            limits=WaitLimits(
                drain_seconds=1.0, revoke_seconds=1.0, retry_seconds=self.retry_seconds
            ),
            retry=patience(),
            label_driver=NoLabels(),
            assembly=NoAssembly(),
            erasures=self.erasures,
            reached=lambda _step: None,
            stop_requested=lambda: False,
            give_up=lambda: None,
            monotonic=self._monotonic,
            **parts,
        )

    def _monotonic(self) -> float:
        self.now += self.tick
        return self.now

    def _fails(self, partition: int, offset: int) -> bool:
        return self.bad(partition, offset)

    def assign(self, *partitions: int) -> None:
        """Give partitions to the worker, and let it find its feet."""
        self.worker.on_assign(self.client, [TopicPartition(TOPIC, p) for p in partitions])
        self.turn()

    def revoke(self, *partitions: int) -> None:
        """Take partitions away."""
        self.worker.on_revoke(self.client, [TopicPartition(TOPIC, p) for p in partitions])

    def turn(self, batch: Sequence[Message] = (), *, seconds: float = 0.0) -> None:
        """Let the clock go on, and the loop turn once."""
        self.now += seconds
        self.client.batches.append(list(batch))
        self.worker.turn()

    def goal(self, ends: Mapping[SourcePartition, int]) -> CatchUp:
        """Return what the worker is to catch up with; ask the tables as often as it likes."""

        def positions(sources: Sequence[SourcePartition]) -> Mapping[SourcePartition, int | None]:
            table = self.lake.table("feedback")
            table.refresh()
            return table.positions(sources)

        def monotonic() -> float:
            self.now += 1
            return self.now

        return CatchUp(ends, positions, lambda source: ends[source], self.log, monotonic, 60.0)

    def next_offsets(self) -> dict[int, int]:
        """Return how far each partition has been read."""
        owned = self.worker.assignment.owned
        return {source.partition: item.range.next for source, item in owned.items()}
