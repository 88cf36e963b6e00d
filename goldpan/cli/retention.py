"""``goldpan retention``: delete rows and values that have expired."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table as Grid

from batch.progress import ReportProgress
from batch.retention.expiring import ExpiringAmount, ExpiringDay
from batch.retention.limit import RetentionExcess
from batch.retention.purge import purge_table
from batch.retention.run import RetentionRun
from goldpan import jobs, retention_setup
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_bytes, format_count, format_quantity
from goldpan.cli.main import EXIT_NO
from goldpan.cli.number_options import IntegerParam, NumberParam
from goldpan.cli.plain_console import styled
from goldpan.cli.progress import show_progress

KEEP_HOURS = 24


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
    help="--purge keeps files that were part of a table in the last N hours, for readers of an "
    "older version.",
)
@click.option(
    "--at-most",
    type=NumberParam(0, 1, min_open=True),
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
    today = retention_setup.store_today(cli.settings)
    runs = retention_setup.set_up_runs(cli.settings, plan, today)
    if not (dry_run or yes or _confirmed(cli, today, runs, at_most)):
        ctx.exit(EXIT_NO)
    with show_progress(cli) as report:
        expired = _expire(runs, report, dry_run=dry_run)
        purged = {} if dry_run or not purges else _purge(runs, keep_hours, report)
    until = {each.table.name: each.until for each in runs}
    waiting = [day for each in runs for day in each.waiting]
    staged = list(retention_setup.find_expired_replay_rows(cli.settings, until))
    data = {
        "dry_run": dry_run,
        "today": today.isoformat(),
        "until": {t: {p: d.isoformat() for p, d in parts.items()} for t, parts in until.items()},
        "expired": [day.to_json() for day in expired],
        "waiting": [day.to_json() for day in waiting],
        "purged": {name: len(files) for name, files in purged.items()} if purges else None,
        "staged_replays": [{"name": replay.name, "rows": replay.rows} for replay in staged],
    }

    def show(console: Console) -> None:
        _show(console, expired, until, dry_run=dry_run)
        _show_files(console, purged, keep_hours, expired=bool(expired) and not dry_run)
        _show_waiting(console, waiting, staged)

    cli.answer(data, show)


def _confirmed(
    cli: CliContext, today: date, runs: Sequence[RetentionRun], at_most: float | None
) -> bool:
    """Return whether the run may start: it stays within the limit, or a person confirms."""
    excesses = retention_setup.list_excesses(cli.settings, runs, at_most)
    if not excesses:
        return True
    data = {
        "ok": False,
        "dry_run": False,
        "today": today.isoformat(),
        "too_much": [excess.to_json() for excess in excesses],
    }
    cli.answer(data, lambda console: _show_excesses(console, today, excesses))
    if not cli.watched:
        return False
    return click.confirm("Remove it anyway?")


def _show_excesses(console: Console, today: date, excesses: Sequence[RetentionExcess]) -> None:
    for excess in excesses:
        rows = f"{format_count(excess.rows)} of {format_quantity(excess.table_rows, 'row')}"
        console.print(
            f"{excess.table}: {excess.part} of {rows} would expire ({excess.share:.0%}); previous "
            f"runs removed {format_count(excess.usual_rows)}",
            soft_wrap=True,
        )
    console.print(
        f"Nothing was changed. Check the plan and the date ({today}). If this is intended, give "
        "--yes, or --at-most with the share of a table that may be removed.",
        soft_wrap=True,
    )


def _show_files(
    console: Console, purged: Mapping[str, Sequence[str]], keep_hours: int, *, expired: bool
) -> None:
    """Print what was purged and, if something ``expired``, how its files will be purged."""
    for name, files in purged.items():
        console.print(f"{name}: {format_quantity(len(files), 'file')} purged")
    if expired:
        hours = format_quantity(keep_hours, "hour")
        console.print(
            f"The old files still contain what has expired. In {hours}, `goldpan retention run "
            f"--purge` can delete them. `goldpan lake vacuum --keep-hours {keep_hours}` can too, "
            "but not the versions that a bucket keeps.",
            soft_wrap=True,
        )


def _show_waiting(
    console: Console,
    waiting: Sequence[ExpiringDay],
    staged: Sequence[retention_setup.ExpiredReplayRows],
) -> None:
    """Print what a person must finish."""
    for day in waiting:
        console.print(
            styled(
                "yellow",
                f"{day.table}, {day.day}",
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
                f" has {format_quantity(replay.rows, 'staged row')} of expired days: "
                f"run `goldpan replay promote {replay.name}`, or `abandon` it",
            ),
            soft_wrap=True,
        )


def _expire(
    runs: Sequence[RetentionRun], report: ReportProgress, *, dry_run: bool
) -> list[ExpiringDay]:
    expired: list[ExpiringDay] = []
    for index, each in enumerate(runs):
        report(f"table {each.table.name}", index, len(runs))
        for day in each.find_expiring() if dry_run else each.run():
            expired.append(day)
            report(f"table {each.table.name}, {day.day}", index, len(runs))
    return expired


def _purge(
    runs: Sequence[RetentionRun], keep_hours: int, report: ReportProgress
) -> dict[str, list[str]]:
    purged: dict[str, list[str]] = {}
    for index, each in enumerate(runs):
        report(f"purging table {each.table.name}", index, len(runs))
        retry = jobs.job_context().retry
        purged[each.table.name] = purge_table(each.table, keep_hours=keep_hours, retry=retry)
    return purged


def _show(
    console: Console,
    expired: Sequence[ExpiringDay],
    until: Mapping[str, Mapping[str, date]],
    *,
    dry_run: bool,
) -> None:
    for table, parts in until.items():
        ranges = ", ".join(f"{part} since {day}" for part, day in parts.items())
        console.print(f"{table} keeps {ranges}", soft_wrap=True)
    if not expired:
        console.print("nothing has expired")
        return
    grid = Grid("table", "day", "part", "rows", "size", box=box.SIMPLE_HEAD)
    for column in grid.columns[3:]:
        column.justify = "right"
    totals: dict[str, ExpiringAmount] = {}
    for day in expired:
        for part, amount in sorted(day.parts.items()):
            totals[part] = totals.get(part, ExpiringAmount()) + amount
            size = format_bytes(amount.bytes)
            grid.add_row(day.table, str(day.day), part, format_count(amount.rows), size)
    console.print(grid)
    state = "would expire" if dry_run else "expired"
    for part, amount in sorted(totals.items()):
        rows = format_quantity(amount.rows, "row")
        console.print(f"{part}: {rows}, {format_bytes(amount.bytes)} {state}")
