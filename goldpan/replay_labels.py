"""Puts together what decides the labels of a replay: whose, from which rows, by which policy."""

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
from batch.labels.staged_labels import Progress, StagedLabels
from batch.labels.trace_buckets import ingested_until
from batch.numbered_rows import JobContext
from batch.reviews.review_table import read_review_log
from goldpan import jobs, wiring
from goldpan.settings import Settings
from labels.decision import check_clock
from labels.difference import LabelDifference
from labels.digests import DigestSet
from labels.scorer import LabelScorer
from labels.scorer_snapshot import restore_scorer, snapshot_scorer
from lake.commit import Move
from lake.ledger import Incarnation, adopted_app, replay_app
from lake.retry import Retry
from lake.tables import Lake
from schemas.arrow import LABELS_TABLE, QUARANTINE_TABLE
from schemas.errors import UsageError
from stream.failpoints import FlushStep, parse_failpoint
from stream.replay.lake_reader import resolve_stored_spans
from stream.replay.overlay import ReplayOverlay, read_trace_ids
from stream.replay.plan import ReplayPlan, make_replay_name
from stream.replay.promotion import TablePair
from stream.replay.replay_range import ReplayRange
from stream.replay.repository import (
    PROMOTION_DONE,
    TOUCHED_TRACES,
    UNCHANGED_TRACES,
    ReplayRepository,
)
from stream.replay.steps import ReplayLabelStep


def load_label_rules(
    settings: Settings, label_policy: str | None, retry: Retry
) -> Mapping[str, Any] | None:
    """Return the label policy and calibration of a new replay, None where labels are off.

    ``label_policy`` wins over the settings. Raises UsageError if they cannot be used, or if the
    lake knows this version of the policy with other content, or has labels of a later one.
    """
    labels = settings.labels
    if label_policy is not None:
        labels = labels.model_copy(update={"policy": label_policy})
    if labels.off:
        return None
    lake = Lake(settings.lake)
    scales = load_scorer(labels, lake.location)
    table = lake.table(LABELS_TABLE)
    retry.call("reading table labels", table.refresh)
    retry.call("reading the labels", partial(require_latest_policy, table, scales))
    store = lake.location.files(POLICIES)
    retry.call("reading the policies", partial(require_unchanged_policy, store, scales.policy))
    return snapshot_scorer(scales)


def plan_labels_only(
    settings: Settings,
    room: ReplayRepository,
    topic: str,
    wanted: ReplayRange,
    labels: Mapping[str, Any],
) -> ReplayPlan:
    """Return a new plan by which the labels of stored rows are decided anew, and nothing else.

    A time stands for that of the events. Raises UsageError if no row is in the range,
    RetryableError if the lake does not answer.
    """
    name = wiring.kind_and_table(settings.kafka, topic)[1]
    table = room.live.table(name)
    table.refresh()
    adopted = table.number(adopted_app(topic))
    found = resolve_stored_spans(table, topic, adopted, wanted)
    if not found:
        raise UsageError(f"There is nothing of {topic} from {wanted} in the lake.")
    return ReplayPlan(
        name=make_replay_name(name, topic, wanted, "labels", labels["version"]),
        number=wiring.new_token(),
        topic=topic,
        table=name,
        policy="",
        audited=False,
        asked=str(wanted),
        incarnation=Incarnation("", ""),
        adopted=adopted,
        spans=found,
        created_ms=wiring.now_us() // 1000,
        from_lake=True,
        labels=labels,
        labels_only=True,
    )


