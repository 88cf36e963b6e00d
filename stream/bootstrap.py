"""Assembles a worker from its settings and runs it."""

import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry

from decode.decoder import Decoder
from lake.ledger import SourcePartition
from lake.retry import Retry
from lake.table_commit import CommitContext, CommitWatch
from lake.table_writer import TableWriter
from lake.tables import Lake
from lake.tombstones import open_tombstones
from schemas.arrow import AUDIT_TABLE, QUARANTINE_TABLE, TABLES
from schemas.errors import FatalError
from schemas.record_batches import RecordKind
from stream.adaptive_batch import AdaptiveBatch
from stream.applied_tombstones import AppliedTombstones
from stream.backoff import WaitLimits
from stream.broker_heartbeat import BrokerHeartbeat
from stream.buffer import TopicBuffer
from stream.catch_up import CatchUp, CatchUpLimit
from stream.client_errors import ClientErrors
from stream.cluster import Cluster
from stream.failpoints import FlushStep, parse_failpoint
from stream.flush_scheduler import FlushScheduler, FlushThresholds
from stream.flusher import Flusher, FlushRunner, RecordFlushRunner, describe_changed_topic
from stream.health import WorkerHealth
from stream.initial_positions import InitialPositions
from stream.intake import Intake
from stream.kafka_client import admin_properties, make_consumer
from stream.label_driver.driver import LabelDriver
from stream.label_driver.label_flush import LABELS_MARKER, LABELS_TABLE_NAME
from stream.label_driver.no_labels import NoLabels
from stream.label_driver.observer import LabelObserver
from stream.label_driver.setup import LabelParts, LabelSetup
from stream.leader_epochs import LeaderEpochCheck
from stream.memory import (
    MemoryBudget,
    MemoryGate,
    read_resident_bytes,
    tune_collector,
    use_jemalloc_pool,
)
from stream.metrics import Metrics
from stream.observer import WorkerObserver
from stream.partition_consumer import PartitionConsumer
from stream.partition_ownership import PartitionOwnership
from stream.probes import ProbeServer
from stream.startup import (
    create_missing_tables,
    log_created_tables,
    make_startup_retry,
    retry_with_new_client,
    stop_gracefully,
    wait_for,
    warn_memory_shortage,
)
from stream.state_gauges import StateGauges
from stream.take_over import TakeOver
from stream.worker import Worker
from stream.worker_setup import WorkerSetup

TAKE_OVER_SECONDS = 120.0  # in a rebalance: below Kafka's max.poll.interval.ms of 300 s
REVOKE_SECONDS = 20.0

ResultT = TypeVar("ResultT")


def run_worker(
    setup: WorkerSetup, *, until_caught_up: bool, limit: CatchUpLimit | None = None
) -> bool:
    """Run a worker until its ``stop`` is set, or until it has caught up (then return True).

    Raises UsageError or FatalError, with one sentence, if it cannot continue, or if it has not
    caught up within the limit.
    """
    use_jemalloc_pool()
    try:
        with stop_gracefully(setup.stop, setup.log):
            return _Assembly(setup).run(until_caught_up=until_caught_up, limit=limit)
        return False
    finally:
        setup.tracer.close()


def _new_token() -> int:
    return secrets.randbits(63)


