"""Puts together what the command about retention needs out of the settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from batch.labels.scorer_loader import load_configured_policy
from batch.retention import limit
from batch.retention.limit import RetentionExcess
from batch.retention.plan import RetentionPlan, read_retention_plan
from batch.retention.run import RetentionRun
from goldpan import jobs, replay_setup, wiring
from goldpan.settings import Settings
from labels.decision import check_clock
from lake.live_files import list_live_files
from lake.tables import TABLE_LAYOUTS, Lake
from schemas.errors import UsageError
from stream.replay.repository import ReplayState


@dataclass(frozen=True, slots=True)
class ExpiredReplayRows:
    """A replay whose staged tables hold rows of days that are over in the live one."""

    name: str
    rows: int


def store_today(settings: Settings) -> date:
    """Return the day it is (UTC) by the clock of the lake's store.

    Raises FatalError if this machine's clock says something else, or if either is plainly wrong.
    """
    return datetime.fromtimestamp(check_clock(wiring.store_now_us(settings)) / 1e6, UTC).date()


def list_excesses(
    settings: Settings, runs: Sequence[RetentionRun], at_most: float | None
) -> list[RetentionExcess]:
    """Return what the runs would take that is more than a run may; nothing is changed."""
    share = settings.retention.at_most if at_most is None else at_most
    patience = jobs.job_context().retry
    found = []
    for one in runs:
        due = one.find_expiring()
        what = f"reading table {one.table.name}"
        found += patience.call(what, partial(limit.find_table_excesses, one.table, due, share))
    return found


def open_retention_plan(settings: Settings, path: Path | None) -> RetentionPlan:
    """Load the plan, from ``path`` or where the settings say.

    Raises UsageError if there is none, if it is wrong, or if it keeps less than labels need.
    """
    chosen = path or (Path(settings.retention.plan) if settings.retention.plan else None)
    if chosen is None:
        raise UsageError(
            "There is no plan of retention: set GOLDPAN_RETENTION__PLAN to its file, or give --plan"
        )
    found = read_retention_plan(chosen)
    if not settings.labels.off:
        days = settings.labels.window_days
        if days is None:
            days = load_configured_policy(settings.labels, Lake(settings.lake).location).window_days
        found.check_window(days)
    return found


def set_up_runs(settings: Settings, chosen: RetentionPlan, day: date) -> list[RetentionRun]:
    """Return one run for each table of a plan, in the order of the tables."""
    lake, means = Lake(settings.lake), jobs.job_context()
    return [
        RetentionRun.of(lake, name, chosen.tables[name].until(day), means)
        for name in TABLE_LAYOUTS
        if name in chosen.tables
    ]


def find_expired_replay_rows(
    settings: Settings, until: Mapping[str, Mapping[str, date]]
) -> Iterator[ExpiredReplayRows]:
    """Yield the replays that still hold rows, or values, of days that are over."""
    staging = replay_setup.open_staging(settings)
    for name, progress in staging.all():
        if progress is None or progress.state is ReplayState.PROMOTED or progress.plan.labels_only:
            continue
        if not progress.read:  # its tables may not have been made
            continue
        days = list(until.get(progress.plan.table, {}).values())
        table = staging.lake(name).table(progress.plan.table)
        table.refresh()
        rows = sum(file.rows for file in list_live_files(table) if days and file.day < max(days))
        if rows:
            yield ExpiredReplayRows(name, rows)
