"""``goldpan lake compact`` and ``vacuum_table``: few large files instead of many small ones."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import wraps
from typing import Any, ParamSpec

import click
from rich import box
from rich.console import Console
from rich.table import Table as Grid

from batch.compaction import CompactedBatch, CompactionBatch, compact_batches, plan_compaction
from goldpan import release_setup, wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_bytes, format_count
from goldpan.cli.number_options import IntegerParam
from lake.table_commit import CommitContext
from lake.tables import TABLE_LAYOUTS, Lake, Table
from lake.vacuum import vacuum_table
from schemas.times import shift_day

P = ParamSpec("P")
_MIB = 2**20


def with_tables(function: Callable[P, None]) -> Callable[P, None]:
    """Give a command the options ``--table`` and ``--dry-run``."""

    @click.option(
        "--table",
        "names",
        type=click.Choice(list(TABLE_LAYOUTS)),
        multiple=True,
        help="Only this table; may be given several times.",
    )
    @click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
    @wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        function(*args, **kwargs)

    return command


@click.command(name="compact")
@with_tables
@click.option(
    "--settled-days",
    type=IntegerParam(0),
    default=1,
    show_default=True,
    help="Whole days (UTC) that must have passed since a day, for it to be closed.",
)
@click.option("--target-mib", type=IntegerParam(1, 1024), default=128, show_default=True)
@with_cli_context
def compact_(
    call: CliContext, *, names: tuple[str, ...], dry_run: bool, settled_days: int, target_mib: int
) -> None:
    """Make few large files of the many small ones of closed days, sorted so that queries skip.

    Safe beside running workers, if run twice at once, and if killed: the rows stay the same. The
    old files are removed by `goldpan lake vacuum`, later.

    \b
    Example:
      goldpan lake compact --dry-run
    """
    before = shift_day(wiring.utc_now().date(), -settled_days)
    found = {table: _plan(table, before, target_mib * _MIB) for table in _tables(call, names)}
    if dry_run:
        batches = [batch for some in found.values() for batch in some]
        data = {"dry_run": True, "batches": [_batch_json(batch) for batch in batches]}
        call.answer(data, lambda console: _show_plan(console, batches))
        return
    done = [one for table, batches in found.items() for one in _compacted(table, batches)]
    call.answer(
        {"dry_run": False, "batches": [_done_json(one) for one in done]},
        lambda console: _show_done(console, done),
    )


def _tables(call: CliContext, names: Sequence[str]) -> list[Table]:
    lake = Lake(call.settings.lake)
    return [lake.table(name) for name in names or TABLE_LAYOUTS]


def _plan(table: Table, before: date, target_bytes: int) -> list[CompactionBatch]:
    return release_setup.release_retry().call(
        f"looking at table {table.name}",
        lambda: plan_compaction(table, before=before, target_bytes=target_bytes),
    )


def _compacted(table: Table, batches: Sequence[CompactionBatch]) -> list[CompactedBatch]:
    context = CommitContext(release_setup.release_retry(), wiring.now_us, wiring.new_token)
    return list(compact_batches(table, batches, context))


def _batch_json(batch: CompactionBatch) -> dict[str, Any]:
    return {
        "table": batch.table,
        "day": batch.day.isoformat(),
        "files": len(batch.files),
        "rows": batch.rows,
        "bytes": batch.bytes,
    }


def _done_json(one: CompactedBatch) -> dict[str, Any]:
    return _batch_json(one.batch) | {"new_bytes": one.bytes, "replaced": one.bytes is not None}


def _show_plan(console: Console, batches: Sequence[CompactionBatch]) -> None:
    if not batches:
        console.print("nothing to compact")
        return
    grid = Grid("table", "day", "files", "rows", "size", box=box.SIMPLE_HEAD)
    for column in grid.columns[2:]:
        column.justify = "right"
    for batch in batches:
        numbers = (
            format_count(len(batch.files)),
            format_count(batch.rows),
            format_bytes(batch.bytes),
        )
        grid.add_row(batch.table, batch.day.isoformat(), *numbers)
    console.print(grid)


def _show_done(console: Console, done: Sequence[CompactedBatch]) -> None:
    mine = [one for one in done if one.bytes is not None]
    files = sum(len(one.batch.files) for one in mine)
    console.print(f"{format_count(files)} files became {format_count(len(mine))}")
    if others := len(done) - len(mine):
        console.print(f"{format_count(others)} times another compaction was first")


@click.command(name="vacuum")
@with_tables
@click.option(
    "--keep-hours",
    type=IntegerParam(1),
    default=168,
    show_default=True,
    help="Files that left a table less long ago stay: older versions can be read so long.",
)
@with_cli_context
def vacuum_(call: CliContext, *, names: tuple[str, ...], dry_run: bool, keep_hours: int) -> None:
    """Remove files that left the tables, or never got into them, some time ago.

    Nothing is removed by a machine whose clock is not that of the lake's store.

    \b
    Example:
      goldpan lake vacuum --keep-hours 24 --dry-run
    """
    wiring.store_now_us(call.settings)  # a clock that is ahead would make young files old ones
    gone: Mapping[str, list[str]] = {
        table.name: _vacuumed(table, keep_hours, dry_run=dry_run) for table in _tables(call, names)
    }

    def show(console: Console) -> None:
        for name, files in gone.items():
            would = "would be removed" if dry_run else "removed"
            console.print(f"{name}: {format_count(len(files))} files {would}")

    data = [{"table": name, "files": files} for name, files in gone.items()]
    call.answer({"dry_run": dry_run, "tables": data}, show)


def _vacuumed(table: Table, keep_hours: int, *, dry_run: bool) -> list[str]:
    return release_setup.release_retry().call(
        f"vacuuming table {table.name}",
        lambda: vacuum_table(table, keep_hours=keep_hours, dry_run=dry_run),
    )