def _now_us() -> int:
    return time.time_ns() // 1000


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class _Assembly:
    """The parts of one worker, in order of construction."""

    def __init__(self, setup: WorkerSetup) -> None:
        self.setup = setup
        self.topics = list(setup.tables)
        self.labels: LabelParts | None = None
        self.reached: Callable[[FlushStep], None] = parse_failpoint(setup.stream.fail_at)
        self.giving_up = threading.Event()
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.metrics.set("build_info", 1, setup.version, setup.policy)
        self.cluster = Cluster(
            admin_properties(setup.kafka), bootstrap_servers=setup.kafka.bootstrap_servers
        )
        self.heartbeat = BrokerHeartbeat(
            lambda: self.cluster.answers(self.topics[0]), time.monotonic
        )
        # Two handles per table: the flusher's thread commits with one, the loop's thread reads
        # positions with the other.
        self.lake, self.writing_lake = Lake(setup.lake), Lake(setup.lake)
        self.erasures = AppliedTombstones(open_tombstones(self.lake.location), setup.keys)

    def run(self, *, until_caught_up: bool, limit: CatchUpLimit | None) -> bool:
        """Start, work, and close; see `run_worker`."""
        partitions = self._wait_for("Kafka", lambda: self.cluster.partitions(self.topics))
        created = self._wait_for(
            "the lake", lambda: create_missing_tables(self.lake, self.setup.lake)
        )
        self._wait_for("the lake", self.writing_lake.tables)
        self._wait_for("the lake", lambda: self.setup.refuse_other_keys(self.lake))
        if self.setup.labels is not None:
            self.labels = self._labels(self.setup.labels)
        log_created_tables(created, self.setup.lake, self.setup.log)
        self.metrics.set("lake_made_seconds", self.lake.created_ms() / 1000)
        self.setup.log.info(
            "worker_started",
            version=self.setup.version,
            topics=self.topics,
            partitions=len(partitions),
            lake=self.setup.lake.uri,
            policy=self.setup.policy,
        )
        budget = MemoryBudget.plan(
            self.setup.stream.memory_bytes,
            read_resident_bytes() + self.setup.redactor.memory_bytes,
            joined=self.labels is not None,
        )
        warn_memory_shortage(budget.ceiling, self.setup.log)
        observer = self._observer(budget)
        self.metrics.begin(self.topics, [*self.setup.tables.values(), QUARANTINE_TABLE])
        if self._wait_for("the lake", self.erasures.reload):
            observer.erasures(self.erasures.newest)
        work = partial(
            self._work, budget, observer, partitions, limit, until_caught_up=until_caught_up
        )
        probes = self._probes(observer)
        self.heartbeat.start()
        try:
            retry = self._retry(self.setup.stream.retry_seconds, self.setup.stop, observer)
            caught_up = retry_with_new_client(retry, self.setup.stop, observer.client_ended, work)
        finally:
            self.heartbeat.stop()
            if probes:
                probes.close()
        self.setup.log.info("worker_stopped")
        return caught_up and until_caught_up

    def _work(
        self,
        budget: MemoryBudget,
        observer: WorkerObserver,
        partitions: Sequence[SourcePartition],
        limit: CatchUpLimit | None,
        *,
        until_caught_up: bool,
    ) -> bool:
        """Work with a new client; return as `Worker.run` does."""
        self.giving_up = threading.Event()
        errors = ClientErrors(observer.kafka_error)
        consumer = make_consumer(self.setup.kafka, fetch_queue=budget.fetch_queue, errors=errors)
        take_over = self._take_over(consumer, observer)
        self._wait_for("Kafka and the lake", lambda: take_over.check(self.topics))
        tune_collector()
        ends = partial(self._goal, consumer, partitions, take_over, observer, limit)
        goal = ends() if until_caught_up else None
        return self._worker(consumer, errors, budget, observer, take_over).run(goal)

    def _wait_for(self, system: str, ask: Callable[[], ResultT]) -> ResultT:
        return wait_for(make_startup_retry(self.setup.stream, self.setup.stop), system, ask)

    def _goal(
        self,
        consumer: Any,
        partitions: Sequence[SourcePartition],
        take_over: TakeOver,
        observer: WorkerObserver,
        limit: CatchUpLimit | None,
    ) -> CatchUp:
        """Return what to catch up with: the current ends of all partitions. Handles are fresh."""
        marks = {
            source: self._wait_for("Kafka", partial(self.cluster.watermarks, consumer, source))
            for source in partitions
        }
        take_over.check_ends({source: high for source, (_, high) in marks.items()})
        return CatchUp(
            ends=take_over.to_reach(marks),
            positions=self._read_positions,
            high=lambda source: self.cluster.watermarks(consumer, source)[1],
            log=self.setup.log,
            monotonic=time.monotonic,
            retry_seconds=self.setup.stream.retry_seconds,
            retried=observer.retried,
            recovered=observer.recovered,
            limit=limit,
        )

    def _retry(self, seconds: float, stop: threading.Event, observer: WorkerObserver) -> Retry:
        return Retry(
            seconds=min(seconds, self.setup.stream.retry_seconds),
            monotonic=time.monotonic,
            sleep=stop.wait,
            uniform=random.uniform,
            on_retry=observer.retried,
            on_recovered=observer.recovered,
        )

    def _observer(self, budget: MemoryBudget) -> WorkerObserver:
        health = WorkerHealth(time.monotonic, self.heartbeat.silent_seconds)
        return WorkerObserver(
            metrics=self.metrics,
            log=self.setup.log,
            health=health,
            gauges=StateGauges(
                metrics=self.metrics,
                health=health,
                budget=budget,
                topics=self.topics,
                redaction=self.setup.redactor.statistics,
                now_ms=_now_ms,
            ),
            event_times={t: TABLES[name].event_time for t, name in self.setup.tables.items()},
            now_ms=_now_ms,
            monotonic=time.monotonic,
        )

    def _read_positions(
        self, sources: Sequence[SourcePartition]
    ) -> Mapping[SourcePartition, int | None]:
        """Return the tables' current positions; FatalError if they are of another incarnation."""
        positions: dict[SourcePartition, int | None] = {}
        for topic, name in self.setup.tables.items():
            table = self.lake.table(name)
            table.refresh()
            recorded = table.incarnation_version(topic)
            if recorded not in (None, self.cluster.incarnation(topic).version()):
                raise FatalError(describe_changed_topic(topic))
            positions |= table.positions([source for source in sources if source.topic == topic])
        return positions

    def _probes(self, observer: WorkerObserver) -> ProbeServer | None:
        if not self.setup.port:
            return None
        return ProbeServer(
            self.setup.host,
            self.setup.port,
            registry=self.registry,
            live=observer.health.live,
            ready=observer.health.ready,
        )

    def _worker(
        self,
        consumer: Any,
        errors: ClientErrors,
        budget: MemoryBudget,
        observer: WorkerObserver,
        take_over: TakeOver,
    ) -> Worker:
        stream = self.setup.stream
        retry = self._retry(TAKE_OVER_SECONDS, self.setup.stop, observer)
        return Worker(
            kafka=PartitionConsumer(
                consumer,
                cooperative=self.setup.kafka.group_protocol == "consumer",
                errors=errors,
                tracer=self.setup.tracer,
            ),
            cluster=self.cluster,
            partitions=PartitionOwnership(
                take_over=take_over,
                retry=retry,
                confirm=LeaderEpochCheck(self.setup.kafka, self.cluster),
            ),
            intakes=self._intakes(observer),
            flushes=FlushScheduler(
                flusher=Flusher(self._runners(observer), self.setup.tracer),
                thresholds=FlushThresholds(
                    budget.flush_bytes(stream.flush_bytes), stream.flush_seconds
                ),
                reached=self.reached,
                new_token=_new_token,
                buffers={topic: TopicBuffer(topic) for topic in self.topics},
                erasures=lambda: self.erasures.newest,
            ),
            gate=MemoryGate(budget),
            pace=AdaptiveBatch(budget.batch),
            limits=WaitLimits(
                drain_seconds=stream.drain_seconds,
                revoke_seconds=min(REVOKE_SECONDS, stream.drain_seconds),
                retry_seconds=stream.retry_seconds,
            ),
            retry=retry,
            observer=observer,
            log=self.setup.log,
            label_driver=self._label_driver(budget, observer),
            erasures=self.erasures,
            reached=self.reached,
            stop_requested=self.setup.stop.is_set,
            give_up=self.giving_up.set,
        )

    def _take_over(self, consumer: Any, observer: WorkerObserver) -> TakeOver:
        return TakeOver(
            primary={t: self.lake.table(name) for t, name in self.setup.tables.items()},
            quarantine=self.lake.table(QUARANTINE_TABLE),
            audit=self.lake.table(AUDIT_TABLE) if self.setup.audited else None,
            labels=self.lake.table(LABELS_TABLE_NAME) if self.setup.labels else None,
            incarnation=self.cluster.incarnation,
            watermarks=lambda source: self.cluster.watermarks(consumer, source),
            start=self.setup.stream.start,
            on_lost_offsets=self.setup.stream.on_lost_offsets,
            on_lost=observer.lost,
            initial=self._initial_positions(observer),
            partitions=lambda topic: self.cluster.partitions([topic]),
        )

    def _initial_positions(self, observer: WorkerObserver) -> InitialPositions:
        return InitialPositions(
            primary={t: self.lake.table(name) for t, name in self.setup.tables.items()},
            quarantine=self.lake.table(QUARANTINE_TABLE),
            context=CommitContext(
                self._retry(TAKE_OVER_SECONDS, self.setup.stop, observer), _now_us, _new_token
            ),
        )

    def _intakes(self, observer: WorkerObserver) -> dict[str, Intake]:
        kinds = {
            self.setup.kafka.traces_topic: RecordKind.TRACE,
            self.setup.kafka.feedback_topic: RecordKind.FEEDBACK,
        }
        max_record_bytes = self.setup.stream.max_record_bytes
        return {
            topic: Intake(
                decoder=Decoder(kind, self.setup.schemas, max_record_bytes=max_record_bytes),
                redactor=self.setup.redactor,
                sealer=self.setup.sealer,
                now_us=_now_us,
                on_rejected=observer.rejected,
                erased=lambda: self.erasures.kept_out,
                tracer=self.setup.tracer,
            )
            for topic, kind in kinds.items()
        }

    def _label_driver(
        self, budget: MemoryBudget, observer: WorkerObserver
    ) -> LabelDriver | NoLabels:
        if self.labels is None:
            return NoLabels()
        label_observer = LabelObserver(
            self.metrics, self.setup.log, _now_ms, observer.retried, observer.recovered
        )
        return self.labels.driver(
            self.lake,
            self.cluster,
            label_observer,
            limit=budget.join,
            erasures=lambda: self.erasures.newest,
        )

    def _labels(self, setup: LabelSetup) -> LabelParts:
        if setup.topic is not None:
            topic = setup.topic
            ask = partial(self.cluster.partitions, [topic], "GOLDPAN_LABELS__TOPIC")
            self._wait_for("Kafka", ask)
        return LabelParts(
            setup,
            self._wait_for("the lake", setup.open),
            self.setup.kafka,
            self.setup.policy,
            self.setup.stream.retry_seconds,
        )

    def _runners(self, observer: WorkerObserver) -> Callable[[str], FlushRunner]:
        watch = CommitWatch(unknown=observer.commit_unknown, settled=observer.commit_settled)
        retry = self._retry(self.setup.stream.retry_seconds, self.giving_up, observer)
        writers = {
            table.name: TableWriter(table, CommitContext(retry, _now_us, _new_token, watch))
            for table in self.writing_lake.tables()
        }
        runners: dict[str, FlushRunner] = {
            topic: self._record_runner(name, writers, retry, observer)
            for topic, name in self.setup.tables.items()
        }
        if self.labels is not None:
            runners[LABELS_MARKER] = self.labels.steps(
                writers[LABELS_TABLE_NAME],
                retry,
                self.reached,
                observer.checkpoint_failed,
                self.setup.tracer,
            )
        return runners.__getitem__

    def _record_runner(
        self, name: str, writers: Mapping[str, TableWriter], retry: Retry, observer: WorkerObserver
    ) -> RecordFlushRunner:
        return RecordFlushRunner(
            primary=writers[name],
            quarantine=writers[QUARANTINE_TABLE],
            audit=writers[AUDIT_TABLE] if self.setup.audited else None,
            incarnation=lambda topic: retry.call(
                "asking for the topic", lambda: self.cluster.incarnation(topic)
            ),
            reached=self.reached,
            on_checkpoint_error=observer.checkpoint_failed,
            referenced_tables=[
                writer.table for table_name, writer in writers.items() if table_name != name
            ],
            tracer=self.setup.tracer,
        )
