"""Stores replays, each in its folder `<lake>/replays/<name>/`: plan, fate and tables.

The plan and the fate are written only if absent: if two decisions conflict, one wins. The fate,
to be promoted or abandoned, is final.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from labels.digests import DigestSet
from lake.config import LakeSettings
from lake.location import LakeLocation
from lake.objects import ObjectStore
from lake.retry import Retry
from lake.table_log import replay_app
from lake.tables import Lake
from schemas.arrow import LABELS_TABLE, QUARANTINE_TABLE
from schemas.errors import UsageError
from stream.replay.plan import ReplayPlan, parse_plan

REPLAYS_FOLDER = "replays"
_PLAN, _FATE = "replay.json", "fate"
TOUCHED_TRACES, UNCHANGED_TRACES = "touched", "left"
"""The traces of a replay, and those of them whose labels do not change."""


class ReplayFate(StrEnum):
    """The final decision on a replay."""

    PROMOTE = "promote"
    ABANDON = "abandon"


class ReplayState(StrEnum):
    """The state of a replay."""

    UNFINISHED = "unfinished"
    STAGED = "staged"
    PROMOTING = "promoting"
    PROMOTED = "promoted"


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """The progress of a replay: ``read`` offsets of its plan are staged."""

    plan: ReplayPlan
    state: ReplayState
    read: int


class ReplayRepository:
    """All replays of one lake."""

    def __init__(self, settings: LakeSettings, live: Lake) -> None:
        location = LakeLocation(settings.uri, settings.s3_endpoint_url)
        self.live = live
        self._settings = settings
        self._files: ObjectStore = location.files(REPLAYS_FOLDER)
        self._root = location.table_uri(REPLAYS_FOLDER)

    def begin(self, plan: ReplayPlan) -> ReplayPlan:
        """Write a plan, or use the existing one; then create the tables.

        Raises UsageError if the name belongs to another task or the replay's fate is decided.
        """
        self._files.put_new(f"{plan.name}/{_PLAN}", plan.to_bytes())
        stored = self.plan(plan.name)
        if not stored.same_task(plan):
            raise UsageError(
                f"The replay {plan.name} has another task ({stored.topic}, {stored.range_text}, "
                f"policy {stored.policy}, label policy {stored.label_policy}): give another "
                "--name, or abandon that replay."
            )
        self.check_undecided(stored.name)
        self.lake(stored.name).init(stored.tables)
        return stored

    def plan(self, name: str) -> ReplayPlan:
        """Return the plan of a replay; UsageError if there is no such replay."""
        data = self._files.find(f"{name}/{_PLAN}")
        if data is None:
            raise UsageError(f"There is no replay {name}: `goldpan replay list` shows all replays.")
        return parse_plan(data, f"the plan of the replay {name}")

    def lake(self, name: str) -> Lake:
        """Return the tables of a replay, as a lake of their own."""
        staged = {"uri": f"{self._root}/{name}", "erasures_copy": None}
        return Lake(self._settings.model_copy(update=staged))

    def names(self) -> list[str]:
        """Return the names of all replays, including those being removed."""
        return sorted({path.partition("/")[0] for path, _ in self._files.walk("")})

    def fate(self, name: str) -> ReplayFate | None:
        """Return the fate of a replay, None if undecided."""
        data = self._files.find(f"{name}/{_FATE}")
        return None if data is None else ReplayFate(data.decode())

    def decide(self, name: str, fate: ReplayFate) -> ReplayFate:
        """Decide the fate of a replay; return the effective one, possibly an earlier decision."""
        self._files.put_new(f"{name}/{_FATE}", fate.encode())
        return self.fate(name) or fate

    def check_undecided(self, name: str) -> None:
        """Raise UsageError if a replay is promoted or being removed."""
        fate = self.fate(name)
        if fate is not None or self._files.find(f"{name}/{_PLAN}") is None:
            decision = (
                "been or will be promoted" if fate is ReplayFate.PROMOTE else "been abandoned"
            )
            raise UsageError(
                f"The replay {name} has {decision}: it takes no more records. Give another --name; "
                "`goldpan replay abandon` removes the record of a promoted replay."
            )

    def all(self) -> list[tuple[str, ReplayProgress | None]]:
        """Return the progress of each replay; None for one that is being removed."""
        complete = [n for n in self.names() if self.fate(n) or self._files.find(f"{n}/{_PLAN}")]
        gone = {n for n in complete if self.fate(n) is ReplayFate.ABANDON}
        return [(n, None if n in gone else self.progress(n)) for n in complete]

    def check_staged(self, plan: ReplayPlan) -> None:
        """Raise UsageError if a replay's staged tables are gone, or not yet there."""
        if self.step(plan) == PROMOTION_DONE or self.fate(plan.name) is ReplayFate.ABANDON:
            raise UsageError(f"The replay {plan.name} is already promoted or being removed.")
        if not self._has_tables(plan):
            raise UsageError(f"The replay {plan.name} has staged nothing yet.")

    def progress(self, name: str) -> ReplayProgress:
        """Return the progress of a replay; UsageError if there is none, or if it was abandoned."""
        plan, fate = self.plan(name), self.fate(name)
        if fate is ReplayFate.ABANDON:
            raise UsageError(f"The replay {name} has been abandoned.")
        step = self.step(plan)
        if step == PROMOTION_DONE:
            return ReplayProgress(plan, ReplayState.PROMOTED, plan.offsets)
        read = self._read(plan)
        if fate is ReplayFate.PROMOTE:
            return ReplayProgress(plan, ReplayState.PROMOTING, read)
        complete = read == plan.offsets and self._has_all_labels(plan)
        return ReplayProgress(
            plan, ReplayState.STAGED if complete else ReplayState.UNFINISHED, read
        )

    def step(self, plan: ReplayPlan) -> int | None:
        """Return the progress of a promotion, as recorded in the table that changes last.

        That is None, `PROMOTION_BEGUN` or `PROMOTION_DONE`.
        """
        table = self.live.table(QUARANTINE_TABLE if plan.labels is None else LABELS_TABLE)
        table.refresh()
        return table.txn_version(replay_app(plan.replay_id))

    def note(self, plan: ReplayPlan, kind: str, traces: DigestSet) -> None:
        """Record traces, `TOUCHED_TRACES` or `UNCHANGED_TRACES`, in addition to earlier ones."""
        union = self.noted(plan, kind) | traces
        self._files.put(f"{plan.name}/{kind}", union.to_bytes())

    def noted(self, plan: ReplayPlan, kind: str) -> DigestSet:
        """Return the recorded traces. The file holds digests of their ids only."""
        data = self._files.find(f"{plan.name}/{kind}") or b""
        return DigestSet.from_bytes(data, str(plan.replay_id))

    def _read(self, plan: ReplayPlan) -> int:
        if plan.labels_only:
            return plan.offsets
        if not self._has_tables(plan):
            return 0
        table = self.lake(plan.name).table(plan.table)
        table.refresh()
        positions = table.positions(list(plan.starts))
        return sum((positions[s] or start) - start for s, start in plan.starts.items())

    def _has_all_labels(self, plan: ReplayPlan) -> bool:
        """Return whether the replay's labels, if it decides any, are all staged."""
        if plan.labels is None:
            return True
        if not self._has_tables(plan):
            return False
        table = self.lake(plan.name).table(LABELS_TABLE)
        table.refresh()
        return table.txn_version(replay_app(plan.replay_id)) is not None

    def _has_tables(self, plan: ReplayPlan) -> bool:
        """Return whether the tables exist: a killed run may have read nothing."""
        log = f"{plan.name}/{plan.tables[-1]}/_delta_log/{0:020}.json"
        return self._files.size(log) is not None

    def clear(self, name: str, retry: Retry, reached: Callable[[], None]) -> None:
        """Remove the staged tables; the plan and the fate stay. ``reached`` is called after each
        file.

        Data is removed before the logs that reference it, so that a partial removal can be
        detected.
        """
        for path in self._in_order(name):
            retry.call("removing staged files", partial(self._files.remove, path))
            reached()

    def forget(self, name: str, retry: Retry) -> None:
        """Remove the plan and the fate: no trace of the replay is left."""
        for file in (_PLAN, _FATE):
            path = f"{name}/{file}"
            retry.call("removing a replay", partial(self._files.remove, path))

    def _in_order(self, name: str) -> Iterator[str]:
        permanent = {f"{name}/{_PLAN}", f"{name}/{_FATE}"}
        paths = [path for path, _ in self._files.walk(f"{name}/") if path not in permanent]
        return iter(sorted(paths, key=lambda path: "/_delta_log/" in path))


PROMOTION_BEGUN, PROMOTION_DONE = 1, 2
"""The steps of a promotion, as recorded in tables under `lake.table_log.replay_app`."""
