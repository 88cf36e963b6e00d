"""Promotes a staged replay: its rows replace the live rows of its range.

Only live records are replaced. A record that is no longer in a live table (erased or expired, for
example) stays out. A live row that the replay has not re-read (Kafka had lost it) stays unchanged,
as does a row whose texts have expired. All other records end where the replay has put them: in
their table, or in quarantine.

1. The replay's fate is recorded: it can no longer be abandoned.
2. The audit of redaction, if one is kept, gets the replay's rows appended.
3. Quarantine: records that the new policy rejects are added. From now on no other program may move
   records between quarantine and the table (`lake.table_log.promoting_app`).
4. The primary table: the range's rows are removed, the staged rows added. One commit.
5. Quarantine: records that are now in the primary table are removed.
6. Labels, if the replay decides any: writers that used the old rows are fenced off.
7. Labels: the new decisions replace these traces' label events. One commit.
8. The staged tables are removed.

A record is in one of the two tables at any time, and briefly (3 to 5) may be in both. Each table
records its progress under `lake.table_log.replay_app`, in the commit itself.

| dies after | what the next run finds | what it does |
|---|---|---|
| 1 to 6 | the numbers in the tables | continues with the next step |
| 7 (5 without labels) | the last table shows that all is done | removes the staged tables |

If another program replaces a file of a table at the same time (compaction, a redrive), the step
re-reads the table and starts over; vacuum removes the files that it wrote.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from lake.fences import ERASURE_FENCE
from lake.table_commit import CommitContext, Move
from lake.table_log import adopted_app, promoting_app, redrive_app, replay_app
from lake.tables import Table
from lake.tombstones import newest_tombstone, open_tombstones
from schemas.arrow import AUDIT_TABLE, QUARANTINE_TABLE
from schemas.errors import FatalError, FencedError, UsageError
from stream.replay.offset_set import OffsetSet
from stream.replay.plan import ReplayPlan
from stream.replay.repository import (
    PROMOTION_BEGUN,
    PROMOTION_DONE,
    ReplayFate,
    ReplayRepository,
    ReplayState,
)
from stream.replay.steps import ReplayStep
from stream.replay.table_pair import PairContents, TablePair, select_replaced
from stream.replay.table_swap import RowChange, TableSwap

MAX_ATTEMPTS = 20
_NOTHING: Mapping[int, int] = {}


class ReplayRelabeller(Protocol):
    """Replaces the label events of a replay's traces."""

    def note(self) -> None:
        """Record the traces, before their rows are replaced. May be repeated."""

    def fence(self) -> None:
        """Fence off writers that used rows which have been replaced. May be repeated."""

    def replace(self, on_written: Callable[[], None]) -> None:
        """Decide and replace, once; ``on_written`` is called before the commit."""


