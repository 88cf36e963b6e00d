"""``goldpan retention``: delete rows and values that have expired."""

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
from batch.retention.run import RetentionRun, expiring_to_json
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
    help="Retention plan; default: GOLDPAN_RETENTION__PLAN.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would expire.")
@click.option(
    "--purge",
    "purges",
    is_flag=True,
    help="Also delete files that are no longer part of the tables, with all versions that a "
    "bucket keeps of them.",
)
@click.option(
    "--keep-hours",
    type=IntegerParam(1),
    default=KEEP_HOURS,
    show_default=True,
    help="--purge keeps files that were part of a table within so many hours, for readers of an "
    "older version.",
)
@click.option(
    "--at-most",
    type=NumberParam(0, 1, min_open=True),
    callback=_is_number,
    metavar="SHARE",
    help="Share of a table that this run may remove, above 0 and up to 1; default: "
    "GOLDPAN_RETENTION__AT_MOST.",
)
@click.option("--yes", is_flag=True, help="Remove it, however much it is.")
@with_cli_context
@click.pass_context
def run(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    cli: CliContext,
    *,
    path: Path | None,
    dry_run: bool,
    purges: bool,
    keep_hours: int,
    at_most: float | None,
    yes: bool,
) -> None:
    """Delete what has expired under a plan: rows, texts, pseudonyms and payloads.

    Run it once a day. Safe while workers run, if run twice at once, and after a crash: run it
    again. Old files that are no longer part of the tables still contain what has expired, until
    they are purged. Releases do not change.

    If a run would remove far more than previous runs, and more than the allowed share of a table,
    it prints the figures and changes nothing: exit code 1, or a question on a terminal.

    \b
    Example:
      goldpan retention run --plan retention.yaml --dry-run
    """
    plan = retention_setup.open_retention_plan(cli.settings, path)
    day = retention_setup.store_today(cli.settings)
    runs = retention_setup.set_up_runs(cli.settings, plan, day)
    if not (dry_run or yes or _confirmed(cli, day, runs, at_most)):
        ctx.exit(EXIT_NO)
    with show_progress(cli) as report:
        found = _found(runs, report, dry_run=dry_run)
        gone = {} if dry_run or not purges else _purged(runs, keep_hours, report)
    until = {one.table.name: one.until for one in runs}
    staged = list(retention_setup.find_expired_replay_rows(cli.settings, until))
    data = {
        "dry_run": dry_run,
        "today": day.isoformat(),
        "until": {t: {p: d.isoformat() for p, d in parts.items()} for t, parts in until.items()},
        "expired": [expiring_to_json(one) for one in found],
        "waiting": [expiring_to_json(one) for run in runs for one in run.waiting],
        "purged": {name: len(files) for name, files in gone.items()} if purges else None,
        "staged_replays": [{"name": one.name, "rows": one.rows} for one in staged],
    }

    def show(console: Console) -> None:
        _show(console, found, until, dry_run=dry_run)
        _show_files(console, gone, keep_hours, told=bool(found) and not dry_run)
        _show_waiting(console, [one for run in runs for one in run.waiting], staged)

    cli.answer(data, show)


def _confirmed(
    cli: CliContext, day: date, runs: Sequence[RetentionRun], at_most: float | None
) -> bool:
    """Return whether the run may start: it stays within the limit, or a person confirms."""
    found = retention_setup.list_excesses(cli.settings, runs, at_most)
    if not found:
        return True
    data = {
        "ok": False,
        "dry_run": False,
        "today": day.isoformat(),
        "too_much": [one.to_json() for one in found],
    }
    cli.answer(data, lambda console: _show_excess(console, day, found))
    if not cli.watched:
        return False
    return click.confirm("Remove it anyway?")


def _show_excess(console: Console, day: date, found: Sequence[RetentionExcess]) -> None:
    for one in found:
        console.print(
            f"{one.table}: {one.part} of {format_count(one.rows)} of {format_count(one.of)} rows would "
            f"expire ({one.share:.0%}); the last runs took {format_count(one.usual)}",
            soft_wrap=True,
        )
    console.print(
        f"Nothing was changed. Check the plan and the date ({day}). If this is intended, give "
        "--yes, or --at-most with the share of a table that may be removed.",
        soft_wrap=True,
    )


def _show_files(
    console: Console, gone: Mapping[str, Sequence[str]], keep_hours: int, *, told: bool
) -> None:
    """Print what was purged and, if something ``expired``, how its files will be purged."""
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
    """Print what a person must finish."""
    for one in waiting:
        console.print(
            styled(
                "yellow",
                f"{one.table}, {one.day}",
                " must wait: a flush or a redrive of rows of that day is not finished; "
                "`goldpan lake verify` shows what to do",
            ),
            soft_wrap=True,
        )
    for replay in staged:
        console.print(
            styled(
                "yellow",
                f"replay {replay.name}",
                f" holds {format_count(replay.rows)} staged rows of days that are over: "
                f"run `goldpan replay promote {replay.name}`, or `abandon` it",
            ),
            soft_wrap=True,
        )


def _found(
    runs: Sequence[RetentionRun], report: ProgressReporter, *, dry_run: bool
) -> list[ExpiringDay]:
    found: list[ExpiringDay] = []
    for number, one in enumerate(runs):
        report(f"table {one.table.name}", number, len(runs))
        for due in one.look() if dry_run else one.carry_out():
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
        console.print("nothing has expired")
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
