"""Assembles a worker from its settings and runs it."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from prometheus_client import CollectorRegistry

from lake.ledger import SourcePartition
from lake.tables import Lake
from lake.tombstones import open_tombstones
from schemas.arrow import QUARANTINE_TABLE, TABLES
from stream.applied_tombstones import AppliedTombstones
from stream.broker_heartbeat import BrokerHeartbeat
from stream.catch_up import CatchUpLimit
from stream.client_errors import ClientErrors
from stream.cluster import Cluster
from stream.failpoints import FlushStep, parse_failpoint
from stream.health import WorkerHealth
from stream.kafka_client import admin_properties, make_consumer
from stream.label_driver.setup import LabelParts, LabelSetup
from stream.memory import (
    MemoryBudget,
    read_resident_bytes,
    release_unused,
    tune_collector,
    use_jemalloc_pool,
)
from stream.metrics import Metrics
from stream.observer import WorkerObserver
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
from stream.worker_assembly import WorkerAssembly, WorkerParts, now_ms
from stream.worker_setup import WorkerSetup

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
            return _Bootstrap(setup).run(until_caught_up=until_caught_up, limit=limit)
        return False
    finally:
        setup.tracer.close()


class _Bootstrap:
    """Starts one worker process."""

    def __init__(self, setup: WorkerSetup) -> None:
        self.setup = setup
        self.topics = list(setup.tables)
        self.reached: Callable[[FlushStep], None] = parse_failpoint(setup.stream.fail_at)
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.metrics.set("build_info", 1, setup.version, setup.policy, setup.build)
        self.cluster = Cluster(
            admin_properties(setup.kafka), bootstrap_servers=setup.kafka.bootstrap_servers
        )
        self.heartbeat = BrokerHeartbeat(
            lambda: self.cluster.answers(self.topics[0]), time.monotonic
        )
        self.lake, self.writing_lake = Lake(setup.lake), Lake(setup.lake)
        self.erasures = AppliedTombstones(open_tombstones(self.lake.location), setup.keys)

    def run(self, *, until_caught_up: bool, limit: CatchUpLimit | None) -> bool:
        """Start, work, and close; see `run_worker`."""
        partitions = self._wait_for("Kafka", lambda: self.cluster.partitions(self.topics))
        parts = self._parts(partitions)
        work = partial(self._work, parts, partitions, limit, until_caught_up=until_caught_up)
        probes = self._probes(parts.observer)
        self.heartbeat.start()
        try:
            retry = parts.make_retry(self.setup.stream.retry_seconds, self.setup.stop)
            caught_up = retry_with_new_client(
                retry, self.setup.stop, parts.observer.client_ended, work
            )
        finally:
            self.heartbeat.stop()
            if probes:
                probes.close()
        self.setup.log.info("worker_stopped")
        return caught_up and until_caught_up

    def _parts(self, partitions: Sequence[SourcePartition]) -> WorkerParts:
        """Check the lake, log the start, and return what the worker keeps."""
        created = self._wait_for(
            "the lake", lambda: create_missing_tables(self.lake, self.setup.lake)
        )
        self._wait_for("the lake", self.writing_lake.tables)
        self._wait_for("the lake", lambda: self.setup.refuse_other_keys(self.lake))
        labels = None if self.setup.labels is None else self._labels(self.setup.labels)
        log_created_tables(created, self.setup.lake, self.setup.log)
        self.metrics.set("lake_made_seconds", self.lake.created_ms() / 1000)
        self.setup.log.info(
            "worker_started",
            version=self.setup.version,
            build=self.setup.build,
            topics=self.topics,
            partitions=len(partitions),
            lake=self.setup.lake.uri,
            policy=self.setup.policy,
        )
        assembling = 0 if self.setup.assembly is None else self.setup.assembly.memory_bytes
        budget = MemoryBudget.plan(
            self.setup.stream.memory_bytes,
            read_resident_bytes() + self.setup.redactor.memory_bytes + assembling,
            joined=labels is not None,
        )
        warn_memory_shortage(budget.ceiling, self.setup.log)
        observer = self._observer(budget)
        self.metrics.begin(self.topics, [*self.setup.tables.values(), QUARANTINE_TABLE])
        if self._wait_for("the lake", self.erasures.reload):
            observer.erasures(self.erasures.newest)
        return WorkerParts(
            setup=self.setup,
            cluster=self.cluster,
            lake=self.lake,
            writing_lake=self.writing_lake,
            erasures=self.erasures,
            metrics=self.metrics,
            observer=observer,
            budget=budget,
            labels=labels,
            reached=self.reached,
        )

    def _work(
        self,
        parts: WorkerParts,
        partitions: Sequence[SourcePartition],
        limit: CatchUpLimit | None,
        *,
        until_caught_up: bool,
    ) -> bool:
        """Work with a new client; return as `Worker.run` does."""
        errors = ClientErrors(parts.observer.kafka_error)
        fetch_queue = parts.budget.fetch_queue
        consumer = make_consumer(self.setup.kafka, fetch_queue=fetch_queue, errors=errors)
        assembly = WorkerAssembly(parts, consumer, errors)
        take_over = assembly.take_over()
        self._wait_for("Kafka and the lake", lambda: take_over.check(self.topics))
        tune_collector()
        release_unused()  # what the start has freed
        goal = assembly.goal(partitions, take_over, limit) if until_caught_up else None
        return assembly.worker(take_over).run(goal)

    def _wait_for(self, system: str, ask: Callable[[], ResultT]) -> ResultT:
        return wait_for(make_startup_retry(self.setup.stream, self.setup.stop), system, ask)

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
                now_ms=now_ms,
            ),
            event_times={t: TABLES[name].event_time for t, name in self.setup.tables.items()},
            now_ms=now_ms,
            monotonic=time.monotonic,
        )

    def _labels(self, setup: LabelSetup) -> LabelParts:
        if setup.topic is not None:
            topic = setup.topic
            ask = partial(self.cluster.partitions, [topic], "GOLDPAN_LABELS__TOPIC")
            self._wait_for("Kafka", ask)
        return LabelParts(
            setup,
            self._wait_for("the lake", setup.load_scorer),
            self.setup.kafka,
            self.setup.policy,
            self.setup.stream.retry_seconds,
        )

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
