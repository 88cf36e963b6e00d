"""Puts together what decides the labels of a replay: whose, from which rows, by which policy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from batch.labels.anew import Anew, Known, Read
from batch.labels.policies import FOLDER as POLICIES
from batch.labels.policies import refuse_changed, register
from batch.labels.proposed import Progress, Proposal
from batch.labels.reconcile import refuse_later
from batch.labels.replacing import Replacing
from batch.labels.scales import open_scales
from batch.labels.scan import read_up_to
from batch.labels.whole import Whole
from batch.reviews.log import read_log
from batch.sequence import Means
from goldpan import jobs, wiring
from goldpan.settings import Settings
from labels.decide import checked_clock
from labels.difference import LabelDifference
from labels.evidence import Scales
from labels.pinned import pinned, scales_of
from labels.textset import TextSet
from lake.commit import Move
from lake.ledger import Incarnation, adopted_app, replay_app
from lake.retry import Retry
from lake.tables import Lake
from schemas.arrow import LABELS, QUARANTINE
from schemas.errors import UsageError
from stream.failpoints import Step, parse
from stream.replay.bounds import Asked
from stream.replay.overlay import Overlay, traces_of
from stream.replay.plan import Plan, name_for
from stream.replay.promote import Pair
from stream.replay.staging import LEFT, PROMOTED, TOUCHED, Staging
from stream.replay.steps import LabelStep
from stream.replay.stored import stored_spans


def rules(settings: Settings, label_policy: str | None, retry: Retry) -> Mapping[str, Any] | None:
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
    scales = open_scales(labels, lake.location)
    table = lake.table(LABELS)
    retry.call("reading table labels", table.refresh)
    retry.call("reading the labels", partial(refuse_later, table, scales))
    store = lake.location.files(POLICIES)
    retry.call("reading the policies", partial(refuse_changed, store, scales.policy))
    return pinned(scales)


def only_labels(
    settings: Settings, room: Staging, topic: str, wanted: Asked, labels: Mapping[str, Any]
) -> Plan:
    """Return a new plan by which the labels of stored rows are decided anew, and nothing else.

    A time stands for that of the events. Raises UsageError if no row is in the range,
    RetryableError if the lake does not answer.
    """
    name = wiring.kind_and_table(settings.kafka, topic)[1]
    table = room.live.table(name)
    table.refresh()
    adopted = table.number(adopted_app(topic))
    found = stored_spans(table, topic, adopted, wanted)
    if not found:
        raise UsageError(f"There is nothing of {topic} from {wanted} in the lake.")
    return Plan(
        name=name_for(name, topic, wanted, "labels", labels["version"]),
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
    staging: Staging
    plan: Plan
    scales: Scales
    means: Means

    @classmethod
    def of(cls, settings: Settings, staging: Staging, plan: Plan, means: Means) -> "ReplayLabels":
        """Return what deals with the labels of a replay; errors as `scales_of`."""
        scales = scales_of(plan.labels or {}, f"the plan of the replay {plan.name}")
        return cls(settings, staging, plan, scales, means)

    def stage(self, progress: Progress) -> None:
        """Decide about the traces of the range, and write it beside the live labels."""
        reached = parse(self.settings.stream.fail_at, Step, LabelStep)
        progress("looking for traces", 0, 0)
        self.note()
        reached(LabelStep.TRACES_NOTED)
        anew = self.means.retry.call("reading the lake", partial(self._anew, staged=True))
        self._proposal().make(self._touched, anew, progress)
        reached(LabelStep.LABELS_STAGED)

    @property
    def staged(self) -> bool:
        """Return whether all that is to be decided has been."""
        return self._proposal().complete

    def difference(self, *, samples: int) -> LabelDifference:
        """Compare what is staged with the labels in force."""
        live = self.staging.live.table(LABELS)
        left = self.staging.noted(self.plan, LEFT)
        return self._proposal().difference(self._touched, left, live, samples=samples)

    def note(self) -> None:
        """Take note of the traces that the rows of the range are about, live and staged."""
        plan = self.plan
        lakes = [self.staging.live]
        if not plan.labels_only:
            lakes.append(self.staging.lake(plan.name))
        for lake in lakes:
            table = lake.table(plan.table)
            self.means.retry.call(f"reading table {table.name}", table.refresh)
            found = self.means.retry.call("reading the lake", partial(traces_of, table, plan))
            self.staging.note(plan, TOUCHED, found)

    def fence(self) -> None:
        """Keep out labels from the rows that were there before; the policy holds from now on."""
        store = self.staging.live.location.files(POLICIES)
        self.means.retry.call("writing the policy", partial(register, store, self.scales.policy))
        self._replacing().fence()

    def replace(self, written: Callable[[], None]) -> None:
        """Decide once more, from what the lake holds now, and replace."""
        self._replacing().run(self._touched, written)

    def _replacing(self) -> Replacing:
        return Replacing(
            labels=self.staging.live.table(LABELS),
            look=self._anew,
            mark=Move(replay_app(self.plan.number), None, PROMOTED),
            judge_texts=not self.plan.labels_only,
            means=self.means,
        )

    def _proposal(self) -> Proposal:
        table = self.staging.lake(self.plan.name).table(LABELS)
        self.means.retry.call("reading staged labels", table.refresh)
        leave = partial(self.staging.note, self.plan, LEFT)
        return Proposal(table, replay_app(self.plan.number), leave, self.means)

    @property
    def _touched(self) -> TextSet:
        return self.staging.noted(self.plan, TOUCHED)

    def _anew(self, *, staged: bool = False) -> Anew:
        """Return what decides from the tables as they are, or as the replay would leave them."""
        now, live = checked_clock(self.means.now_us()), self.staging.live
        traces, feedback, reviews = (live.table(n) for n in ("traces", "feedback", "reviews"))
        for table in (reviews, feedback, traces):
            table.refresh()
        written = read_log(reviews)
        reads: dict[str, Read] = {"traces": traces.batches, "feedback": feedback.batches}
        if staged and not self.plan.labels_only:
            reads[self.plan.table] = self._overlay().batches
        return Anew(
            known=Known(**reads, verdicts=written.log.verdicts(), texts=written.texts),
            whole=Whole.of(traces, feedback, reviews, live.table(LABELS)),
            scales=self.scales,
            window=jobs.window(self.settings),
            as_of=min(now, read_up_to([traces, feedback], now=now)),
            now=now,
        )

    def _overlay(self) -> Overlay:
        plan, live, lake = self.plan, self.staging.live, self.staging.lake(self.plan.name)
        return Overlay(
            plan,
            Pair(live.table(plan.table), live.table(QUARANTINE)),
            Pair(lake.table(plan.table), lake.table(QUARANTINE)),
        )
