"""Builds a worker around a Kafka client, from parts that outlive the client."""

import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from decode.decoder import Decoder
from lake.ledger import SourcePartition
from lake.retry import Retry
from lake.table_commit import CommitContext, CommitWatch
from lake.table_writer import TableWriter
from lake.tables import Lake
from lake.tombstones import open_tombstones
from schemas.arrow import AUDIT_TABLE, QUARANTINE_TABLE
from schemas.errors import FatalError
from stream.adaptive_batch import AdaptiveBatch
from stream.applied_tombstones import AppliedTombstones
from stream.assembly_driver.driver import AssemblyDriver, NoAssembly
from stream.assembly_driver.observer import AssemblyObserver
from stream.assembly_driver.setup import AssemblySurroundings
from stream.backoff import WaitLimits
from stream.buffer import TopicBuffer
from stream.catch_up import CatchUp, CatchUpLimit
from stream.client_errors import ClientErrors
from stream.cluster import Cluster
from stream.failpoints import FlushStep
from stream.flush_scheduler import FlushScheduler, FlushThresholds
from stream.flusher import Flusher, FlushRunner, RecordFlushRunner, describe_changed_topic
from stream.initial_positions import InitialPositions
from stream.intake import SIGNALS_AT_ONCE, Intake, RecordDecoder
from stream.label_driver.driver import LabelDriver
from stream.label_driver.label_flush import LABELS_MARKER, LABELS_TABLE_NAME
from stream.label_driver.no_labels import NoLabels
from stream.label_driver.observer import LabelObserver
from stream.label_driver.setup import LabelParts
from stream.leader_epochs import LeaderEpochCheck
from stream.memory import MemoryBudget, MemoryGate
from stream.metrics import Metrics
from stream.observer import WorkerObserver
from stream.partition_consumer import PartitionConsumer
from stream.partition_ownership import PartitionOwnership
from stream.signal_decoder import SignalDecoder
from stream.source_topics import SourceTopic, source_topics
from stream.startup import make_startup_retry, wait_for
from stream.take_over import TakeOver
from stream.worker import Worker
from stream.worker_setup import WorkerSetup

