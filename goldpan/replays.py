"""Puts together what the commands about replays need out of the settings."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry

from batch.sequence import Means as BatchMeans
from goldpan import wiring
from goldpan.replay_labels import ReplayLabels, rules
from goldpan.replay_labels import only_labels as labels_plan
from goldpan.settings import Settings
from labels.difference import LabelDifference
from lake.commit import Watch
from lake.ledger import Incarnation, Source, adopted_app
from lake.retry import Retry
from lake.tables import Lake, Table
from lake.writer import TableWriter
from schemas.arrow import AUDIT, QUARANTINE
from schemas.errors import FatalError, UsageError
from stream.assignment import TakeOver
from stream.beginning import Beginning
from stream.decode.decoder import Decoder
from stream.erasures import Erasures
from stream.failpoints import Step, parse
from stream.flusher import FlushSteps, another_topic
from stream.flushes import Due
from stream.intake import Decodes, Intake
from stream.memory import Budget, resident_bytes
from stream.metrics import Metrics
from stream.pace import Pace
from stream.probes import Probes
from stream.replay.abandon import abandon as remove
from stream.replay.bounds import Asked, Known, spans, unread
from stream.replay.diff import Comparison, Difference
from stream.replay.metrics import SPECS, ReplayObserver
from stream.replay.plan import Plan, name_for
from stream.replay.promote import Means, Pair, Promotion
from stream.replay.rate import Rate
from stream.replay.reader import Reader
from stream.replay.run import Reads, Replay, Report
from stream.replay.staging import Staging
from stream.replay.steps import LabelStep, ReplayStep
from stream.replay.stored import StoredReader, no_times, refuse_expired, stored_extent

PATIENCE_SECONDS = 120.0
"""How long something outside may not answer before a replay ends; it can be run again."""

NO_LIMIT = 2**62
"""Bytes of a record that was stored: it was let in once."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a person asks for. ``memory_bytes`` is a ceiling for the whole process.

    ``labels`` is by which label policy labels are decided anew, as a plan holds it (None: by none).
    """

    topic: str
    asked: Asked
    name: str | None
    records_per_second: float | None
    memory_bytes: int
    from_lake: bool
    labels: Mapping[str, Any] | None


def staging(settings: Settings) -> Staging:
    """Return the replays of the lake."""
    return Staging(settings.lake, Lake(settings.lake))


def patience() -> Retry:
    """Return how a step of a replay is tried again."""
    return wiring.retry(PATIENCE_SECONDS)


@dataclass(frozen=True, slots=True)
class Workshop:
    """Makes a replay: first its plan, then what carries it out."""

    settings: Settings
    task: Task
    parts: wiring.Redaction
    staging: Staging
    reader: Reader
    budget: Budget

    @classmethod
    def open(cls, settings: Settings, task: Task) -> "Workshop":
        """Load the policy and connect; UsageError if something is set wrongly."""
        parts = wiring.redaction(settings.redact)
        wiring.refuse_other_keys(settings, Lake(settings.lake))
        baseline = resident_bytes() + parts.redactor.memory_bytes
        budget = Budget.plan(task.memory_bytes, baseline)
        reader = Reader(settings.kafka, task.topic, fetch_queue=budget.fetch_queue)
        return cls(settings, task, parts, staging(settings), reader, budget)

    def plan(self) -> Plan:
        """Return the plan of the task: the one that is there, or a new one, written down.

        Raises UsageError if there is nothing to replay, or the name is taken.
        """
        kind_table = wiring.kind_and_table(self.settings.kafka, self.task.topic)[1]
        name = self.task.name or name_for(
            kind_table,
            self.task.topic,
            self.task.asked,
            self.parts.redactor.policy_hash,
            self.task.from_lake,
            self.task.labels and self.task.labels["version"],
        )
        return self.staging.begin(patience().call("planning", partial(self._planned, name)))

    def _planned(self, name: str) -> Plan:
        topic = self.task.topic
        table = self.staging.live.table(wiring.kind_and_table(self.settings.kafka, topic)[1])
        table.refresh()
        incarnation = self.reader.incarnation(topic)
        if table.incarnation_version(topic) not in (None, incarnation.version()):
            raise FatalError(another_topic(topic))
        adopted, left = table.number(adopted_app(topic)), 0
        if self.task.from_lake:
            found = spans(self.task.asked, stored_extent(table, topic, adopted), no_times)
            refuse_expired(table, topic, adopted, found)
        else:
            known: Mapping[Source, Known] = self.reader.known(table.positions)
            found = spans(self.task.asked, known, self.reader.offset_at)
            left = unread(self.task.asked, known, self.reader.offset_at)
        if not found and name not in self.staging.names():
            raise UsageError(
                f"There is nothing to replay of {topic} from {self.task.asked}: nothing of it is "
                f"{'in the lake' if self.task.from_lake else 'both in the lake and in Kafka'}."
            )
        return Plan(
            name=name,
            number=wiring.new_token(),
            topic=topic,
            table=table.name,
            policy=self.parts.redactor.policy_hash,
            audited=self.parts.audited,
            asked=str(self.task.asked),
            incarnation=incarnation,
            adopted=adopted,
            spans=found,
            created_ms=wiring.now_us() // 1000,
            from_lake=self.task.from_lake,
            labels=self.task.labels,
            unread=left,
        )

    def replay(self, plan: Plan, observer: ReplayObserver) -> Replay:
        """Return what carries a plan out."""
        stream, lake = self.settings.stream, self.staging.lake(plan.name)
        primary, aside = lake.table(plan.table), lake.table(QUARANTINE)
        audit = lake.table(AUDIT) if plan.audited else None
        decoder = self._decoder(plan)
        stored = self._stored(plan, decoder) if plan.from_lake else None
        reader = stored or self.reader
        erasures = wiring.erasures(self.settings)
        return Replay(
            plan=plan,
            reader=reader,
            take_over=self._take_over(plan, reader, primary, aside, audit),
            beginning=Beginning(
                primary={plan.topic: primary},
                quarantine=aside,
                retry=patience(),
                now_ms=_now_ms,
                new_token=wiring.new_token,
            ),
            intake=self._intake(stored or decoder, erasures),
            steps=self._steps(plan, primary, aside, audit),
            due=Due(self.budget.flush_bytes(stream.flush_bytes), stream.flush_seconds),
            pace=Pace(self.budget.batch),
            rate=Rate(self.task.records_per_second, time.monotonic, time.sleep),
            retry=patience(),
            patience=PATIENCE_SECONDS,
            monotonic=time.monotonic,
            now_ms=_now_ms,
            new_token=wiring.new_token,
            erasures=erasures,
            observer=observer,
        )

    def _take_over(
        self, plan: Plan, reader: Reads, primary: Table, aside: Table, audit: Table | None
    ) -> TakeOver:
        return TakeOver(
            primary={plan.topic: primary},
            quarantine=aside,
            audit=audit,
            labels=None,
            incarnation=self.reader.incarnation,
            watermarks=reader.watermarks,
            start="earliest",
            on_lost_offsets="fail",
            on_lost=lambda _source, _start, _end: None,
        )

    def _decoder(self, plan: Plan) -> Decoder:
        kind = wiring.kind_and_table(self.settings.kafka, plan.topic)[0]
        return wiring.decoder(self.settings, kind, NO_LIMIT if plan.from_lake else None)

    def _stored(self, plan: Plan, decoder: Decoder) -> StoredReader:
        kind, name = wiring.kind_and_table(self.settings.kafka, plan.topic)
        table = self.staging.live.table(name)
        return StoredReader(table, plan.topic, kind, decoder, plan.adopted)

    def _intake(self, decoder: Decodes, erasures: Erasures) -> Intake:
        return Intake(
            decoder=decoder,
            redactor=self.parts.redactor,
            sealer=self.parts.sealer,
            now_us=wiring.now_us,
            on_rejected=lambda _rejected: None,
            erased=lambda: erasures.kept_out,
        )

    def _steps(self, plan: Plan, primary: Table, aside: Table, audit: Table | None) -> FlushSteps:
        writer = partial(TableWriter, retry=patience(), watch=Watch(), now_ms=_now_ms)

        def incarnation(topic: str) -> Incarnation:
            self.staging.check_undecided(plan.name)
            return self.reader.incarnation(topic)

        return FlushSteps(
            primary=writer(primary),
            quarantine=writer(aside),
            audit=writer(audit) if audit else None,
            incarnation=lambda topic: patience().call(
                "asking for the topic", partial(incarnation, topic)
            ),
            reached=parse(self.settings.stream.fail_at, Step, LabelStep),
            on_checkpoint_error=lambda _table, _error: None,
        )


@contextmanager
def observed(settings: Settings, topic: str, report: Report) -> Iterator[ReplayObserver]:
    """Yield what a replay tells of itself; served as metrics if a port is set for this process."""
    registry = CollectorRegistry()
    observer = ReplayObserver(Metrics(registry, SPECS), topic, report, time.monotonic)
    metrics, probes = settings.metrics, None
    # The default is the worker's, which may run beside this.
    if metrics.port and "port" in metrics.model_fields_set:
        probes = Probes(metrics.host, metrics.port, registry=registry, live=_well, ready=_well)
    try:
        yield observer
    finally:
        if probes:
            probes.close()


def _well() -> str | None:
    return None


def comparison(settings: Settings, name: str, report: Report) -> Comparison:
    """Return what compares a replay with the live tables; UsageError if there is none."""
    room = staging(settings)
    plan = room.plan(name)
    room.check_kept(plan)
    live, lake = room.live, room.lake(name)
    return Comparison(
        plan=plan,
        live=Pair(live.table(plan.table), live.table(QUARANTINE)),
        stage=Pair(lake.table(plan.table), lake.table(QUARANTINE)),
        live_audit=live.table(AUDIT),
        staged_audit=lake.table(AUDIT) if plan.audited else None,
        report=report,
    )


def differences(
    settings: Settings, plan: Plan, report: Report, *, samples: int
) -> tuple[Difference | None, LabelDifference | None]:
    """Return what promoting a replay would change of rows, and of labels.

    None where it is not about those, or, of labels, as long as they are not all staged.
    """
    staging(settings).check_kept(plan)
    rows = labels = None
    if not plan.labels_only:
        rows = comparison(settings, plan.name, report).run(samples=samples)
    if plan.labels is not None and (decided := labels_of(settings, plan)).staged:
        report("comparing labels", 0, 0)
        labels = decided.difference(samples=samples)
    return rows, labels


def only_labels(
    settings: Settings,
    topic: str,
    wanted: Asked,
    name: str | None,
    labels: Mapping[str, Any] | None,
) -> Plan:
    """Return the plan of deciding labels anew: the one that is there, or a new one, written down.

    Raises UsageError if there are no labels to decide, or the name is taken.
    """
    if labels is None:
        raise UsageError(
            "GOLDPAN_LABELS__POLICY is off: give --label-policy, by which labels are decided."
        )
    room, retry = staging(settings), patience()
    step = partial(labels_plan, settings, room, topic, wanted, labels)
    plan = retry.call("planning", step)
    return room.begin(plan if name is None else replace(plan, name=name))


def promotion(settings: Settings, name: str, report: Report) -> Promotion:
    """Return what promotes a replay."""
    means = Means(
        retry=patience(),
        now_us=wiring.now_us,
        new_token=wiring.new_token,
        reached=parse(settings.stream.fail_at, ReplayStep),
        report=report,
    )
    return Promotion(staging(settings), name, means, partial(labels_of, settings))


def labels_of(settings: Settings, plan: Plan) -> ReplayLabels:
    """Return what deals with the labels of a replay that decides some."""
    means = BatchMeans(patience(), wiring.now_us, wiring.new_token)
    return ReplayLabels.of(settings, staging(settings), plan, means)


def label_rules(settings: Settings, label_policy: str | None) -> Mapping[str, Any] | None:
    """Return by what a new replay decides labels; see `goldpan.replay_labels.rules`."""
    return rules(settings, label_policy, patience())


def abandon(settings: Settings, name: str) -> None:
    """Remove a replay; see `stream.replay.abandon`."""
    reached = parse(settings.stream.fail_at, ReplayStep)
    remove(staging(settings), name, retry=patience(), reached=reached)


def with_policy(settings: Settings, policy: str | None) -> Settings:
    """Return the settings with another redaction policy."""
    if policy is None:
        return settings
    redact = settings.redact.model_copy(update={"policy": policy})
    return settings.model_copy(update={"redact": redact})


def _now_ms() -> int:
    return wiring.now_us() // 1000
