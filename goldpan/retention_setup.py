"""Sets up retention from the settings: the plan, its runs and its limits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
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
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Lake
from schemas.errors import UsageError
from schemas.times import day_of_micros
from stream.replay.repository import ReplayState


@dataclass(frozen=True, slots=True)
class ExpiredReplayRows:
    """A staged replay that holds rows of days that have expired in the live table."""

    name: str
    rows: int


def store_today(settings: Settings) -> date:
    """Return the current day (UTC) by the clock of the lake's store.

    Raises FatalError if this machine's clock differs, or if either is obviously wrong.
    """
    return day_of_micros(check_clock(wiring.store_now_us(settings)))


def list_excesses(
    settings: Settings, runs: Sequence[RetentionRun], at_most: float | None
) -> list[RetentionExcess]:
    """Return where the runs would remove more than the limit allows; change nothing."""
    share = settings.retention.at_most if at_most is None else at_most
    retry = jobs.job_context().retry
    excesses = []
    for run in runs:
        step = partial(limit.find_table_excesses, run.table, run.find_expiring(), share)
        excesses += retry.call(f"reading table {run.table.name}", step)
    return excesses


def open_retention_plan(settings: Settings, path: Path | None) -> RetentionPlan:
    """Load the plan from ``path``, or from where the settings say.

    Raises UsageError if there is none, if it is invalid, or if it keeps less than labels need.
    """
    file = path or (Path(settings.retention.plan) if settings.retention.plan else None)
    if file is None:
        raise UsageError(
            "There is no retention plan: set GOLDPAN_RETENTION__PLAN to its file, or give --plan"
        )
    plan = read_retention_plan(file)
    if not settings.labels.off:
        days = settings.labels.window_days
        if days is None:
            days = load_configured_policy(settings.labels, Lake(settings.lake).location).window_days
        plan.check_window(days)
    return plan


def set_up_runs(settings: Settings, plan: RetentionPlan, day: date) -> list[RetentionRun]:
    """Return a run for each table of a plan, in the order of the tables."""
    lake, context = Lake(settings.lake), jobs.job_context()
    return [
        RetentionRun.of(lake, name, plan.tables[name].until(day), context)
        for name in TABLE_LAYOUTS
        if name in plan.tables
    ]


def find_expired_replay_rows(
    settings: Settings, until: Mapping[str, Mapping[str, date]]
) -> Iterator[ExpiredReplayRows]:
    """Yield the staged replays that still hold rows of expired days."""
    replays = replay_setup.open_staging(settings)
    for name, progress in replays.all():
        if progress is None or progress.state is ReplayState.PROMOTED or progress.plan.labels_only:
            continue
        if not progress.read:  # its tables may not exist yet
            continue
        days = list(until.get(progress.plan.table, {}).values())
        table = replays.lake(name).table(progress.plan.table)
        table.refresh()
        rows = sum(file.rows for file in list_live_files(table) if days and file.day < max(days))
        if rows:
            yield ExpiredReplayRows(name, rows)