@dataclass(frozen=True, slots=True)
class PromotionContext:
    """What every step needs. ``reached`` is called after each step, ``report`` for progress."""

    commits: CommitContext
    reached: Callable[[ReplayStep], None]
    report: Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Promotion:
    """Promotes one replay. ``relabels`` returns its relabeller, if the replay decides labels."""

    staging: ReplayRepository
    name: str
    context: PromotionContext
    relabels: Callable[[ReplayPlan], ReplayRelabeller] | None = None

    def run(self) -> ReplayPlan:
        """Promote, or continue a promotion; return the promoted plan.

        Raises UsageError if the replay is incomplete, is being abandoned or may hold records of an
        erased person. Raises FatalError if the topic was adopted since, if another replay of the
        topic is being promoted, or if other programs keep changing a table.
        """
        progress = self.staging.progress(self.name)
        plan = progress.plan
        if progress.state is ReplayState.UNFINISHED:
            read = f"{progress.read} of {plan.offsets} offsets"
            left = "labels are undecided" if progress.read == plan.offsets else read
            raise UsageError(
                f"The replay {self.name} is not complete ({left}): repeat its `goldpan stream "
                "replay` first."
            )
        if progress.state is ReplayState.STAGED:
            self._refuse_unfenced(plan)
        if self.staging.decide(self.name, ReplayFate.PROMOTE) is not ReplayFate.PROMOTE:
            raise UsageError(f"The replay {self.name} has been abandoned.")
        self.context.reached(ReplayStep.DECIDED)
        if progress.state is not ReplayState.PROMOTED:
            self._take_steps(plan)
        self.context.report("removing staged tables", 0, 0)
        self.staging.clear(
            self.name,
            self.context.commits.retry,
            partial(self.context.reached, ReplayStep.FILE_REMOVED),
        )
        self.context.reached(ReplayStep.FILES_REMOVED)
        return plan

    def _refuse_unfenced(self, plan: ReplayPlan) -> None:
        """Refuse a replay that was staged during an erasure, in tables that the erasure missed."""
        last = newest_tombstone(open_tombstones(self.staging.live.location))
        for name in [] if plan.labels_only or not last else [plan.table, QUARANTINE_TABLE]:
            table = self.staging.lake(plan.name).table(name)
            if ERASURE_FENCE.value(table) < last:
                raise UsageError(
                    f"The replay {plan.name} may hold records of an erased person: repeat `goldpan "
                    "erase` for that person, which removes them, or abandon the replay."
                )

    def _take_steps(self, plan: ReplayPlan) -> None:
        labels = None
        if plan.labels is not None:
            if self.relabels is None:
                raise FatalError(
                    f"the replay {plan.name} decides labels, but no relabeller was given"
                )
            labels = self.relabels(plan)
            labels.note()
            self.context.reached(ReplayStep.TRACES_NOTED)
        if not plan.labels_only:
            _Steps.of(self.staging, plan, self.context).run()
        if labels is not None:
            self._relabel(labels)

    def _relabel(self, labels: ReplayRelabeller) -> None:
        self.context.report("promoting: labels", 0, 0)
        labels.fence()
        self.context.reached(ReplayStep.LABELS_FENCED)
        labels.replace(partial(self.context.reached, ReplayStep.LABELS_WRITTEN))
        self.context.reached(ReplayStep.LABELS_REPLACED)


