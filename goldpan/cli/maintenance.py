"""``goldpan lake compact`` and ``goldpan lake vacuum``: merge small files, delete unused ones."""

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
from goldpan.cli.formatting import format_bytes, format_count, format_quantity
from goldpan.cli.number_options import IntegerParam
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Lake, Table
from lake.vacuum import vacuum_table
from schemas.times import shift_day

P = ParamSpec("P")
_BYTES_PER_MIB = 2**20


def with_tables(function: Callable[P, None]) -> Callable[P, None]:
    """Add the options ``--table`` and ``--dry-run`` to a command."""

    @click.option(
        "--table",
        "names",
        type=click.Choice(list(TABLE_LAYOUTS)),
        multiple=True,
        metavar="TABLE",
        help="Only this table; may be repeated.",
    )
    @click.option("--dry-run", is_flag=True, help="Only show what would be done.")
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
    help="Only days that ended at least this many whole days (UTC) ago.",
)
@click.option(
    "--target-mib",
    type=IntegerParam(1, 1024),
    default=128,
    show_default=True,
    help="Size of the new files, in MiB.",
)
@with_cli_context
def compact_(
    cli: CliContext, *, names: tuple[str, ...], dry_run: bool, settled_days: int, target_mib: int
) -> None:
    """Merge the small files of past days into large ones, sorted so that queries skip data.

    Safe while workers run, if run twice at once, and after a crash: the rows stay the same, except
    revisions of assembled traces that later ones have replaced. Run `goldpan lake vacuum` later to
    delete the old files.

    \b
    Example:
      goldpan lake compact --dry-run
    """
    before = shift_day(wiring.utc_now().date(), -settled_days)
    plans = {
        table: _plan(table, before, target_mib * _BYTES_PER_MIB) for table in _tables(cli, names)
    }
    if dry_run:
        batches = [batch for plan in plans.values() for batch in plan]
        data = {"dry_run": True, "batches": [_batch_json(batch) for batch in batches]}
        cli.answer(data, lambda console: _show_plan(console, batches))
        return
    compacted = [batch for table, batches in plans.items() for batch in _compact(table, batches)]
    cli.answer(
        {"dry_run": False, "batches": [_compacted_json(batch) for batch in compacted]},
        lambda console: _show_compacted(console, compacted),
    )


def _tables(cli: CliContext, names: Sequence[str]) -> list[Table]:
    lake = Lake(cli.settings.lake)
    return [lake.table(name) for name in names or TABLE_LAYOUTS]


def _plan(table: Table, before: date, target_bytes: int) -> list[CompactionBatch]:
    return release_setup.release_retry().call(
        f"reading table {table.name}",
        lambda: plan_compaction(table, before=before, target_bytes=target_bytes),
    )


def _compact(table: Table, batches: Sequence[CompactionBatch]) -> list[CompactedBatch]:
    context = wiring.make_commit_context(release_setup.RELEASE_RETRY_SECONDS)
    return list(compact_batches(table, batches, context))


def _batch_json(batch: CompactionBatch) -> dict[str, Any]:
    return {
        "table": batch.table,
        "day": batch.day.isoformat(),
        "files": len(batch.files),
        "rows": batch.rows,
        "bytes": batch.bytes,
    }


def _compacted_json(compacted: CompactedBatch) -> dict[str, Any]:
    new_bytes = compacted.bytes
    return _batch_json(compacted.batch) | {
        "new_bytes": new_bytes,
        "replaced": new_bytes is not None,
        **({"superseded": compacted.superseded} if compacted.superseded else {}),
    }


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


def _show_compacted(console: Console, compacted: Sequence[CompactedBatch]) -> None:
    if not compacted:
        console.print("nothing to compact")
        return
    replaced = [batch for batch in compacted if batch.bytes is not None]
    files = sum(len(batch.batch.files) for batch in replaced)
    console.print(f"merged {format_quantity(files, 'file')} into {format_count(len(replaced))}")
    if superseded := sum(batch.superseded for batch in compacted):
        console.print(f"left out {format_quantity(superseded, 'row')} of replaced revisions")
    if others := len(compacted) - len(replaced):
        batches = format_quantity(others, "batch", "batches")
        console.print(f"skipped {batches} that another compaction had replaced first")


@click.command(name="vacuum")
@with_tables
@click.option(
    "--keep-hours",
    type=IntegerParam(1),
    default=168,
    show_default=True,
    help="Keep files that were part of a table in the last N hours, for readers of older versions.",
)
@with_cli_context
def vacuum_(cli: CliContext, *, names: tuple[str, ...], dry_run: bool, keep_hours: int) -> None:
    """Delete files that are no longer part of the tables, or never became part of them.

    If this machine's clock differs from that of the lake's store, nothing is deleted.

    \b
    Example:
      goldpan lake vacuum --keep-hours 24 --dry-run
    """
    wiring.store_now_us(cli.settings)  # a fast clock would make new files look old
    deleted: Mapping[str, list[str]] = {
        table.name: _vacuum(table, keep_hours, dry_run=dry_run) for table in _tables(cli, names)
    }

    def show(console: Console) -> None:
        for name, files in deleted.items():
            state = "to be deleted" if dry_run else "deleted"
            console.print(f"{name}: {format_quantity(len(files), 'file')} {state}")

    data = [{"table": name, "files": files} for name, files in deleted.items()]
    cli.answer({"dry_run": dry_run, "tables": data}, show)


def _vacuum(table: Table, keep_hours: int, *, dry_run: bool) -> list[str]:
    return release_setup.release_retry().call(
        f"vacuuming table {table.name}",
        lambda: vacuum_table(table, keep_hours=keep_hours, dry_run=dry_run),
    )
