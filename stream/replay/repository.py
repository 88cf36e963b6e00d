"""The folder of a replay, `<lake>/replays/<name>/`: its plan, its fate, and tables of its own.

The plan and the fate are each written on the condition that there is none: of two that decide
otherwise one wins. With its fate a replay is either to be promoted or to be abandoned, for good.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from labels.digests import DigestSet
from lake.config import LakeSettings
from lake.ledger import replay_app
from lake.location import LakeLocation
from lake.objects import ObjectStore
from lake.retry import Retry
from lake.tables import Lake
from schemas.arrow import LABELS_TABLE, QUARANTINE_TABLE
from schemas.errors import UsageError
from stream.replay.plan import ReplayPlan, parse_plan

REPLAYS_FOLDER = "replays"
_PLAN, _FATE = "replay.json", "fate"
TOUCHED_TRACES, UNCHANGED_TRACES = "touched", "left"
"""The traces that a replay is about, and those of them whose labels stay as they are."""


class ReplayFate(StrEnum):
    """What becomes of a replay."""

    PROMOTE = "promote"
    ABANDON = "abandon"


class ReplayState(StrEnum):
    """How far a replay has come."""

    UNFINISHED = "unfinished"
    STAGED = "staged"
    PROMOTING = "promoting"
    PROMOTED = "promoted"


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """How far a replay has come: ``read`` offsets of those of its plan are staged."""

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
        """Write a plan down, or take that which is there; then the tables are made.

        Raises UsageError if the name is taken by another task or the replay's fate is decided.
        """
        self._files.put_new(f"{plan.name}/{_PLAN}", plan.to_bytes())
        found = self.plan(plan.name)
        if not found.same_task(plan):
            raise UsageError(
                f"The replay {plan.name} is about something else ({found.topic}, {found.asked}, "
                f"policy {found.policy}, label policy {found.label_policy}): give another --name, "
                "or abandon that one."
            )
        self.check_undecided(found.name)
        self.lake(found.name).init(found.tables)
        return found

    def plan(self, name: str) -> ReplayPlan:
        """Return the plan of a replay; UsageError if there is no such replay."""
        data = self._files.find(f"{name}/{_PLAN}")
        if data is None:
            raise UsageError(f"There is no replay {name}: `goldpan replay list` tells which.")
        return parse_plan(data, f"the plan of the replay {name}")

    def lake(self, name: str) -> Lake:
        """Return the tables of a replay, as a lake of their own."""
        staged = {"uri": f"{self._root}/{name}", "erasures_copy": None}
        return Lake(self._settings.model_copy(update=staged))

    def names(self) -> list[str]:
        """Return the names of all replays that there are, being removed or not."""
        return sorted({path.partition("/")[0] for path, _ in self._files.walk("")})

    def fate(self, name: str) -> ReplayFate | None:
        """Return what was decided of a replay, None while nothing is."""
        data = self._files.find(f"{name}/{_FATE}")
        return None if data is None else ReplayFate(data.decode())

    def decide(self, name: str, fate: ReplayFate) -> ReplayFate:
        """Decide what becomes of a replay; return what holds, which may be what was first."""
        self._files.put_new(f"{name}/{_FATE}", fate.encode())
        return self.fate(name) or fate

    def check_undecided(self, name: str) -> None:
        """Raise UsageError if a replay has been promoted, or is being removed."""
        fate = self.fate(name)
        if fate is not None or self._files.find(f"{name}/{_PLAN}") is None:
            what = (
                "been promoted, or is about to be"
                if fate is ReplayFate.PROMOTE
                else "been abandoned"
            )
            raise UsageError(
                f"The replay {name} has {what}: nothing is added to it any more. Give another "
                "--name; `goldpan replay abandon` removes the record of one that was promoted."
            )

    def all(self) -> list[tuple[str, ReplayProgress | None]]:
        """Return how far each replay has come; None for one that is being removed."""
        known = [n for n in self.names() if self.fate(n) or self._files.find(f"{n}/{_PLAN}")]
        gone = {n for n in known if self.fate(n) is ReplayFate.ABANDON}
        return [(n, None if n in gone else self.progress(n)) for n in known]

    def check_kept(self, plan: ReplayPlan) -> None:
        """Raise UsageError if what a replay had staged is there no more, or not yet."""
        if self.step(plan) == PROMOTION_DONE or self.fate(plan.name) is ReplayFate.ABANDON:
            raise UsageError(f"The replay {plan.name} is promoted or being removed already.")
        if not self._made(plan):
            raise UsageError(f"The replay {plan.name} has staged nothing yet.")

    def progress(self, name: str) -> ReplayProgress:
        """Return how far a replay has come; UsageError if there is none, or none any more."""
        plan, fate = self.plan(name), self.fate(name)
        if fate is ReplayFate.ABANDON:
            raise UsageError(f"The replay {name} has been abandoned.")
        step = self.step(plan)
        if step == PROMOTION_DONE:
            return ReplayProgress(plan, ReplayState.PROMOTED, plan.offsets)
        read = self._read(plan)
        if fate is ReplayFate.PROMOTE:
            return ReplayProgress(plan, ReplayState.PROMOTING, read)
        done = read == plan.offsets and self._labelled(plan)
        return ReplayProgress(plan, ReplayState.STAGED if done else ReplayState.UNFINISHED, read)

    def step(self, plan: ReplayPlan) -> int | None:
        """Return how far the table that is changed last says that a promotion has come.

        That is None, `PROMOTION_BEGUN` or `PROMOTION_DONE`.
        """
        table = self.live.table(QUARANTINE_TABLE if plan.labels is None else LABELS_TABLE)
        table.refresh()
        return table.number(replay_app(plan.number))

    def note(self, plan: ReplayPlan, what: str, traces: DigestSet) -> None:
        """Note traces, `TOUCHED_TRACES` or `UNCHANGED_TRACES`, beside those that were noted before."""
        found = self.noted(plan, what) | traces
        self._files.put(f"{plan.name}/{what}", found.to_bytes())

    def noted(self, plan: ReplayPlan, what: str) -> DigestSet:
        """Return the traces that were noted. Their ids are not in the file, only digests."""
        data = self._files.find(f"{plan.name}/{what}") or b""
        return DigestSet.from_bytes(data, str(plan.number))

    def _read(self, plan: ReplayPlan) -> int:
        if plan.labels_only:
            return plan.offsets
        if not self._made(plan):
            return 0
        table = self.lake(plan.name).table(plan.table)
        table.refresh()
        positions = table.positions(list(plan.starts))
        return sum((positions[s] or start) - start for s, start in plan.starts.items())

    def _labelled(self, plan: ReplayPlan) -> bool:
        """Return whether the labels of a replay, if it decides any, are all staged."""
        if plan.labels is None:
            return True
        if not self._made(plan):
            return False
        table = self.lake(plan.name).table(LABELS_TABLE)
        table.refresh()
        return table.number(replay_app(plan.number)) is not None

    def _made(self, plan: ReplayPlan) -> bool:
        """Tell whether the tables are there: nothing has been read if it was killed before."""
        log = f"{plan.name}/{plan.tables[-1]}/_delta_log/{0:020}.json"
        return self._files.size(log) is not None

    def clear(self, name: str, retry: Retry, reached: Callable[[], None]) -> None:
        """Remove the staged tables; the plan and the fate stay. ``reached`` is told of each file.

        Data goes before the logs that name it, so what is half removed can be told.
        """
        for path in self._in_order(name):
            retry.call("removing staged files", lambda path=path: self._files.remove(path))  # type: ignore[misc]
            reached()

    def forget(self, name: str, retry: Retry) -> None:
        """Remove the plan and the fate: the replay has never been."""
        for file in (_PLAN, _FATE):
            path = f"{name}/{file}"
            retry.call("removing a replay", lambda path=path: self._files.remove(path))  # type: ignore[misc]

    def _in_order(self, name: str) -> Iterator[str]:
        kept = {f"{name}/{_PLAN}", f"{name}/{_FATE}"}
        paths = [path for path, _ in self._files.walk(f"{name}/") if path not in kept]
        return iter(sorted(paths, key=lambda path: "/_delta_log/" in path))


PROMOTION_BEGUN, PROMOTION_DONE = 1, 2
"""The steps of a promotion, as tables keep them under `lake.ledger.replay_app`."""
