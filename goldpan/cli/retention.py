"""``goldpan retention``: rows and values leave the lake when their days are over."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table as Grid

from batch.retention.due import Amount, Due
from batch.retention.purge import purge
from batch.retention.run import Run, to_json
from goldpan import jobs, retention
from goldpan.cli.call import Call, with_call
from goldpan.cli.figures import bytes_text, count_text
from goldpan.cli.progress import Report, progress

KEEP_HOURS = 24


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
    type=click.IntRange(1),
    default=KEEP_HOURS,
    show_default=True,
    help="What --purge leaves: files that left a table less long ago. Readers of an older version "
    "may hold them.",
)
@with_call
def run(call: Call, *, path: Path | None, dry_run: bool, purges: bool, keep_hours: int) -> None:
    """Take out of the tables what has expired by a plan: rows, texts, pseudonyms, payloads.

    Safe beside running workers, if run twice at once, and if killed: run it again, once a day. What
    has expired is still in the files that the tables do not consist of any more, until they are
    purged. Releases stay as they are.

    \b
    Example:
      goldpan retention run --plan retention.yaml --dry-run
    """
    day = retention.today()
    plan = retention.plan(call.settings, path)
    runs = retention.runs(call.settings, plan, day)
    with progress(call) as report:
        found = _found(runs, report, dry_run=dry_run)
        gone = {} if dry_run or not purges else _purged(runs, keep_hours, report)
    until = {one.table.name: one.until for one in runs}
    staged = list(retention.staged_replays(call.settings, until))
    data = {
        "dry_run": dry_run,
        "today": day.isoformat(),
        "until": {t: {p: d.isoformat() for p, d in parts.items()} for t, parts in until.items()},
        "expired": [to_json(one) for one in found],
        "waiting": [to_json(one) for run in runs for one in run.waiting],
        "purged": {name: len(files) for name, files in gone.items()} if purges else None,
        "staged_replays": [{"name": one.name, "rows": one.rows} for one in staged],
    }

    def show(console: Console) -> None:
        _show(console, found, until, dry_run=dry_run)
        _show_files(console, gone, keep_hours, told=bool(found) and not dry_run)
        _show_waiting(console, [one for run in runs for one in run.waiting], staged)

    call.answer(data, show)


def _show_files(
    console: Console, gone: Mapping[str, Sequence[str]], keep_hours: int, *, told: bool
) -> None:
    """Print what was purged and, if something was ``told`` to have expired, what will purge it."""
    for name, files in gone.items():
        console.print(f"{name}: {count_text(len(files))} files purged")
    if told:
        console.print(
            "The files that held what has expired now are still there: once they have been out of "
            f"the tables for {keep_hours} hours, `goldpan retention run --purge` removes them (or "
            f"`goldpan lake vacuum --keep-hours {keep_hours}`, but for versions that a bucket "
            "keeps).",
            soft_wrap=True,
        )


def _show_waiting(
    console: Console, waiting: Sequence[Due], staged: Sequence[retention.StagedReplay]
) -> None:
    """Print what a person has to bring to its end."""
    for one in waiting:
        console.print(
            f"[yellow]{one.table}, {one.day}[/] waits: a flush, or a re-drive, of rows of that day "
            "has not come to its end; `goldpan lake verify` tells what to do",
            soft_wrap=True,
        )
    for replay in staged:
        console.print(
            f"[yellow]replay {replay.name}[/] holds {count_text(replay.rows)} staged rows of days "
            f"that are over: `goldpan replay promote {replay.name}`, or `abandon` it",
            soft_wrap=True,
        )


def _found(runs: Sequence[Run], report: Report, *, dry_run: bool) -> list[Due]:
    found: list[Due] = []
    for number, one in enumerate(runs):
        report(f"table {one.table.name}", number, len(runs))
        for due in one.look() if dry_run else one.carry_out():
            found.append(due)
            report(f"table {one.table.name}, {due.day}", number, len(runs))
    return found


def _purged(runs: Sequence[Run], keep_hours: int, report: Report) -> dict[str, list[str]]:
    gone: dict[str, list[str]] = {}
    for number, one in enumerate(runs):
        report(f"purging table {one.table.name}", number, len(runs))
        retry = jobs.means().retry
        gone[one.table.name] = purge(one.table, keep_hours=keep_hours, retry=retry)
    return gone


def _show(
    console: Console,
    found: Sequence[Due],
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
    totals: dict[str, Amount] = {}
    for one in found:
        for part, amount in sorted(one.parts.items()):
            totals[part] = totals.get(part, Amount()) + amount
            size = bytes_text(amount.bytes)
            grid.add_row(one.table, str(one.day), part, count_text(amount.rows), size)
    console.print(grid)
    would = "would expire" if dry_run else "expired"
    for part, amount in sorted(totals.items()):
        console.print(f"{part}: {count_text(amount.rows)} rows, {bytes_text(amount.bytes)} {would}")
