"""Sets up replays from the settings: plan, run, compare, promote, abandon."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry

from goldpan import wiring
from goldpan.replay_labels import ReplayLabels, load_label_rules, plan_labels_only
from goldpan.settings import Settings
from labels.difference import LabelDifference
from lake.ledger import Incarnation, SourcePartition
from lake.retry import Retry
from lake.table_commit import CommitContext
from lake.table_log import adopted_app
from lake.table_writer import TableWriter
from lake.tables import Lake, Table
from schemas.arrow import AUDIT_TABLE, QUARANTINE_TABLE, SPANS_TABLE
from schemas.errors import FatalError, UsageError
from stream.adaptive_batch import AdaptiveBatch
from stream.applied_tombstones import AppliedTombstones
from stream.failpoints import FlushStep, parse_failpoint
from stream.flush_scheduler import FlushThresholds
from stream.flusher import RecordFlushRunner, describe_changed_topic
from stream.initial_positions import InitialPositions
from stream.intake import SIGNALS_AT_ONCE, Intake, RecordDecoder
from stream.memory import MemoryBudget, read_resident_bytes
from stream.metrics import Metrics
from stream.probes import ProbeServer
from stream.replay.abandon import abandon_replay as remove_staged
from stream.replay.diff import ReplayComparison, ReplayDifference
from stream.replay.kafka_reader import KafkaReader
from stream.replay.lake_reader import LakeReader, read_stored_bounds, refuse_expired, refuse_time
from stream.replay.metrics import REPLAY_METRICS, ReplayObserver
from stream.replay.plan import ReplayPlan, make_replay_name
from stream.replay.promotion import Promotion, PromotionContext
from stream.replay.rate_limiter import RateLimiter
from stream.replay.replay_range import PartitionBounds, ReplayRange, count_unread, resolve_spans
from stream.replay.repository import ReplayRepository
from stream.replay.run import Replay, ReplayReader, ReportProgress
from stream.replay.steps import ReplayLabelStep, ReplayStep
from stream.replay.table_pair import TablePair
from stream.source_topics import source_topics
from stream.take_over import TakeOver

REPLAY_RETRY_SECONDS = 120.0
"""How long Kafka or the lake may be unreachable before a replay ends; it can be resumed."""

UNLIMITED_BYTES = 2**62
"""Size limit of stored records: they passed the limit when they were ingested."""


@dataclass(frozen=True, slots=True)
class ReplayTask:
    """The options of a replay. ``memory_bytes`` is a limit for the whole process.

    ``labels`` is the pinned label policy that recomputes labels, None if they are left alone.
    """

    topic: str
    replay_range: ReplayRange
    name: str | None
    records_per_second: float | None
    memory_bytes: int
    from_lake: bool
    labels: Mapping[str, Any] | None


def open_staging(settings: Settings) -> ReplayRepository:
    """Return the store of staged replays."""
    return ReplayRepository(settings.lake, Lake(settings.lake))


def replay_retry() -> Retry:
    """Return the retry policy for steps of a replay."""
    return wiring.make_retry(REPLAY_RETRY_SECONDS)


@dataclass(frozen=True, slots=True)
class ReplayFactory:
    """Creates a replay: first its plan, then the run."""

    settings: Settings
    task: ReplayTask
    redaction: wiring.RedactionParts
    replays: ReplayRepository
    reader: KafkaReader
    budget: MemoryBudget

    @classmethod
    def open(cls, settings: Settings, task: ReplayTask) -> "ReplayFactory":
        """Load the policy and connect; UsageError if a setting is wrong."""
        redaction = wiring.load_redaction(settings.redact)
        wiring.refuse_other_keys(settings, Lake(settings.lake))
        baseline = read_resident_bytes() + redaction.redactor.memory_bytes
        budget = MemoryBudget.plan(task.memory_bytes, baseline)
        reader = KafkaReader(settings.kafka, task.topic, fetch_queue=budget.fetch_queue)
        return cls(settings, task, redaction, open_staging(settings), reader, budget)

    def plan(self) -> ReplayPlan:
        """Return the stored plan of the task, or store a new one.

        Raises UsageError if there is nothing to replay, or the name is taken.
        """
        table = wiring.kind_and_table(self.settings.kafka, self.task.topic)[1]
        name = self.task.name or make_replay_name(
            table,
            self.task.topic,
            self.task.replay_range,
            self.redaction.redactor.policy_hash,
            self.task.from_lake,
            self.task.labels and self.task.labels["version"],
        )
        return self.replays.begin(replay_retry().call("planning", partial(self._new_plan, name)))

    def _new_plan(self, name: str) -> ReplayPlan:
        topic = self.task.topic
        table = self.replays.live.table(wiring.kind_and_table(self.settings.kafka, topic)[1])
        table.refresh()
        incarnation = self.reader.incarnation(topic)
        if table.incarnation_version(topic) not in (None, incarnation.version()):
            raise FatalError(describe_changed_topic(topic))
        adopted, unread = table.txn_version(adopted_app(topic)), 0
        if self.task.from_lake:
            spans = resolve_spans(
                self.task.replay_range, read_stored_bounds(table, topic, adopted), refuse_time
            )
            refuse_expired(table, topic, adopted, spans)
        else:
            bounds: Mapping[SourcePartition, PartitionBounds] = self.reader.read_bounds(
                table.positions
            )
            spans = resolve_spans(self.task.replay_range, bounds, self.reader.offset_at)
            unread = count_unread(self.task.replay_range, bounds, self.reader.offset_at)
        if not spans and name not in self.replays.names():
            raise UsageError(
                f"Nothing of {topic} can be replayed from {self.task.replay_range}: no record of "
                f"it is {'' if self.task.from_lake else 'both in Kafka and '}in the lake."
            )
        return ReplayPlan(
            name=name,
            replay_id=wiring.new_token(),
            topic=topic,
            table=table.name,
            policy=self.redaction.redactor.policy_hash,
            audited=self.redaction.audited,
            range_text=str(self.task.replay_range),
            incarnation=incarnation,
            adopted=adopted,
            spans=spans,
            created_ms=wiring.now_us() // 1000,
            from_lake=self.task.from_lake,
            labels=None if table.name == SPANS_TABLE else self.task.labels,
            unread=unread,
        )

    def replay(self, plan: ReplayPlan, observer: ReplayObserver) -> Replay:
        """Return the run of a plan."""
        stream, lake = self.settings.stream, self.replays.lake(plan.name)
        primary, quarantine = lake.table(plan.table), lake.table(QUARANTINE_TABLE)
        audit = lake.table(AUDIT_TABLE) if plan.audited else None
        decoder = self._decoder(plan)
        lake_reader = self._lake_reader(plan, decoder) if plan.from_lake else None
        reader = lake_reader or self.reader
        erasures = wiring.open_erasures(self.settings)
        return Replay(
            plan=plan,
            reader=reader,
            take_over=self._take_over(plan, reader, primary, quarantine, audit),
            beginning=InitialPositions(
                primary={plan.topic: primary},
                quarantine=quarantine,
                context=_commit_context(),
            ),
            intake=self._intake(plan, lake_reader or decoder, erasures),
            steps=self._steps(plan, primary, quarantine, audit),
            thresholds=FlushThresholds(
                self.budget.flush_bytes(stream.flush_bytes), stream.flush_seconds
            ),
            pace=AdaptiveBatch(self.budget.batch),
            rate=RateLimiter(self.task.records_per_second, time.monotonic, time.sleep),
            context=_commit_context(),
            patience=REPLAY_RETRY_SECONDS,
            monotonic=time.monotonic,
            erasures=erasures,
            observer=observer,
        )

    def _take_over(
        self,
        plan: ReplayPlan,
        reader: ReplayReader,
        primary: Table,
        quarantine: Table,
        audit: Table | None,
    ) -> TakeOver:
        return TakeOver(
            primary={plan.topic: primary},
            quarantine=quarantine,
            audit=audit,
            labels=None,
            incarnation=self.reader.incarnation,
            watermarks=reader.watermarks,
            start="earliest",
            on_lost_offsets="fail",
            on_lost=lambda _source, _start, _end: None,
        )

    def _decoder(self, plan: ReplayPlan) -> RecordDecoder:
        source = source_topics(self.settings.kafka)[plan.topic]
        if plan.from_lake:
            return wiring.make_decoder(self.settings, source.kind, UNLIMITED_BYTES)
        if source.signal_format is not None:
            return wiring.make_signal_decoder(self.settings, source.signal_format)
        return wiring.make_decoder(self.settings, source.kind)

    def _lake_reader(self, plan: ReplayPlan, decoder: RecordDecoder) -> LakeReader:
        kind, name = wiring.kind_and_table(self.settings.kafka, plan.topic)
        table = self.replays.live.table(name)
        return LakeReader(table, plan.topic, kind, decoder, plan.adopted)

    def _intake(
        self, plan: ReplayPlan, decoder: RecordDecoder, erasures: AppliedTombstones
    ) -> Intake:
        return Intake(
            decoder=decoder,
            redactor=self.redaction.redactor,
            sealer=self.redaction.sealer,
            now_us=wiring.now_us,
            on_rejected=lambda _rejected: None,
            erased=lambda: erasures.kept_out,
            part_bytes=SIGNALS_AT_ONCE if plan.table == SPANS_TABLE else None,
        )

    def _steps(
        self, plan: ReplayPlan, primary: Table, quarantine: Table, audit: Table | None
    ) -> RecordFlushRunner:
        context = _commit_context()

        def incarnation(topic: str) -> Incarnation:
            self.replays.check_undecided(plan.name)
            return self.reader.incarnation(topic)

        return RecordFlushRunner(
            primary=TableWriter(primary, context),
            quarantine=TableWriter(quarantine, context),
            audit=TableWriter(audit, context) if audit else None,
            incarnation=lambda topic: replay_retry().call(
                "reading the topic id", partial(incarnation, topic)
            ),
            reached=parse_failpoint(self.settings.stream.fail_at, FlushStep, ReplayLabelStep),
            on_checkpoint_error=lambda _table, _error: None,
        )


@contextmanager
def observe_replay(
    settings: Settings, topic: str, report: ReportProgress
) -> Iterator[ReplayObserver]:
    """Yield the observer of a replay; serve its metrics if a port is set for this process."""
    registry = CollectorRegistry()
    observer = ReplayObserver(Metrics(registry, REPLAY_METRICS), topic, report, time.monotonic)
    metrics, probes = settings.metrics, None
    # Not on the default port: it is the worker's, which may run on this machine too.
    if metrics.port and "port" in metrics.model_fields_set:
        probes = ProbeServer(
            metrics.host, metrics.port, registry=registry, live=_no_problem, ready=_no_problem
        )
    try:
        yield observer
    finally:
        if probes:
            probes.close()


def _no_problem() -> str | None:
    return None


def set_up_comparison(settings: Settings, name: str, report: ReportProgress) -> ReplayComparison:
    """Return the comparison of a replay with the live tables; UsageError if it does not exist."""
    replays = open_staging(settings)
    plan = replays.plan(name)
    replays.check_staged(plan)
    live, lake = replays.live, replays.lake(name)
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
    """Return what promoting a replay would change in rows, and in labels.

    Either is None if the replay does not touch it; labels also until all of them are staged.
    """
    open_staging(settings).check_staged(plan)
    rows = labels = None
    if not plan.labels_only:
        rows = set_up_comparison(settings, plan.name, report).run(samples=samples)
    if plan.labels is not None and (staged_labels := open_replay_labels(settings, plan)).staged:
        report("comparing labels", 0, 0)
        labels = staged_labels.difference(samples=samples)
    return rows, labels


def begin_labels_only(
    settings: Settings,
    topic: str,
    replay_range: ReplayRange,
    name: str | None,
    labels: Mapping[str, Any] | None,
) -> ReplayPlan:
    """Return the stored plan of recomputing labels only, or store a new one.

    Raises UsageError if labels are off, nothing is in the range, or the name is taken.
    """
    if labels is None:
        raise UsageError("GOLDPAN_LABELS__POLICY is off: name a label policy with --label-policy.")
    replays, retry = open_staging(settings), replay_retry()
    step = partial(plan_labels_only, settings, replays, topic, replay_range, labels)
    plan = retry.call("planning", step)
    return replays.begin(plan if name is None else replace(plan, name=name))


def set_up_promotion(settings: Settings, name: str, report: ReportProgress) -> Promotion:
    """Return the promotion of a replay."""
    context = PromotionContext(
        commits=_commit_context(),
        reached=parse_failpoint(settings.stream.fail_at, ReplayStep),
        report=report,
    )
    return Promotion(open_staging(settings), name, context, partial(open_replay_labels, settings))


def open_replay_labels(settings: Settings, plan: ReplayPlan) -> ReplayLabels:
    """Return the labels of a replay that recomputes some."""
    return ReplayLabels.of(settings, open_staging(settings), plan, _commit_context())


def load_replay_label_rules(
    settings: Settings, label_policy: str | None
) -> Mapping[str, Any] | None:
    """Return the label policy of a new replay; see `goldpan.replay_labels.load_label_rules`."""
    return load_label_rules(settings, label_policy, replay_retry())


def remove_replay(settings: Settings, name: str) -> None:
    """Remove a replay (see `stream.replay.abandon`)."""
    reached = parse_failpoint(settings.stream.fail_at, ReplayStep)
    remove_staged(open_staging(settings), name, retry=replay_retry(), reached=reached)


def with_redaction_policy(settings: Settings, policy: str | None) -> Settings:
    """Return the settings with another redaction policy."""
    if policy is None:
        return settings
    redact = settings.redact.model_copy(update={"policy": policy})
    return settings.model_copy(update={"redact": redact})


def _commit_context() -> CommitContext:
    return wiring.make_commit_context(REPLAY_RETRY_SECONDS)