@dataclass(frozen=True, slots=True)
class _Steps:
    """The commits of one promotion. Staged tables no longer change."""

    plan: ReplayPlan
    live: TablePair
    stage: TablePair
    audit: TableSwap | None
    context: PromotionContext

    @classmethod
    def of(cls, staging: ReplayRepository, plan: ReplayPlan, context: PromotionContext) -> "_Steps":
        lake, live = staging.lake(plan.name), staging.live
        stage = TablePair(lake.table(plan.table), lake.table(QUARANTINE_TABLE))
        audit = None
        if plan.audited:
            tables = live.table(AUDIT_TABLE), lake.table(AUDIT_TABLE)
            audit = TableSwap(plan, *tables, context.commits)
        pair = TablePair(live.table(plan.table), live.table(QUARANTINE_TABLE))
        return cls(plan, pair, stage, audit, context)

    def run(self) -> None:
        """Run the steps that are still to do."""
        for done, (task, step) in enumerate(
            (
                ("the audit of redaction", self._append_audit),
                ("quarantine", self._bring_in),
                (f"table {self.plan.table}", self._exchange),
                ("quarantine again", self._take_out),
            )
        ):
            self.context.report(f"promoting: {task}", done, 4)
            self._retry_fenced(step)

    def _retry_fenced(self, step: Callable[[], None]) -> None:
        for _ in range(MAX_ATTEMPTS):
            try:
                step()
            except FencedError:
                continue
            return
        raise FatalError(
            f"the replay {self.plan.name}: other programs keep changing the tables; repeat "
            "`goldpan replay promote`"
        )

    def _append_audit(self) -> None:
        if self.audit is None:
            return
        self.audit.live.refresh()
        if self.audit.live.txn_version(self._app) is None:
            self.audit.staged.refresh()
            self.audit.append_all([Move(self._app, None, PROMOTION_BEGUN)])
            self.context.reached(ReplayStep.AUDIT_COMMITTED)

    def _bring_in(self) -> None:
        """Add newly rejected records to quarantine; nothing leaves for the table yet."""
        table = self.live.quarantine
        current = self.live.scan(self.plan)
        if table.txn_version(self._app) is not None:
            return
        self._check(current)
        staged = self.stage.scan(self.plan, current.horizon)
        added = select_replaced(current, staged) & staged.quarantine.offsets
        change = RowChange(
            removed=added & current.quarantine.offsets,
            added=added,
            to_table=_NOTHING,
            to_quarantine=(added - current.quarantine.offsets).counts(),
            moves=[
                Move(self._app, None, PROMOTION_BEGUN),
                Move(self._lock, table.txn_version(self._lock), self.plan.replay_id),
                self._next_generation(table),
            ],
        )
        self._swap(table, self.stage.quarantine).make(
            current.quarantine, change, partial(self.context.reached, ReplayStep.ASIDE_WRITTEN)
        )
        self.context.reached(ReplayStep.BROUGHT_IN)

    def _exchange(self) -> None:
        """Replace the live rows with the staged ones."""
        table = self.live.primary
        current = self.live.scan(self.plan)
        if table.txn_version(self._app) is not None:
            return
        self._check_incarnation()
        staged = self.stage.scan(self.plan, current.horizon)
        # Records added to quarantine in the last step leave the table, even if expired since.
        brought = current.primary.offsets & current.quarantine.offsets & staged.quarantine.offsets
        replaced = select_replaced(current, staged) | brought
        # Records that left quarantine since the last step (expired, for example) must stay here.
        replaced = replaced - (staged.quarantine.offsets - current.quarantine.offsets)
        removed, added = (replaced & contents.primary.offsets for contents in (current, staged))
        change = RowChange(
            removed=removed,
            added=added,
            to_table=(added - removed).counts(),
            to_quarantine=(removed - added).counts(),
            moves=[Move(self._app, None, PROMOTION_BEGUN), self._next_generation(table)],
        )
        self._swap(table, self.stage.primary).make(
            current.primary, change, partial(self.context.reached, ReplayStep.PRIMARY_WRITTEN)
        )
        self.context.reached(ReplayStep.SWAPPED)

    def _take_out(self) -> None:
        """Remove from quarantine what is now in the primary table."""
        table = self.live.quarantine
        current = self.live.scan(self.plan)
        if table.txn_version(self._app) == PROMOTION_DONE:
            return
        self._check_incarnation()
        staged = self.stage.scan(self.plan, current.horizon)
        removed = current.quarantine.offsets & current.primary.offsets & staged.primary.offsets
        change = RowChange(
            removed=removed,
            added=OffsetSet.none(self.plan),
            to_table=removed.counts(),
            to_quarantine=_NOTHING,
            moves=[
                Move(self._app, PROMOTION_BEGUN, PROMOTION_DONE),
                Move(self._lock, self.plan.replay_id, 0),
                self._next_generation(table),
            ],
        )
        self._swap(table, self.stage.quarantine).make(current.quarantine, change, lambda: None)
        self.context.reached(ReplayStep.TAKEN_OUT)

    def _check(self, current: PairContents) -> None:
        """Raise FatalError if a promotion cannot begin."""
        self._check_incarnation()
        promoting = self.live.quarantine.txn_version(self._lock)
        if promoting:
            raise FatalError(
                f"another replay of {self.plan.topic} is being promoted: finish that one first "
                "(`goldpan replay list`)"
            )
        if len(current.primary.offsets & current.quarantine.offsets):
            raise FatalError(
                f"a redrive of {self.plan.topic} is unfinished: repeat `goldpan quarantine redrive "
                f"--topic {self.plan.topic}`, then promote"
            )

    def _check_incarnation(self) -> None:
        if self.live.primary.txn_version(adopted_app(self.plan.topic)) != self.plan.adopted:
            raise FatalError(
                f"topic {self.plan.topic} was recreated and adopted after the replay "
                f"{self.plan.name} began: its offsets now belong to another topic"
            )

    def _next_generation(self, table: Table) -> Move:
        """Fence redrives that have already read the table."""
        app = redrive_app(self.plan.topic)
        generation = table.txn_version(app)
        return Move(app, generation, (generation or 0) + 1)

    def _swap(self, live: Table, staged: Table) -> TableSwap:
        return TableSwap(self.plan, live, staged, self.context.commits)

    @property
    def _app(self) -> str:
        return replay_app(self.plan.replay_id)

    @property
    def _lock(self) -> str:
        return promoting_app(self.plan.topic)
