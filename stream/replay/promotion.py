"""A staged replay takes the place of the live rows of its range.

Only what is live is replaced: a record that is in no live table any more (erased, say, or expired)
stays away, and a live row that the replay has not read again (Kafka had lost it) stays as it is, as
does one whose texts have expired.
All others end where the replay has put them: in their table, or in quarantine.

1. The replay's fate is decided: it can no longer be abandoned.
2. The audit of redaction, if one is kept, gets the rows of the replay behind its own.
3. Quarantine: the records that the new policy sets aside come in. From here on others may not move
   records between quarantine and the table (`lake.ledger.promoting_app`).
4. The primary table: the rows of the range go, the staged rows come. One commit.
5. Quarantine: the records that are in the primary table now go.
6. Labels, if the replay decides any: whoever has decided from the old rows is kept out.
7. Labels: what is decided of these traces now takes the place of their label events. One commit.
8. The staged tables are removed.

A record is in one of the two tables at any time, and for a moment (3 to 5) may be in both. Each
table keeps under `lake.ledger.replay_app` how far it has come, in the commit itself.

| dies after | what the next run finds | what it does |
|---|---|---|
| 1 to 6 | the numbers in the tables | goes on with the next step |
| 7 (5 without labels) | the last table says that all is done | removes what is staged |

If another program replaces a file of a table meanwhile (compaction, a re-drive), the step looks
again and begins anew; what was written for it is removed by vacuum.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import NamedTuple, Protocol

from lake.fences import ERASURE_FENCE
from lake.ledger import adopted_app, promoting_app, replay_app
from lake.quarantine import redrive_app
from lake.retention_horizon import PSEUDONYMS_PART, ROWS_PART, SEALED_PART, TEXT_PART, complete_from
from lake.table_commit import CommitContext, Move
from lake.tables import Table
from lake.tombstones import newest_tombstone, open_tombstones
from schemas.arrow import AUDIT_TABLE, QUARANTINE_TABLE
from schemas.errors import FatalError, FencedError, UsageError
from stream.replay.offset_set import OffsetSet, RangeContents, scan_range
from stream.replay.plan import ReplayPlan
from stream.replay.repository import (
    PROMOTION_BEGUN,
    PROMOTION_DONE,
    ReplayFate,
    ReplayRepository,
    ReplayState,
)
from stream.replay.steps import ReplayStep
from stream.replay.table_swap import RowChange, TableSwap

MAX_ATTEMPTS = 20
_NOTHING: Mapping[int, int] = {}


@dataclass(frozen=True, slots=True)
class TablePair:
    """The primary table and quarantine of a lake."""

    primary: Table
    quarantine: Table

    def look(self, plan: ReplayPlan, whole: "RetentionHorizon | None" = None) -> "PairContents":
        """Refresh both, and look at the ranges of a plan; ``whole`` is that of the live tables.

        Quarantine comes first: retention marks the days that are over in the one table, then moves
        the generation in the other, so who has not seen the mark has an old generation.
        """
        self.quarantine.refresh()
        self.primary.refresh()
        days = whole or self._whole()
        return PairContents(
            scan_range(self.primary, plan, days.values, days.rows),
            scan_range(self.quarantine, plan, days.payloads, days.aside),
            days,
        )

    def _whole(self) -> "RetentionHorizon":
        primary, quarantine = self.primary, self.quarantine
        return RetentionHorizon(
            values=complete_from(primary, ROWS_PART, TEXT_PART, PSEUDONYMS_PART),
            rows=complete_from(primary, ROWS_PART),
            payloads=complete_from(quarantine, SEALED_PART),
            aside=complete_from(quarantine, ROWS_PART),
        )


class RetentionHorizon(NamedTuple):
    """The first days of which something of the live tables is whole (retention).

    ``values`` and ``rows`` of the primary table, ``payloads`` and rows (``aside``) of quarantine.
    """

    values: date | None
    rows: date | None
    payloads: date | None
    aside: date | None


@dataclass(frozen=True, slots=True)
class PairContents:
    """What a pair of tables holds of the ranges."""

    primary: RangeContents
    quarantine: RangeContents
    whole: RetentionHorizon

    @property
    def there(self) -> OffsetSet:
        """Return what is in one of the two."""
        return self.primary.there | self.quarantine.there


def select_replaced(seen: PairContents, staged: PairContents) -> OffsetSet:
    """Return which records a promotion replaces: those that are live and have been read again.

    A payload that quarantine keeps is not given for a row that has none, and what has expired of a
    live row does not come back.
    """
    kept = seen.quarantine.sealed & staged.quarantine.there
    over = seen.primary.over | staged.primary.over
    over = over | (seen.quarantine.over & staged.quarantine.there)
    over = over | seen.primary.leaving | seen.quarantine.leaving
    return (seen.there & staged.there) - (kept - staged.quarantine.sealed) - over


class ReplayRelabeller(Protocol):
    """Replaces the label events of the traces that a replay is about."""

    def note(self) -> None:
        """Take note of the traces, before their rows are exchanged. May be repeated."""

    def fence(self) -> None:
        """Keep out what was decided from rows that have been exchanged. May be repeated."""

    def replace(self, written: Callable[[], None]) -> None:
        """Decide and replace, once; ``written`` is told before the commit."""


@dataclass(frozen=True, slots=True)
class PromotionContext:
    """What every step needs. ``reached`` is told after each step; ``report`` of what is done."""

    commits: CommitContext
    reached: Callable[[ReplayStep], None]
    report: Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Promotion:
    """Promotes one replay. ``relabels`` gives what replaces labels, where a replay does."""

    staging: ReplayRepository
    name: str
    means: PromotionContext
    relabels: Callable[[ReplayPlan], ReplayRelabeller] | None = None

    def run(self) -> ReplayPlan:
        """Promote, or go on with a promotion that was begun; return what was promoted.

        Raises UsageError if the replay is not complete, is being abandoned or may hold records of
        somebody who was erased, FatalError if the topic was adopted since, if another replay of the
        topic is being promoted, or if others do not leave a table alone for long enough.
        """
        progress = self.staging.progress(self.name)
        plan = progress.plan
        if progress.state is ReplayState.UNFINISHED:
            read = f"{progress.read} of {plan.offsets} offsets"
            left = "labels are not decided" if progress.read == plan.offsets else read
            raise UsageError(
                f"The replay {self.name} is not complete ({left}): run its `goldpan stream replay` "
                "again first."
            )
        if progress.state is ReplayState.STAGED:
            self._refuse_unfenced(plan)
        if self.staging.decide(self.name, ReplayFate.PROMOTE) is not ReplayFate.PROMOTE:
            raise UsageError(f"The replay {self.name} has been abandoned.")
        self.means.reached(ReplayStep.DECIDED)
        if progress.state is not ReplayState.PROMOTED:
            self._take_steps(plan)
        self.means.report("removing what was staged", 0, 0)
        self.staging.clear(
            self.name,
            self.means.commits.retry,
            partial(self.means.reached, ReplayStep.FILE_REMOVED),
        )
        self.means.reached(ReplayStep.FILES_REMOVED)
        return plan

    def _refuse_unfenced(self, plan: ReplayPlan) -> None:
        """Refuse what was staged while somebody was erased, in tables that the erasure missed."""
        last = newest_tombstone(open_tombstones(self.staging.live.location))
        for name in [] if plan.labels_only or not last else [plan.table, QUARANTINE_TABLE]:
            table = self.staging.lake(plan.name).table(name)
            if ERASURE_FENCE.value(table) < last:
                raise UsageError(
                    f"The replay {plan.name} may hold records of somebody who was erased: run "
                    "`goldpan erase` for them again, which takes these out, or abandon it."
                )

    def _take_steps(self, plan: ReplayPlan) -> None:
        labels = None
        if plan.labels is not None:
            if self.relabels is None:
                raise FatalError(f"the replay {plan.name} decides labels: promote it with those")
            labels = self.relabels(plan)
            labels.note()
            self.means.reached(ReplayStep.TRACES_NOTED)
        if not plan.labels_only:
            _Steps.of(self.staging, plan, self.means).run()
        if labels is not None:
            self._relabel(labels)

    def _relabel(self, labels: ReplayRelabeller) -> None:
        self.means.report("promoting: labels", 0, 0)
        labels.fence()
        self.means.reached(ReplayStep.LABELS_FENCED)
        labels.replace(partial(self.means.reached, ReplayStep.LABELS_WRITTEN))
        self.means.reached(ReplayStep.LABELS_REPLACED)


@dataclass(frozen=True, slots=True)
class _Steps:
    """The commits of one promotion. What is staged does not change any more."""

    plan: ReplayPlan
    live: TablePair
    stage: TablePair
    audit: TableSwap | None
    means: PromotionContext

    @classmethod
    def of(cls, staging: ReplayRepository, plan: ReplayPlan, means: PromotionContext) -> "_Steps":
        lake, live = staging.lake(plan.name), staging.live
        stage = TablePair(lake.table(plan.table), lake.table(QUARANTINE_TABLE))
        audit = (
            _swap(plan, live.table(AUDIT_TABLE), lake.table(AUDIT_TABLE), means)
            if plan.audited
            else None
        )
        pair = TablePair(live.table(plan.table), live.table(QUARANTINE_TABLE))
        return cls(plan, pair, stage, audit, means)

    def run(self) -> None:
        """Take the steps that have not been taken."""
        for number, (what, step) in enumerate(
            (
                ("the audit of redaction", self._tell),
                ("quarantine", self._bring_in),
                (f"table {self.plan.table}", self._exchange),
                ("quarantine again", self._take_out),
            )
        ):
            self.means.report(f"promoting: {what}", number, 4)
            self._insist(step)

    def _insist(self, step: Callable[[], None]) -> None:
        for _ in range(MAX_ATTEMPTS):
            try:
                step()
            except FencedError:
                continue
            return
        raise FatalError(
            f"the replay {self.plan.name}: others change the tables all the time; run "
            "`goldpan replay promote` again"
        )

    def _tell(self) -> None:
        if self.audit is None:
            return
        self.audit.live.refresh()
        if self.audit.live.number(self._app) is None:
            self.audit.staged.refresh()
            self.audit.append_all([Move(self._app, None, PROMOTION_BEGUN)])
            self.means.reached(ReplayStep.AUDIT_COMMITTED)

    def _bring_in(self) -> None:
        """Bring into quarantine what the replay has set aside; nothing leaves for the table yet."""
        table = self.live.quarantine
        seen = self.live.look(self.plan)
        if table.number(self._app) is not None:
            return
        self._check(seen)
        staged = self.stage.look(self.plan, seen.whole)
        comes = select_replaced(seen, staged) & staged.quarantine.there
        change = RowChange(
            goes=comes & seen.quarantine.there,
            comes=comes,
            to_table=_NOTHING,
            to_quarantine=(comes - seen.quarantine.there).counts(),
            moves=[
                Move(self._app, None, PROMOTION_BEGUN),
                Move(self._lock, table.number(self._lock), self.plan.number),
                self._next_generation(table),
            ],
        )
        self._swap(table, self.stage.quarantine).make(
            seen.quarantine, change, partial(self.means.reached, ReplayStep.ASIDE_WRITTEN)
        )
        self.means.reached(ReplayStep.BROUGHT_IN)

    def _exchange(self) -> None:
        """Put the staged rows in the place of the live ones."""
        table = self.live.primary
        seen = self.live.look(self.plan)
        if table.number(self._app) is not None:
            return
        self._same_life()
        staged = self.stage.look(self.plan, seen.whole)
        # What is in quarantine since the last step leaves the table, even if it has expired since.
        brought = seen.primary.there & seen.quarantine.there & staged.quarantine.there
        chosen = select_replaced(seen, staged) | brought
        # What quarantine has lost since the last step (it expired, say) must not go here as well.
        chosen = chosen - (staged.quarantine.there - seen.quarantine.there)
        goes, comes = (chosen & looked.primary.there for looked in (seen, staged))
        change = RowChange(
            goes=goes,
            comes=comes,
            to_table=(comes - goes).counts(),
            to_quarantine=(goes - comes).counts(),
            moves=[Move(self._app, None, PROMOTION_BEGUN), self._next_generation(table)],
        )
        self._swap(table, self.stage.primary).make(
            seen.primary, change, partial(self.means.reached, ReplayStep.PRIMARY_WRITTEN)
        )
        self.means.reached(ReplayStep.SWAPPED)

    def _take_out(self) -> None:
        """Take out of quarantine what is in the primary table by now."""
        table = self.live.quarantine
        seen = self.live.look(self.plan)
        if table.number(self._app) == PROMOTION_DONE:
            return
        self._same_life()
        staged = self.stage.look(self.plan, seen.whole)
        goes = seen.quarantine.there & seen.primary.there & staged.primary.there
        change = RowChange(
            goes=goes,
            comes=OffsetSet.none(self.plan),
            to_table=goes.counts(),
            to_quarantine=_NOTHING,
            moves=[
                Move(self._app, PROMOTION_BEGUN, PROMOTION_DONE),
                Move(self._lock, self.plan.number, 0),
                self._next_generation(table),
            ],
        )
        self._swap(table, self.stage.quarantine).make(seen.quarantine, change, lambda: None)
        self.means.reached(ReplayStep.TAKEN_OUT)

    def _check(self, seen: PairContents) -> None:
        """Raise FatalError if a promotion cannot begin."""
        self._same_life()
        other = self.live.quarantine.number(self._lock)
        if other:
            raise FatalError(
                f"another replay of {self.plan.topic} is being promoted: finish that one first "
                "(`goldpan replay list`)"
            )
        if len(seen.primary.there & seen.quarantine.there):
            raise FatalError(
                f"a re-drive of {self.plan.topic} has not come to its end: run `goldpan quarantine "
                f"redrive --topic {self.plan.topic}` again, then promote"
            )

    def _same_life(self) -> None:
        if self.live.primary.number(adopted_app(self.plan.topic)) != self.plan.adopted:
            raise FatalError(
                f"topic {self.plan.topic} was made anew and adopted since the replay "
                f"{self.plan.name} was begun: its offsets are of another topic now"
            )

    def _next_generation(self, table: Table) -> Move:
        """Fence re-drives that have looked at the table before."""
        app = redrive_app(self.plan.topic)
        generation = table.number(app)
        return Move(app, generation, (generation or 0) + 1)

    def _swap(self, live: Table, staged: Table) -> TableSwap:
        return _swap(self.plan, live, staged, self.means)

    @property
    def _app(self) -> str:
        return replay_app(self.plan.number)

    @property
    def _lock(self) -> str:
        return promoting_app(self.plan.topic)


def _swap(plan: ReplayPlan, live: Table, staged: Table, means: PromotionContext) -> TableSwap:
    return TableSwap(plan, live, staged, means.commits)