TAKE_OVER_SECONDS = 120.0  # in a rebalance: below Kafka's max.poll.interval.ms of 300 s
REVOKE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker process keeps while clients come and go. ``labels`` is None if it decides none.

    There are two handles per table: the flusher's thread commits with ``writing_lake``, the loop's
    thread reads positions with ``lake``.
    """

    setup: WorkerSetup
    cluster: Cluster
    lake: Lake
    writing_lake: Lake
    erasures: AppliedTombstones
    metrics: Metrics
    observer: WorkerObserver
    budget: MemoryBudget
    labels: LabelParts | None
    reached: Callable[[FlushStep], None]

    def make_retry(self, seconds: float, stop: threading.Event) -> Retry:
        """Return how a step is retried, for no longer than the setting allows."""
        return Retry(
            seconds=min(seconds, self.setup.stream.retry_seconds),
            monotonic=time.monotonic,
            sleep=stop.wait,
            uniform=random.uniform,
            on_retry=self.observer.retried,
            on_recovered=self.observer.recovered,
        )


@dataclass(frozen=True, slots=True)
class WorkerAssembly:
    """One worker and what it catches up with. ``consumer`` reports its errors to ``errors``."""

    parts: WorkerParts
    consumer: Any
    errors: ClientErrors
    giving_up: threading.Event = field(default_factory=threading.Event)

    def take_over(self) -> TakeOver:
        """Return what reads positions from the tables, and compares them with Kafka's offsets."""
        parts, setup = self.parts, self.parts.setup
        return TakeOver(
            primary={t: parts.lake.table(name) for t, name in setup.tables.items()},
            quarantine=parts.lake.table(QUARANTINE_TABLE),
            audit=parts.lake.table(AUDIT_TABLE) if setup.audited else None,
            labels=parts.lake.table(LABELS_TABLE_NAME) if setup.labels else None,
            incarnation=parts.cluster.incarnation,
            watermarks=lambda source: parts.cluster.watermarks(self.consumer, source),
            start=setup.stream.start,
            on_lost_offsets=setup.stream.on_lost_offsets,
            on_lost=parts.observer.lost,
            initial=self._initial_positions(),
            partitions=lambda topic: parts.cluster.partitions([topic]),
        )

    def goal(
        self,
        partitions: Sequence[SourcePartition],
        take_over: TakeOver,
        limit: CatchUpLimit | None,
    ) -> CatchUp:
        """Return what to catch up with: the current ends of all partitions.

        ``take_over`` has checked the topics: its handles are fresh.
        """
        parts, setup = self.parts, self.parts.setup
        startup_retry = make_startup_retry(setup.stream, setup.stop)
        marks = {
            source: wait_for(
                startup_retry, "Kafka", partial(parts.cluster.watermarks, self.consumer, source)
            )
            for source in partitions
        }
        take_over.check_ends({source: high for source, (_, high) in marks.items()})
        return CatchUp(
            ends=take_over.to_reach(marks),
            positions=self._read_positions,
            high=lambda source: parts.cluster.watermarks(self.consumer, source)[1],
            log=setup.log,
            monotonic=time.monotonic,
            retry_seconds=setup.stream.retry_seconds,
            retried=parts.observer.retried,
            recovered=parts.observer.recovered,
            limit=limit,
        )

    def worker(self, take_over: TakeOver) -> Worker:
        """Return the worker."""
        parts, setup = self.parts, self.parts.setup
        stream = setup.stream
        retry = parts.make_retry(TAKE_OVER_SECONDS, setup.stop)
        return Worker(
            kafka=PartitionConsumer(
                self.consumer,
                cooperative=setup.kafka.group_protocol == "consumer",
                errors=self.errors,
                tracer=setup.tracer,
            ),
            cluster=parts.cluster,
            partitions=PartitionOwnership(
                take_over=take_over,
                retry=retry,
                confirm=LeaderEpochCheck(setup.kafka, parts.cluster),
            ),
            intakes=self._intakes(),
            flushes=FlushScheduler(
                flusher=Flusher(self._runners(), setup.tracer),
                thresholds=FlushThresholds(
                    parts.budget.flush_bytes(stream.flush_bytes), stream.flush_seconds
                ),
                reached=parts.reached,
                new_token=_new_token,
                buffers={topic: TopicBuffer(topic) for topic in setup.tables},
                erasures=lambda: parts.erasures.newest,
            ),
            gate=MemoryGate(parts.budget),
            pace=AdaptiveBatch(parts.budget.batch),
            limits=WaitLimits(
                drain_seconds=stream.drain_seconds,
                revoke_seconds=min(REVOKE_SECONDS, stream.drain_seconds),
                retry_seconds=stream.retry_seconds,
            ),
            retry=retry,
            observer=parts.observer,
            log=setup.log,
            label_driver=self._label_driver(),
            assembly=self._assembly_driver(),
            erasures=parts.erasures,
            reached=parts.reached,
            stop_requested=setup.stop.is_set,
            give_up=self.giving_up.set,
        )

    def _read_positions(
        self, sources: Sequence[SourcePartition]
    ) -> Mapping[SourcePartition, int | None]:
        """Return the tables' current positions; FatalError if they are of another incarnation."""
        parts, setup = self.parts, self.parts.setup
        positions: dict[SourcePartition, int | None] = {}
        for topic, name in setup.tables.items():
            table = parts.lake.table(name)
            table.refresh()
            recorded = table.incarnation_version(topic)
            if recorded not in (None, parts.cluster.incarnation(topic).version()):
                raise FatalError(describe_changed_topic(topic))
            positions |= table.positions([source for source in sources if source.topic == topic])
        return positions

    def _initial_positions(self) -> InitialPositions:
        parts, setup = self.parts, self.parts.setup
        return InitialPositions(
            primary={t: parts.lake.table(name) for t, name in setup.tables.items()},
            quarantine=parts.lake.table(QUARANTINE_TABLE),
            context=CommitContext(
                parts.make_retry(TAKE_OVER_SECONDS, setup.stop), _now_us, _new_token
            ),
        )

    def _intakes(self) -> dict[str, Intake]:
        parts, setup = self.parts, self.parts.setup
        return {
            topic: Intake(
                decoder=self._decoder(source),
                redactor=setup.redactor,
                sealer=setup.sealer,
                now_us=_now_us,
                on_rejected=parts.observer.rejected,
                erased=lambda: parts.erasures.kept_out,
                tracer=setup.tracer,
                reads_headers=source.reads_headers,
                part_bytes=SIGNALS_AT_ONCE if source.signal_format else None,
            )
            for topic, source in source_topics(setup.kafka).items()
        }

    def _assembly_driver(self) -> AssemblyDriver | NoAssembly:
        parts, setup = self.parts, self.parts.setup
        if setup.assembly is None:
            return NoAssembly()
        topic = setup.assembly.topic
        return setup.assembly.driver(
            AssemblySurroundings(
                lake=setup.lake,
                tombstones=lambda lake: AppliedTombstones(
                    open_tombstones(lake.location), setup.keys
                ),
                observer=AssemblyObserver(parts.metrics, setup.log, _now_us),
                partitions=lambda: len(parts.cluster.partitions([topic])),
                make_retry=partial(parts.make_retry, setup.stream.retry_seconds),
                reached=parts.reached,
            )
        )

    def _decoder(self, source: SourceTopic) -> RecordDecoder:
        parts, setup = self.parts, self.parts.setup
        max_record_bytes = setup.stream.max_record_bytes
        if source.signal_format is None:
            return Decoder(source.kind, setup.schemas, max_record_bytes=max_record_bytes)
        return SignalDecoder(
            source.signal_format,
            max_record_bytes=max_record_bytes,
            now_us=_now_us,
            on_unrecognised=parts.observer.unrecognised,
            extra=setup.assembly.rules.extra if setup.assembly is not None else {},
        )

    def _label_driver(self) -> LabelDriver | NoLabels:
        parts, setup = self.parts, self.parts.setup
        if parts.labels is None:
            return NoLabels()
        label_observer = LabelObserver(
            parts.metrics,
            setup.log,
            now_ms,
            parts.observer.retried,
            parts.observer.recovered,
        )
        return parts.labels.driver(
            parts.lake,
            parts.cluster,
            label_observer,
            limit=parts.budget.join,
            erasures=lambda: parts.erasures.newest,
        )

    def _runners(self) -> Callable[[str], FlushRunner]:
        parts, setup = self.parts, self.parts.setup
        watch = CommitWatch(
            unknown=parts.observer.commit_unknown, settled=parts.observer.commit_settled
        )
        retry = parts.make_retry(setup.stream.retry_seconds, self.giving_up)
        writers = {
            table.name: TableWriter(table, CommitContext(retry, _now_us, _new_token, watch))
            for table in parts.writing_lake.tables()
        }
        runners: dict[str, FlushRunner] = {
            topic: self._record_runner(name, writers, retry) for topic, name in setup.tables.items()
        }
        if parts.labels is not None:
            runners[LABELS_MARKER] = parts.labels.steps(
                writers[LABELS_TABLE_NAME],
                retry,
                parts.reached,
                parts.observer.checkpoint_failed,
                setup.tracer,
            )
        return runners.__getitem__

    def _record_runner(
        self, name: str, writers: Mapping[str, TableWriter], retry: Retry
    ) -> RecordFlushRunner:
        parts, setup = self.parts, self.parts.setup
        return RecordFlushRunner(
            primary=writers[name],
            quarantine=writers[QUARANTINE_TABLE],
            audit=writers[AUDIT_TABLE] if setup.audited else None,
            incarnation=lambda topic: retry.call(
                "asking for the topic", lambda: parts.cluster.incarnation(topic)
            ),
            reached=parts.reached,
            on_checkpoint_error=parts.observer.checkpoint_failed,
            referenced_tables=[
                writer.table for table_name, writer in writers.items() if table_name != name
            ],
            tracer=setup.tracer,
        )


def _new_token() -> int:
    return secrets.randbits(63)


def _now_us() -> int:
    return time.time_ns() // 1000


def now_ms() -> int:
    """Return the wall clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
