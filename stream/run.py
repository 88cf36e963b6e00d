"""Puts one worker together from its settings, and runs it."""

import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry

from lake.commit import Watch
from lake.erasures import open_store
from lake.ledger import Source
from lake.retry import Retry
from lake.tables import Lake
from lake.writer import TableWriter
from schemas.arrow import AUDIT, QUARANTINE, TABLES
from schemas.errors import FatalError
from schemas.provenance import RecordKind
from stream.answers import Answers
from stream.assignment import TakeOver
from stream.beginning import Beginning
from stream.buffer import TopicBuffer
from stream.catch_up import CatchUp, TimeLimit
from stream.client_errors import ClientErrors
from stream.cluster import Cluster
from stream.decode.decoder import Decoder
from stream.epochs import EpochCheck
from stream.erasures import Erasures
from stream.failpoints import Step, parse
from stream.flusher import Flusher, FlushSteps, Steps, another_topic
from stream.flushes import Due, Flushes
from stream.hold import Limits
from stream.intake import Intake
from stream.kafka_client import admin_properties, make_consumer
from stream.labelling.flush import LABELS, TABLE
from stream.labelling.join import Labelling
from stream.labelling.none import NoLabels
from stream.labelling.observer import LabelObserver
from stream.labelling.run import LabelParts, LabelSetup
from stream.memory import Budget, Gate, calm_collector, resident_bytes, use_steady_pool
from stream.metrics import Metrics
from stream.observer import Observer
from stream.pace import Pace
from stream.probes import Probes
from stream.setup import Setup
from stream.starting import (
    first_answer,
    make_tables,
    renewed,
    start_retry,
    stopped_in_order,
    tell_made,
    tell_short_memory,
)
from stream.worker import Worker

TAKE_OVER_SECONDS = 120.0  # within a rebalance: below Kafka's max.poll.interval.ms of 300 s
REVOKE_SECONDS = 20.0

ResultT = TypeVar("ResultT")