@dataclass(frozen=True, slots=True)
class ReplayLabels:
    """The labels of one replay: staged, compared, and put in the place of the live ones."""

    settings: Settings
    staging: ReplayRepository
    plan: ReplayPlan
    scales: LabelScorer
    means: JobContext

    @classmethod
    def of(
        cls, settings: Settings, staging: ReplayRepository, plan: ReplayPlan, means: JobContext
    ) -> "ReplayLabels":
        """Return what deals with the labels of a replay; errors as `restore_scorer`."""
        scales = restore_scorer(plan.labels or {}, f"the plan of the replay {plan.name}")
        return cls(settings, staging, plan, scales, means)

    def stage(self, progress: Progress) -> None:
        """Decide about the traces of the range, and write it beside the live labels."""
        reached = parse_failpoint(self.settings.stream.fail_at, FlushStep, ReplayLabelStep)
        progress("looking for traces", 0, 0)
        self.note()
        reached(ReplayLabelStep.TRACES_NOTED)
        anew = self.means.retry.call("reading the lake", partial(self._anew, staged=True))
        self._proposal().stage(self._touched, anew, progress)
        reached(ReplayLabelStep.LABELS_STAGED)

    @property
    def staged(self) -> bool:
        """Return whether all that is to be decided has been."""
        return self._proposal().complete

    def difference(self, *, samples: int) -> LabelDifference:
        """Compare what is staged with the labels in force."""
        live = self.staging.live.table(LABELS_TABLE)
        left = self.staging.noted(self.plan, UNCHANGED_TRACES)
        return self._proposal().compare(self._touched, left, live, samples=samples)

    def note(self) -> None:
        """Take note of the traces that the rows of the range are about, live and staged."""
        plan = self.plan
        lakes = [self.staging.live]
        if not plan.labels_only:
            lakes.append(self.staging.lake(plan.name))
        for lake in lakes:
            table = lake.table(plan.table)
            self.means.retry.call(f"reading table {table.name}", table.refresh)
            found = self.means.retry.call("reading the lake", partial(read_trace_ids, table, plan))
            self.staging.note(plan, TOUCHED_TRACES, found)

    def fence(self) -> None:
        """Keep out labels from the rows that were there before; the policy holds from now on."""
        store = self.staging.live.location.files(POLICIES)
        self.means.retry.call(
            "writing the policy", partial(register_policy, store, self.scales.policy)
        )
        self._replacing().fence()

    def replace(self, written: Callable[[], None]) -> None:
        """Decide once more, from what the lake holds now, and replace."""
        self._replacing().run(self._touched, written)

    def _replacing(self) -> LabelReplacement:
        return LabelReplacement(
            labels=self.staging.live.table(LABELS_TABLE),
            open_recomputer=self._anew,
            mark=Move(replay_app(self.plan.number), None, PROMOTION_DONE),
            check_texts=not self.plan.labels_only,
            means=self.means,
        )

    def _proposal(self) -> StagedLabels:
        table = self.staging.lake(self.plan.name).table(LABELS_TABLE)
        self.means.retry.call("reading staged labels", table.refresh)
        leave = partial(self.staging.note, self.plan, UNCHANGED_TRACES)
        return StagedLabels(table, replay_app(self.plan.number), leave, self.means)

    @property
    def _touched(self) -> DigestSet:
        return self.staging.noted(self.plan, TOUCHED_TRACES)

    def _anew(self, *, staged: bool = False) -> LabelRecomputer:
        """Return what decides from the tables as they are, or as the replay would leave them."""
        now, live = check_clock(self.means.now_us()), self.staging.live
        traces, feedback, reviews = (live.table(n) for n in ("traces", "feedback", "reviews"))
        for table in (reviews, feedback, traces):
            table.refresh()
        written = read_review_log(reviews)
        reads: dict[str, BatchReader] = {"traces": traces.batches, "feedback": feedback.batches}
        if staged and not self.plan.labels_only:
            reads[self.plan.table] = self._overlay().batches
        return LabelRecomputer(
            readers=EvidenceReaders(**reads, verdicts=written.log.verdicts(), texts=written.texts),
            completeness=EvidenceCompleteness.read(
                traces, feedback, reviews, live.table(LABELS_TABLE)
            ),
            scorer=self.scales,
            window=jobs.join_window(self.settings),
            as_of=min(now, ingested_until([traces, feedback], now=now)),
            now=now,
        )

    def _overlay(self) -> ReplayOverlay:
        plan, live, lake = self.plan, self.staging.live, self.staging.lake(self.plan.name)
        return ReplayOverlay(
            plan,
            TablePair(live.table(plan.table), live.table(QUARANTINE_TABLE)),
            TablePair(lake.table(plan.table), lake.table(QUARANTINE_TABLE)),
        )
