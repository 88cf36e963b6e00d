"""Puts together what the commands about replays need out of the settings."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry

from batch.numbered_rows import JobContext as BatchMeans
from decode.decoder import Decoder
from goldpan import wiring
from goldpan.replay_labels import ReplayLabels, load_label_rules
from goldpan.replay_labels import plan_labels_only as labels_plan
from goldpan.settings import Settings
from labels.difference import LabelDifference
from lake.commit import CommitWatch
from lake.ledger import Incarnation, SourcePartition, adopted_app
from lake.retry import Retry
from lake.table_writer import TableWriter
from lake.tables import Lake, Table
from schemas.arrow import AUDIT_TABLE, QUARANTINE_TABLE
from schemas.errors import FatalError, UsageError
from stream.adaptive_batch import AdaptiveBatch
from stream.applied_tombstones import AppliedTombstones
from stream.failpoints import FlushStep, parse_failpoint
from stream.flush_scheduler import FlushThresholds
from stream.flusher import RecordFlushRunner, describe_changed_topic
from stream.initial_positions import InitialPositions
from stream.intake import Intake, RecordDecoder
from stream.memory import MemoryBudget, read_resident_bytes
from stream.metrics import Metrics
from stream.probes import ProbeServer
from stream.replay.abandon import abandon_replay as remove
from stream.replay.diff import ReplayComparison, ReplayDifference
from stream.replay.kafka_reader import KafkaReader
from stream.replay.lake_reader import LakeReader, read_stored_bounds, refuse_expired, refuse_time
from stream.replay.metrics import REPLAY_METRICS, ReplayObserver
from stream.replay.plan import ReplayPlan, make_replay_name
from stream.replay.promotion import Promotion, PromotionContext, TablePair
from stream.replay.rate_limiter import RateLimiter
from stream.replay.replay_range import PartitionBounds, ReplayRange, count_unread, resolve_spans
from stream.replay.repository import ReplayRepository
from stream.replay.run import Replay, ReplayReader, ReportProgress
from stream.replay.steps import ReplayLabelStep, ReplayStep
from stream.take_over import TakeOver

PATIENCE_SECONDS = 120.0
"""How long something outside may not answer before a replay ends; it can be run again."""

UNLIMITED_BYTES = 2**62
"""Bytes of a record that was stored: it was let in once."""


@dataclass(frozen=True, slots=True)
class ReplayTask:
    """What a person asks for. ``memory_bytes`` is a ceiling for the whole process.

    ``labels`` is by which label policy labels are decided anew, as a plan holds it (None: by none).
    """

    topic: str
    asked: ReplayRange
    name: str | None
    records_per_second: float | None
    memory_bytes: int
    from_lake: bool
    labels: Mapping[str, Any] | None


def open_staging(settings: Settings) -> ReplayRepository:
    """Return the replays of the lake."""
    return ReplayRepository(settings.lake, Lake(settings.lake))


def replay_retry() -> Retry:
    """Return how a step of a replay is tried again."""
    return wiring.make_retry(PATIENCE_SECONDS)


@dataclass(frozen=True, slots=True)
class ReplayFactory:
    """Makes a replay: first its plan, then what carries it out."""

    settings: Settings
    task: ReplayTask
    parts: wiring.RedactionParts
    staging: ReplayRepository
    reader: KafkaReader
    budget: MemoryBudget

    @classmethod
    def open(cls, settings: Settings, task: ReplayTask) -> "ReplayFactory":
        """Load the policy and connect; UsageError if something is set wrongly."""
        parts = wiring.load_redaction(settings.redact)
        wiring.refuse_other_keys(settings, Lake(settings.lake))
        baseline = read_resident_bytes() + parts.redactor.memory_bytes
        budget = MemoryBudget.plan(task.memory_bytes, baseline)
        reader = KafkaReader(settings.kafka, task.topic, fetch_queue=budget.fetch_queue)
        return cls(settings, task, parts, open_staging(settings), reader, budget)

    def plan(self) -> ReplayPlan:
        """Return the plan of the task: the one that is there, or a new one, written down.

        Raises UsageError if there is nothing to replay, or the name is taken.
        """
        kind_table = wiring.kind_and_table(self.settings.kafka, self.task.topic)[1]
        name = self.task.name or make_replay_name(
            kind_table,
            self.task.topic,
            self.task.asked,
            self.parts.redactor.policy_hash,
            self.task.from_lake,
            self.task.labels and self.task.labels["version"],
        )
        return self.staging.begin(replay_retry().call("planning", partial(self._planned, name)))

    def _planned(self, name: str) -> ReplayPlan:
        topic = self.task.topic
        table = self.staging.live.table(wiring.kind_and_table(self.settings.kafka, topic)[1])
        table.refresh()
        incarnation = self.reader.incarnation(topic)
        if table.incarnation_version(topic) not in (None, incarnation.version()):
            raise FatalError(describe_changed_topic(topic))
        adopted, left = table.number(adopted_app(topic)), 0
        if self.task.from_lake:
            found = resolve_spans(
                self.task.asked, read_stored_bounds(table, topic, adopted), refuse_time
            )
            refuse_expired(table, topic, adopted, found)
        else:
            known: Mapping[SourcePartition, PartitionBounds] = self.reader.read_bounds(
                table.positions
            )
            found = resolve_spans(self.task.asked, known, self.reader.offset_at)
            left = count_unread(self.task.asked, known, self.reader.offset_at)
        if not found and name not in self.staging.names():
            raise UsageError(
                f"There is nothing to replay of {topic} from {self.task.asked}: nothing of it is "
                f"{'in the lake' if self.task.from_lake else 'both in the lake and in Kafka'}."
            )
        return ReplayPlan(
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

    def replay(self, plan: ReplayPlan, observer: ReplayObserver) -> Replay:
        """Return what carries a plan out."""
        stream, lake = self.settings.stream, self.staging.lake(plan.name)
        primary, aside = lake.table(plan.table), lake.table(QUARANTINE_TABLE)
        audit = lake.table(AUDIT_TABLE) if plan.audited else None
        decoder = self._decoder(plan)
        stored = self._stored(plan, decoder) if plan.from_lake else None
        reader = stored or self.reader
        erasures = wiring.open_erasures(self.settings)
        return Replay(
            plan=plan,
            reader=reader,
            take_over=self._take_over(plan, reader, primary, aside, audit),
            beginning=InitialPositions(
                primary={plan.topic: primary},
                quarantine=aside,
                retry=replay_retry(),
                now_ms=_now_ms,
                new_token=wiring.new_token,
            ),
            intake=self._intake(stored or decoder, erasures),
            steps=self._steps(plan, primary, aside, audit),
            due=FlushThresholds(self.budget.flush_bytes(stream.flush_bytes), stream.flush_seconds),
            pace=AdaptiveBatch(self.budget.batch),
            rate=RateLimiter(self.task.records_per_second, time.monotonic, time.sleep),
            retry=replay_retry(),
            patience=PATIENCE_SECONDS,
            monotonic=time.monotonic,
            now_ms=_now_ms,
            new_token=wiring.new_token,
            erasures=erasures,
            observer=observer,
        )

    def _take_over(
        self,
        plan: ReplayPlan,
        reader: ReplayReader,
        primary: Table,
        aside: Table,
        audit: Table | None,
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

    def _decoder(self, plan: ReplayPlan) -> Decoder:
        kind = wiring.kind_and_table(self.settings.kafka, plan.topic)[0]
        return wiring.make_decoder(self.settings, kind, UNLIMITED_BYTES if plan.from_lake else None)

    def _stored(self, plan: ReplayPlan, decoder: Decoder) -> LakeReader:
        kind, name = wiring.kind_and_table(self.settings.kafka, plan.topic)
        table = self.staging.live.table(name)
        return LakeReader(table, plan.topic, kind, decoder, plan.adopted)

    def _intake(self, decoder: RecordDecoder, erasures: AppliedTombstones) -> Intake:
        return Intake(
            decoder=decoder,
            redactor=self.parts.redactor,
            sealer=self.parts.sealer,
            now_us=wiring.now_us,
            on_rejected=lambda _rejected: None,
            erased=lambda: erasures.kept_out,
        )

    def _steps(
        self, plan: ReplayPlan, primary: Table, aside: Table, audit: Table | None
    ) -> RecordFlushRunner:
        writer = partial(TableWriter, retry=replay_retry(), watch=CommitWatch(), now_ms=_now_ms)

        def incarnation(topic: str) -> Incarnation:
            self.staging.check_undecided(plan.name)
            return self.reader.incarnation(topic)

        return RecordFlushRunner(
            primary=writer(primary),
            quarantine=writer(aside),
            audit=writer(audit) if audit else None,
            incarnation=lambda topic: replay_retry().call(
                "asking for the topic", partial(incarnation, topic)
            ),
            reached=parse_failpoint(self.settings.stream.fail_at, FlushStep, ReplayLabelStep),
            on_checkpoint_error=lambda _table, _error: None,
        )


@contextmanager
def observe_replay(
    settings: Settings, topic: str, report: ReportProgress
) -> Iterator[ReplayObserver]:
    """Yield what a replay tells of itself; served as metrics if a port is set for this process."""
    registry = CollectorRegistry()
    observer = ReplayObserver(Metrics(registry, REPLAY_METRICS), topic, report, time.monotonic)
    metrics, probes = settings.metrics, None
    # The default is the worker's, which may run beside this.
    if metrics.port and "port" in metrics.model_fields_set:
        probes = ProbeServer(metrics.host, metrics.port, registry=registry, live=_well, ready=_well)
    try:
        yield observer
    finally:
        if probes:
            probes.close()


def _well() -> str | None:
    return None


def set_up_comparison(settings: Settings, name: str, report: ReportProgress) -> ReplayComparison:
    """Return what compares a replay with the live tables; UsageError if there is none."""
    room = open_staging(settings)
    plan = room.plan(name)
    room.check_staged(plan)
    live, lake = room.live, room.lake(name)
    return ReplayComparison(
        plan=plan,
        live=TablePair(live.table(plan.table), live.table(QUARANTINE_TABLE)),
        stage=TablePair(lake.table(plan.table), lake.table(QUARANTINE_TABLE)),
        live_audit=live.table(AUDIT_TABLE),
        staged_audit=lake.table(AUDIT_TABLE) if plan.audited else None,
        report=report,
    )


def compare_replay(
    settings: Settings, plan: ReplayPlan, report: ReportProgress, *, samples: int
) -> tuple[ReplayDifference | None, LabelDifference | None]:
    """Return what promoting a replay would change of rows, and of labels.

    None where it is not about those, or, of labels, as long as they are not all staged.
    """
    open_staging(settings).check_staged(plan)
    rows = labels = None
    if not plan.labels_only:
        rows = set_up_comparison(settings, plan.name, report).run(samples=samples)
    if plan.labels is not None and (decided := open_replay_labels(settings, plan)).staged:
        report("comparing labels", 0, 0)
        labels = decided.difference(samples=samples)
    return rows, labels


def begin_labels_only(
    settings: Settings,
    topic: str,
    wanted: ReplayRange,
    name: str | None,
    labels: Mapping[str, Any] | None,
) -> ReplayPlan:
    """Return the plan of deciding labels anew: the one that is there, or a new one, written down.

    Raises UsageError if there are no labels to decide, or the name is taken.
    """
    if labels is None:
        raise UsageError(
            "GOLDPAN_LABELS__POLICY is off: give --label-policy, by which labels are decided."
        )
    room, retry = open_staging(settings), replay_retry()
    step = partial(labels_plan, settings, room, topic, wanted, labels)
    plan = retry.call("planning", step)
    return room.begin(plan if name is None else replace(plan, name=name))


def set_up_promotion(settings: Settings, name: str, report: ReportProgress) -> Promotion:
    """Return what promotes a replay."""
    means = PromotionContext(
        retry=replay_retry(),
        now_us=wiring.now_us,
        new_token=wiring.new_token,
        reached=parse_failpoint(settings.stream.fail_at, ReplayStep),
        report=report,
    )
    return Promotion(open_staging(settings), name, means, partial(open_replay_labels, settings))


def open_replay_labels(settings: Settings, plan: ReplayPlan) -> ReplayLabels:
    """Return what deals with the labels of a replay that decides some."""
    means = BatchMeans(replay_retry(), wiring.now_us, wiring.new_token)
    return ReplayLabels.of(settings, open_staging(settings), plan, means)


def load_replay_label_rules(
    settings: Settings, label_policy: str | None
) -> Mapping[str, Any] | None:
    """Return by what a new replay decides labels; see `goldpan.replay_labels.rules`."""
    return load_label_rules(settings, label_policy, replay_retry())


def abandon_replay(settings: Settings, name: str) -> None:
    """Remove a replay; see `stream.replay.abandon`."""
    reached = parse_failpoint(settings.stream.fail_at, ReplayStep)
    remove(open_staging(settings), name, retry=replay_retry(), reached=reached)


def with_redaction_policy(settings: Settings, policy: str | None) -> Settings:
    """Return the settings with another redaction policy."""
    if policy is None:
        return settings
    redact = settings.redact.model_copy(update={"policy": policy})
    return settings.model_copy(update={"redact": redact})


def _now_ms() -> int:
    return wiring.now_us() // 1000