def run_worker(setup: Setup, *, until_caught_up: bool, limit: TimeLimit | None = None) -> bool:
    """Run a worker until its ``stop`` is set, or until it has caught up (then return True).

    Raises UsageError or FatalError, with one sentence for a person, when it cannot go on, or when
    it has not caught up within the limit.
    """
    use_steady_pool()
    try:
        with stopped_in_order(setup.stop, setup.log):
            return _Assembly(setup).run(until_caught_up=until_caught_up, limit=limit)
        return False
    finally:
        setup.stages.close()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class _Assembly:
    """The parts of one worker, in the order in which they are made."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.topics = list(setup.tables)
        self.labels: LabelParts | None = None
        self.reached: Callable[[Step], None] = parse(setup.stream.fail_at)
        self.giving_up = threading.Event()
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.metrics.set("build_info", 1, setup.version, setup.policy)
        self.cluster = Cluster(
            admin_properties(setup.kafka), bootstrap_servers=setup.kafka.bootstrap_servers
        )
        self.answers = Answers(lambda: self.cluster.answers(self.topics[0]), time.monotonic)
        # Two handles on each table: the flusher's thread commits through one, the loop's thread
        # reads positions through the other.
        self.lake, self.writing_lake = Lake(setup.lake), Lake(setup.lake)
        self.erasures = Erasures(open_store(self.lake.location), setup.keys)

    def run(self, *, until_caught_up: bool, limit: TimeLimit | None) -> bool:
        """Start up, work, and close; see `run_worker`."""
        partitions = self._first_answer("Kafka", lambda: self.cluster.partitions(self.topics))
        made = self._first_answer("the lake", lambda: make_tables(self.lake, self.setup.lake))
        self._first_answer("the lake", self.writing_lake.tables)
        self._first_answer("the lake", lambda: self.setup.refuse_other_keys(self.lake))
        if self.setup.labels is not None:
            self.labels = self._labels(self.setup.labels)
        tell_made(made, self.setup.lake, self.setup.log)
        self.metrics.set("lake_made_seconds", self.lake.made_ms() / 1000)
        self.setup.log.info(
            "worker_started",
            version=self.setup.version,
            topics=self.topics,
            partitions=len(partitions),
            lake=self.setup.lake.uri,
            policy=self.setup.policy,
        )
        budget = Budget.plan(
            self.setup.stream.memory_bytes,
            resident_bytes() + self.setup.redactor.memory_bytes,
            joined=self.labels is not None,
        )
        tell_short_memory(budget.ceiling, self.setup.log)
        observer = self._observer(budget)
        self.metrics.begin(self.topics, [*self.setup.tables.values(), QUARANTINE])
        if self._first_answer("the lake", self.erasures.reload):
            observer.erasures(self.erasures.number)
        work = partial(
            self._work, budget, observer, partitions, limit, until_caught_up=until_caught_up
        )
        probes = self._probes(observer)
        self.answers.start()
        try:
            retry = self._retry(self.setup.stream.retry_seconds, self.setup.stop, observer)
            caught_up = renewed(retry, self.setup.stop, observer.client_ended, work)
        finally:
            self.answers.stop()
            if probes:
                probes.close()
        self.setup.log.info("worker_stopped")
        return caught_up and until_caught_up

    def _work(
        self,
        budget: Budget,
        observer: Observer,
        partitions: Sequence[Source],
        limit: TimeLimit | None,
        *,
        until_caught_up: bool,
    ) -> bool:
        """Work with a client of one's own; return as `Worker.run` does."""
        self.giving_up = threading.Event()
        errors = ClientErrors(observer.kafka_error)
        consumer = make_consumer(self.setup.kafka, fetch_queue=budget.fetch_queue, errors=errors)
        take_over = self._take_over(consumer, observer)
        self._first_answer("Kafka and the lake", lambda: take_over.check(self.topics))
        calm_collector()
        ends = partial(self._goal, consumer, partitions, take_over, observer, limit)
        goal = ends() if until_caught_up else None
        return self._worker(consumer, errors, budget, observer, take_over).run(goal)

    def _first_answer(self, what: str, ask: Callable[[], ResultT]) -> ResultT:
        return first_answer(start_retry(self.setup.stream, self.setup.stop), what, ask)

    def _goal(
        self,
        consumer: Any,
        partitions: Sequence[Source],
        take_over: TakeOver,
        observer: Observer,
        limit: TimeLimit | None,
    ) -> CatchUp:
        """Return what to catch up with: the ends of all partitions now. The handles are fresh."""
        marks = {
            source: self._first_answer("Kafka", partial(self.cluster.watermarks, consumer, source))
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

    def _retry(self, seconds: float, stop: threading.Event, observer: Observer) -> Retry:
        return Retry(
            seconds=min(seconds, self.setup.stream.retry_seconds),
            monotonic=time.monotonic,
            sleep=stop.wait,
            uniform=random.uniform,
            on_retry=observer.retried,
            on_recovered=observer.recovered,
        )

    def _observer(self, budget: Budget) -> Observer:
        return Observer(
            metrics=self.metrics,
            log=self.setup.log,
            budget=budget,
            event_times={t: TABLES[name].event_time for t, name in self.setup.tables.items()},
            redaction=self.setup.redactor.statistics,
            now_ms=_now_ms,
            monotonic=time.monotonic,
            silence=self.answers.silent_seconds,
        )

    def _read_positions(self, sources: Sequence[Source]) -> Mapping[Source, int | None]:
        """Return what the tables hold now; FatalError if it is of another incarnation."""
        found: dict[Source, int | None] = {}
        for topic, name in self.setup.tables.items():
            table = self.lake.table(name)
            table.refresh()
            recorded = table.incarnation_version(topic)
            if recorded not in (None, self.cluster.incarnation(topic).version()):
                raise FatalError(another_topic(topic))
            found |= table.positions([source for source in sources if source.topic == topic])
        return found

    def _probes(self, observer: Observer) -> Probes | None:
        if not self.setup.port:
            return None
        return Probes(
            self.setup.host,
            self.setup.port,
            registry=self.registry,
            live=observer.live,
            ready=observer.ready,
        )

    def _worker(
        self,
        consumer: Any,
        errors: ClientErrors,
        budget: Budget,
        observer: Observer,
        take_over: TakeOver,
    ) -> Worker:
        stream = self.setup.stream
        return Worker(
            consumer=self.setup.stages.consumer(consumer),
            cooperative=self.setup.kafka.group_protocol == "consumer",
            client_errors=errors,
            cluster=self.cluster,
            take_over=take_over,
            intakes=self._intakes(observer),
            flushes=Flushes(
                flusher=Flusher(self._steps(observer)),
                due=Due(budget.flush_bytes(stream.flush_bytes), stream.flush_seconds),
                reached=self.reached,
                new_token=lambda: secrets.randbits(63),
                buffers={topic: TopicBuffer(topic) for topic in self.topics},
                erasures=lambda: self.erasures.number,
            ),
            gate=Gate(budget),
            pace=Pace(budget.batch),
            limits=Limits(
                drain_seconds=stream.drain_seconds,
                revoke_seconds=min(REVOKE_SECONDS, stream.drain_seconds),
                retry_seconds=stream.retry_seconds,
            ),
            retry=self._retry(TAKE_OVER_SECONDS, self.setup.stop, observer),
            observer=observer,
            log=self.setup.log,
            labelling=self._labelling(budget, observer),
            erasures=self.erasures,
            confirm=EpochCheck(self.setup.kafka, self.cluster),
            reached=self.reached,
            stop_requested=self.setup.stop.is_set,
            give_up=self.giving_up.set,
        )

    def _take_over(self, consumer: Any, observer: Observer) -> TakeOver:
        return TakeOver(
            primary={t: self.lake.table(name) for t, name in self.setup.tables.items()},
            quarantine=self.lake.table(QUARANTINE),
            audit=self.lake.table(AUDIT) if self.setup.audited else None,
            labels=self.lake.table(TABLE) if self.setup.labels else None,
            incarnation=self.cluster.incarnation,
            watermarks=lambda source: self.cluster.watermarks(consumer, source),
            start=self.setup.stream.start,
            on_lost_offsets=self.setup.stream.on_lost_offsets,
            on_lost=observer.lost,
            beginning=self._beginning(observer),
            partitions=lambda topic: self.cluster.partitions([topic]),
        )

    def _beginning(self, observer: Observer) -> Beginning:
        return Beginning(
            primary={t: self.lake.table(name) for t, name in self.setup.tables.items()},
            quarantine=self.lake.table(QUARANTINE),
            retry=self._retry(TAKE_OVER_SECONDS, self.setup.stop, observer),
            now_ms=_now_ms,
            new_token=lambda: secrets.randbits(63),
        )

    def _intakes(self, observer: Observer) -> dict[str, Intake]:
        kinds = {
            self.setup.kafka.traces_topic: RecordKind.TRACE,
            self.setup.kafka.feedback_topic: RecordKind.FEEDBACK,
        }
        stages, most = self.setup.stages, self.setup.stream.max_record_bytes
        return {
            topic: Intake(
                decoder=stages.decoder(Decoder(kind, self.setup.schemas, max_record_bytes=most)),
                redactor=stages.redactor(self.setup.redactor),
                sealer=self.setup.sealer,
                now_us=lambda: time.time_ns() // 1000,
                on_rejected=observer.rejected,
                erased=lambda: self.erasures.kept_out,
            )
            for topic, kind in kinds.items()
        }

    def _labelling(self, budget: Budget, observer: Observer) -> Labelling | NoLabels:
        if self.labels is None:
            return NoLabels()
        told = LabelObserver(
            self.metrics, self.setup.log, _now_ms, observer.retried, observer.recovered
        )
        return self.labels.driver(
            self.lake, self.cluster, told, limit=budget.join, erasures=lambda: self.erasures.number
        )

    def _labels(self, setup: LabelSetup) -> LabelParts:
        if setup.topic is not None:
            topic = setup.topic
            ask = partial(self.cluster.partitions, [topic], "GOLDPAN_LABELS__TOPIC")
            self._first_answer("Kafka", ask)
        return LabelParts(
            setup,
            self._first_answer("the lake", setup.open),
            self.setup.kafka,
            self.setup.policy,
            self.setup.stream.retry_seconds,
        )

    def _steps(self, observer: Observer) -> Callable[[str], Steps]:
        watch = Watch(unknown=observer.commit_unknown, settled=observer.commit_settled)
        retry = self._retry(self.setup.stream.retry_seconds, self.giving_up, observer)
        stages = self.setup.stages
        writers = {
            table.name: stages.writer(table, retry=retry, watch=watch, now_ms=_now_ms)
            for table in self.writing_lake.tables()
        }
        steps: dict[str, Steps] = {
            topic: self._record_steps(name, writers, retry, observer)
            for topic, name in self.setup.tables.items()
        }
        if self.labels is not None:
            steps[LABELS] = self.labels.steps(
                writers[TABLE], retry, self.reached, observer.checkpoint_failed
            )
        return {topic: stages.steps(one) for topic, one in steps.items()}.__getitem__

    def _record_steps(
        self, name: str, writers: Mapping[str, TableWriter], retry: Retry, observer: Observer
    ) -> FlushSteps:
        return FlushSteps(
            primary=writers[name],
            quarantine=writers[QUARANTINE],
            audit=writers[AUDIT] if self.setup.audited else None,
            incarnation=lambda topic: retry.call(
                "asking for the topic", lambda: self.cluster.incarnation(topic)
            ),
            reached=self.reached,
            on_checkpoint_error=observer.checkpoint_failed,
            others=[writer.table for other, writer in writers.items() if other != name],
        )
