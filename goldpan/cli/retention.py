"""``goldpan retention``: rows and values leave the lake when their days are over."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table as Grid

from batch.retention.expiring import ExpiringAmount, ExpiringDay
from batch.retention.limit import RetentionExcess
from batch.retention.purge import purge_table
from batch.retention.run import RetentionRun
from goldpan import jobs, retention_setup
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_bytes, format_count
from goldpan.cli.main import EXIT_NO
from goldpan.cli.number_options import IntegerParam, NumberParam
from goldpan.cli.plain_console import styled
from goldpan.cli.progress import ProgressReporter, show_progress

KEEP_HOURS = 24


def _is_number(
    _context: click.Context, parameter: click.Parameter, value: float | None
) -> float | None:
    """Return a number as it is; no number is within no range, and would limit nothing."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("it must be a number", param=parameter)
    return value


@click.command()
@click.option(
    "--plan",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.yaml",
    help="The plan; without it, that of GOLDPAN_RETENTION__PLAN.",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would expire.")
@click.option(
    "--purge",
    "purges",
    is_flag=True,
    help="Remove files that left the tables (by this, an earlier run, or compaction), with all "
    "versions that a bucket keeps of them.",
)
@click.option(
    "--keep-hours",
    type=IntegerParam(1),
    default=KEEP_HOURS,
    show_default=True,
    help="What --purge leaves: files that left a table less long ago. Readers of an older version "
    "may hold them.",
)
@click.option(
    "--at-most",
    type=NumberParam(0, 1, min_open=True),
    callback=_is_number,
    metavar="SHARE",
    help="The share of a table that this run may take, above 0 and up to 1; without it, that of "
    "GOLDPAN_RETENTION__AT_MOST.",
)
@click.option("--yes", is_flag=True, help="Take it, however much it is.")
@with_cli_context
@click.pass_context
def run(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    call: CliContext,
    *,
    path: Path | None,
    dry_run: bool,
    purges: bool,
    keep_hours: int,
    at_most: float | None,
    yes: bool,
) -> None:
    """Take out of the tables what has expired by a plan: rows, texts, pseudonyms, payloads.

    Safe beside running workers, if run twice at once, and if killed: run it again, once a day. What
    has expired is still in the files that the tables do not consist of any more, until they are
    purged. Releases stay as they are.

    A run that would take far more than the last ones did, and more of a table than a share that is
    set, changes nothing: it shows the figures, and ends with 1, or asks where somebody watches.

    \b
    Example:
      goldpan retention run --plan retention.yaml --dry-run
    """
    plan = retention_setup.open_retention_plan(call.settings, path)
    day = retention_setup.store_today(call.settings)
    runs = retention_setup.set_up_runs(call.settings, plan, day)
    if not (dry_run or yes or _confirmed(call, day, runs, at_most)):
        ctx.exit(EXIT_NO)
    with show_progress(call) as report:
        found = _found(runs, report, dry_run=dry_run)
        gone = {} if dry_run or not purges else _purged(runs, keep_hours, report)
    until = {one.table.name: one.until for one in runs}
    staged = list(retention_setup.find_expired_replay_rows(call.settings, until))
    data = {
        "dry_run": dry_run,
        "today": day.isoformat(),
        "until": {t: {p: d.isoformat() for p, d in parts.items()} for t, parts in until.items()},
        "expired": [one.to_json() for one in found],
        "waiting": [one.to_json() for run in runs for one in run.waiting],
        "purged": {name: len(files) for name, files in gone.items()} if purges else None,
        "staged_replays": [{"name": one.name, "rows": one.rows} for one in staged],
    }

    def show(console: Console) -> None:
        _show(console, found, until, dry_run=dry_run)
        _show_files(console, gone, keep_hours, told=bool(found) and not dry_run)
        _show_waiting(console, [one for run in runs for one in run.waiting], staged)

    call.answer(data, show)


def _confirmed(
    call: CliContext, day: date, runs: Sequence[RetentionRun], at_most: float | None
) -> bool:
    """Tell whether a run may begin: it takes no more than it may, or somebody says yes."""
    found = retention_setup.list_excesses(call.settings, runs, at_most)
    if not found:
        return True
    data = {
        "ok": False,
        "dry_run": False,
        "today": day.isoformat(),
        "too_much": [one.to_json() for one in found],
    }
    call.answer(data, lambda console: _show_excess(console, day, found))
    if not call.watched:
        return False
    return click.confirm("Take it all the same?")


def _show_excess(console: Console, day: date, found: Sequence[RetentionExcess]) -> None:
    for one in found:
        console.print(
            f"{one.table}: {one.part} of {format_count(one.rows)} of "
            f"{format_count(one.table_rows)} rows would expire ({one.share:.0%}); "
            f"the last runs took {format_count(one.usual_rows)}",
            soft_wrap=True,
        )
    console.print(
        f"Nothing was changed. Look at the plan and at the day ({day}); if this is meant, say "
        "--yes, or --at-most with the share of a table that may go",
        soft_wrap=True,
    )


def _show_files(
    console: Console, gone: Mapping[str, Sequence[str]], keep_hours: int, *, told: bool
) -> None:
    """Print what was purged and, if something was ``told`` to have expired, what will purge it."""
    for name, files in gone.items():
        console.print(f"{name}: {format_count(len(files))} files purged")
    if told:
        console.print(
            "The files that held what has expired now are still there: once they have been out of "
            f"the tables for {keep_hours} hours, `goldpan retention run --purge` removes them (or "
            f"`goldpan lake vacuum --keep-hours {keep_hours}`, but for versions that a bucket "
            "keeps).",
            soft_wrap=True,
        )


def _show_waiting(
    console: Console,
    waiting: Sequence[ExpiringDay],
    staged: Sequence[retention_setup.ExpiredReplayRows],
) -> None:
    """Print what a person has to bring to its end."""
    for one in waiting:
        console.print(
            styled(
                "yellow",
                f"{one.table}, {one.day}",
                " waits: a flush, or a re-drive, of rows of that day has not come to its end; "
                "`goldpan lake verify` tells what to do",
            ),
            soft_wrap=True,
        )
    for replay in staged:
        console.print(
            styled(
                "yellow",
                f"replay {replay.name}",
                f" holds {format_count(replay.rows)} staged rows of days that are over: "
                f"`goldpan replay promote {replay.name}`, or `abandon` it",
            ),
            soft_wrap=True,
        )


def _found(
    runs: Sequence[RetentionRun], report: ProgressReporter, *, dry_run: bool
) -> list[ExpiringDay]:
    found: list[ExpiringDay] = []
    for number, one in enumerate(runs):
        report(f"table {one.table.name}", number, len(runs))
        for due in one.find_expiring() if dry_run else one.run():
            found.append(due)
            report(f"table {one.table.name}, {due.day}", number, len(runs))
    return found


def _purged(
    runs: Sequence[RetentionRun], keep_hours: int, report: ProgressReporter
) -> dict[str, list[str]]:
    gone: dict[str, list[str]] = {}
    for number, one in enumerate(runs):
        report(f"purging table {one.table.name}", number, len(runs))
        retry = jobs.job_context().retry
        gone[one.table.name] = purge_table(one.table, keep_hours=keep_hours, retry=retry)
    return gone


def _show(
    console: Console,
    found: Sequence[ExpiringDay],
    until: Mapping[str, Mapping[str, date]],
    *,
    dry_run: bool,
) -> None:
    for table, parts in until.items():
        told = ", ".join(f"{part} from {day} on" for part, day in parts.items())
        console.print(f"{table} keeps {told}", soft_wrap=True)
    if not found:
        console.print("nothing has expired that is still there")
        return
    grid = Grid("table", "day", "what", "rows", "size", box=box.SIMPLE_HEAD)
    for column in grid.columns[3:]:
        column.justify = "right"
    totals: dict[str, ExpiringAmount] = {}
    for one in found:
        for part, amount in sorted(one.parts.items()):
            totals[part] = totals.get(part, ExpiringAmount()) + amount
            size = format_bytes(amount.bytes)
            grid.add_row(one.table, str(one.day), part, format_count(amount.rows), size)
    console.print(grid)
    would = "would expire" if dry_run else "expired"
    for part, amount in sorted(totals.items()):
        console.print(
            f"{part}: {format_count(amount.rows)} rows, {format_bytes(amount.bytes)} {would}"
        )
