"""Puts together what the command about retention needs out of the settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from batch.labels.scales import open_policy
from batch.retention import limit
from batch.retention.limit import Excess
from batch.retention.plan import Plan, load_plan
from batch.retention.run import Run
from goldpan import jobs, replays, wiring
from goldpan.settings import Settings
from labels.decide import checked_clock
from lake.stored import live_files
from lake.tables import LAYOUTS, Lake
from schemas.errors import UsageError
from stream.replay.staging import State


@dataclass(frozen=True, slots=True)
class StagedReplay:
    """A replay whose staged tables hold rows of days that are over in the live one."""

    name: str
    rows: int


def today(settings: Settings) -> date:
    """Return the day it is (UTC) by the clock of the lake's store.

    Raises FatalError if this machine's clock says something else, or if either is plainly wrong.
    """
    return datetime.fromtimestamp(checked_clock(wiring.store_now(settings)) / 1e6, UTC).date()


def excesses(settings: Settings, runs: Sequence[Run], at_most: float | None) -> list[Excess]:
    """Return what the runs would take that is more than a run may; nothing is changed."""
    share = settings.retention.at_most if at_most is None else at_most
    patience = jobs.means().retry
    found = []
    for one in runs:
        due = one.look()
        what = f"reading table {one.table.name}"
        found += patience.call(what, partial(limit.excesses, one.table, due, share))
    return found


def plan(settings: Settings, path: Path | None) -> Plan:
    """Load the plan, from ``path`` or where the settings say.

    Raises UsageError if there is none, if it is wrong, or if it keeps less than labels need.
    """
    chosen = path or (Path(settings.retention.plan) if settings.retention.plan else None)
    if chosen is None:
        raise UsageError(
            "There is no plan of retention: set GOLDPAN_RETENTION__PLAN to its file, or give --plan"
        )
    found = load_plan(chosen)
    if not settings.labels.off:
        days = settings.labels.window_days
        if days is None:
            days = open_policy(settings.labels, Lake(settings.lake).location).window_days
        found.check_window(days)
    return found


def runs(settings: Settings, chosen: Plan, day: date) -> list[Run]:
    """Return one run for each table of a plan, in the order of the tables."""
    lake, means = Lake(settings.lake), jobs.means()
    return [
        Run.of(lake, name, chosen.tables[name].until(day), means)
        for name in LAYOUTS
        if name in chosen.tables
    ]


def staged_replays(
    settings: Settings, until: Mapping[str, Mapping[str, date]]
) -> Iterator[StagedReplay]:
    """Yield the replays that still hold rows, or values, of days that are over."""
    staging = replays.staging(settings)
    for name, progress in staging.all():
        if progress is None or progress.state is State.PROMOTED or progress.plan.labels_only:
            continue
        if not progress.read:  # its tables may not have been made
            continue
        days = list(until.get(progress.plan.table, {}).values())
        table = staging.lake(name).table(progress.plan.table)
        table.refresh()
        rows = sum(file.rows for file in live_files(table) if days and file.day < max(days))
        if rows:
            yield StagedReplay(name, rows)
