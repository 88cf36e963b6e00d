"""Plans, stages, compares and promotes the labels of a replay."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from batch.labels.completeness import EvidenceCompleteness
from batch.labels.label_replacement import LabelReplacement
from batch.labels.policy_registry import POLICY_FOLDER as POLICIES
from batch.labels.policy_registry import register_policy, require_unchanged_policy
from batch.labels.recompute import BatchReader, EvidenceReaders, LabelRecomputer
from batch.labels.reconciler import require_latest_policy
from batch.labels.scorer_loader import load_scorer
from batch.labels.staged_labels import StagedLabels
from batch.labels.trace_buckets import ingested_until
from batch.progress import ReportProgress
from batch.reviews.review_table import read_review_log
from goldpan import wiring
from goldpan.settings import Settings
from labels.decision import check_clock
from labels.difference import LabelDifference
from labels.digests import DigestSet
from labels.scorer import LabelScorer, restore_scorer, snapshot_scorer
from lake.ledger import Incarnation
from lake.retry import Retry
from lake.table_commit import CommitContext, Move
from lake.table_log import adopted_app, replay_app
from lake.tables import Lake
from schemas.arrow import LABELS_TABLE, QUARANTINE_TABLE
from schemas.errors import UsageError
from stream.failpoints import FlushStep, parse_failpoint
from stream.replay.lake_reader import resolve_stored_spans
from stream.replay.overlay import ReplayOverlay, read_trace_ids
from stream.replay.plan import ReplayPlan, make_replay_name
from stream.replay.replay_range import ReplayRange
from stream.replay.repository import (
    PROMOTION_DONE,
    TOUCHED_TRACES,
    UNCHANGED_TRACES,
    ReplayRepository,
)
from stream.replay.steps import ReplayLabelStep
from stream.replay.table_pair import TablePair


def load_label_rules(
    settings: Settings, label_policy: str | None, retry: Retry
) -> Mapping[str, Any] | None:
    """Return the label policy and calibration of a new replay, None if labels are off.

    ``label_policy`` overrides the settings. Raises UsageError if they cannot be used, if the lake
    knows this version of the policy with other content, or if it has labels of a later version.
    """
    labels = settings.labels
    if label_policy is not None:
        labels = labels.model_copy(update={"policy": label_policy})
    if labels.off:
        return None
    lake = Lake(settings.lake)
    scorer = load_scorer(labels, lake.location)
    table = lake.table(LABELS_TABLE)
    retry.call("reading table labels", table.refresh)
    retry.call("reading the labels", partial(require_latest_policy, table, scorer))
    store = lake.location.files(POLICIES)
    retry.call("reading the policies", partial(require_unchanged_policy, store, scorer.policy))
    return snapshot_scorer(scorer)


def plan_labels_only(
    settings: Settings,
    replays: ReplayRepository,
    topic: str,
    replay_range: ReplayRange,
    labels: Mapping[str, Any],
) -> ReplayPlan:
    """Return a new plan that recomputes the labels of stored rows, and changes no row.

    Times are event times. Raises UsageError if no row is in the range, RetryableError if the lake
    is unreachable.
    """
    name = wiring.kind_and_table(settings.kafka, topic)[1]
    table = replays.live.table(name)
    table.refresh()
    adopted = table.txn_version(adopted_app(topic))
    spans = resolve_stored_spans(table, topic, adopted, replay_range)
    if not spans:
        raise UsageError(f"The lake holds nothing of {topic} from {replay_range}.")
    return ReplayPlan(
        name=make_replay_name(name, topic, replay_range, "labels", labels["version"]),
        replay_id=wiring.new_token(),
        topic=topic,
        table=name,
        policy="",
        audited=False,
        range_text=str(replay_range),
        incarnation=Incarnation("", ""),
        adopted=adopted,
        spans=spans,
        created_ms=wiring.now_us() // 1000,
        from_lake=True,
        labels=labels,
        labels_only=True,
    )


@dataclass(frozen=True, slots=True)
class ReplayLabels:
    """The labels of one replay: staged, compared with the live ones, and promoted."""

    settings: Settings
    replays: ReplayRepository
    plan: ReplayPlan
    scorer: LabelScorer
    context: CommitContext

    @classmethod
    def of(
        cls, settings: Settings, replays: ReplayRepository, plan: ReplayPlan, context: CommitContext
    ) -> "ReplayLabels":
        """Return the labels of a replay; raises errors as `restore_scorer`."""
        scorer = restore_scorer(plan.labels or {}, f"the plan of the replay {plan.name}")
        return cls(settings, replays, plan, scorer, context)

    def stage(self, progress: ReportProgress) -> None:
        """Label the traces of the range, and write the result to the staged table."""
        reached = parse_failpoint(self.settings.stream.fail_at, FlushStep, ReplayLabelStep)
        progress("finding traces", 0, 0)
        self.note()
        reached(ReplayLabelStep.TRACES_NOTED)
        recomputer = self.context.retry.call(
            "reading the lake", partial(self._recomputer, staged=True)
        )
        self._staged_labels().stage(self._touched, recomputer, progress)
        reached(ReplayLabelStep.LABELS_STAGED)

    @property
    def staged(self) -> bool:
        """Return whether all traces of the range are labelled."""
        return self._staged_labels().complete

    def difference(self, *, samples: int) -> LabelDifference:
        """Compare the staged labels with the labels in force."""
        live = self.replays.live.table(LABELS_TABLE)
        unchanged = self.replays.noted(self.plan, UNCHANGED_TRACES)
        return self._staged_labels().compare(self._touched, unchanged, live, samples=samples)

    def note(self) -> None:
        """Record the trace ids of the rows in the range, live and staged."""
        plan = self.plan
        lakes = [self.replays.live]
        if not plan.labels_only:
            lakes.append(self.replays.lake(plan.name))
        for lake in lakes:
            table = lake.table(plan.table)
            self.context.retry.call(f"reading table {table.name}", table.refresh)
            step = partial(read_trace_ids, table, plan)
            trace_ids = self.context.retry.call("reading the lake", step)
            self.replays.note(plan, TOUCHED_TRACES, trace_ids)

    def fence(self) -> None:
        """Register the policy, and reject labels computed from the rows of before the promotion."""
        store = self.replays.live.location.files(POLICIES)
        self.context.retry.call(
            "writing the policy", partial(register_policy, store, self.scorer.policy)
        )
        self._replacement().fence()

    def replace(self, on_written: Callable[[], None]) -> None:
        """Label again, from what the lake holds now, and replace the live labels."""
        self._replacement().run(self._touched, on_written)

    def _replacement(self) -> LabelReplacement:
        return LabelReplacement(
            labels=self.replays.live.table(LABELS_TABLE),
            open_recomputer=self._recomputer,
            mark=Move(replay_app(self.plan.replay_id), None, PROMOTION_DONE),
            check_texts=not self.plan.labels_only,
            context=self.context,
        )

    def _staged_labels(self) -> StagedLabels:
        table = self.replays.lake(self.plan.name).table(LABELS_TABLE)
        self.context.retry.call("reading staged labels", table.refresh)
        record_unchanged = partial(self.replays.note, self.plan, UNCHANGED_TRACES)
        return StagedLabels(table, replay_app(self.plan.replay_id), record_unchanged, self.context)

    @property
    def _touched(self) -> DigestSet:
        return self.replays.noted(self.plan, TOUCHED_TRACES)

    def _recomputer(self, *, staged: bool = False) -> LabelRecomputer:
        """Return the recomputation from the live tables; ``staged``: as the replay changes them."""
        now, live = check_clock(self.context.now_us()), self.replays.live
        traces, feedback, reviews = (live.table(n) for n in ("traces", "feedback", "reviews"))
        for table in (reviews, feedback, traces):
            table.refresh()
        review_log = read_review_log(reviews)
        reads: dict[str, BatchReader] = {"traces": traces.batches, "feedback": feedback.batches}
        if staged and not self.plan.labels_only:
            reads[self.plan.table] = self._overlay().batches
        return LabelRecomputer(
            readers=EvidenceReaders(
                **reads, verdicts=review_log.log.verdicts(), texts=review_log.texts
            ),
            completeness=EvidenceCompleteness.read(
                traces, feedback, reviews, live.table(LABELS_TABLE)
            ),
            scorer=self.scorer,
            window=wiring.join_window(self.settings),
            as_of=min(now, ingested_until([traces, feedback], now=now)),
            now=now,
        )

    def _overlay(self) -> ReplayOverlay:
        plan, live, lake = self.plan, self.replays.live, self.replays.lake(self.plan.name)
        return ReplayOverlay(
            plan,
            TablePair(live.table(plan.table), live.table(QUARANTINE_TABLE)),
            TablePair(lake.table(plan.table), lake.table(QUARANTINE_TABLE)),
        )
