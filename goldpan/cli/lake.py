"""``goldpan lake``: create, upgrade and describe the tables, and refuse keys."""

import dataclasses
from functools import partial
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from goldpan import erasures_copy, key_check, wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_bytes, format_count, format_time_cell
from lake.key_checks import REDACTION_PURPOSE, SEALING_PURPOSE
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Lake, TableFacts
from lake.upgrade import upgrade_lake


@click.command()
@click.option(
    "--lost",
    type=click.Choice(tuple(TABLE_LAYOUTS)),
    multiple=True,
    metavar="TABLE",
    help="Recreate this table, without its rows, although others show that it existed; may be "
    "repeated.",
)
@with_cli_context
def init(cli: CliContext, *, lost: tuple[str, ...]) -> None:
    """Create the tables that are missing.

    Safe at any time, also several times at once: existing tables are checked and left as they are.
    A table that is missing in a lake in use is damage and is not created: restore it from a backup.

    Also creates the second location of tombstones, if GOLDPAN_LAKE__ERASURES_COPY is set.

    \b
    Example:
      GOLDPAN_LAKE__URI=s3://bucket/lake goldpan lake init
    """
    erasures_copy.create_erasures_copy(cli.settings)
    lake = Lake(cli.settings.lake)
    created = lake.init(lost=lost)
    uri = cli.settings.lake.uri

    def show(console: Console) -> None:
        result = f"created {', '.join(created)}" if created else "all tables exist"
        console.print(f"{uri}: {result}", soft_wrap=True)

    cli.answer({"uri": uri, "made": created}, show)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show what would be added.")
@with_cli_context
def upgrade(cli: CliContext, *, dry_run: bool) -> None:
    """Add the columns that tables of an older version lack; they are empty.

    Safe while workers of either version run, and safe to repeat. Run it before the first worker of
    a version whose contract has a new field.

    \b
    Example:
      goldpan lake upgrade --dry-run
    """
    added = upgrade_lake(Lake(cli.settings.lake), wiring.make_retry(), dry_run=dry_run)

    def show(console: Console) -> None:
        for upgraded in added:
            if upgraded.created:
                done = "to be created" if dry_run else "created"
                console.print(f"table {upgraded.table}: {done}")
                continue
            columns = f"{'to be added' if dry_run else 'added'}: {', '.join(upgraded.columns)}"
            console.print(f"table {upgraded.table}: columns {columns}", soft_wrap=True)
        if not added:
            console.print("all tables have the columns of this version")

    data = {
        "dry_run": dry_run,
        "created": [upgraded.table for upgraded in added if upgraded.created],
        "added": {
            upgraded.table: list(upgraded.columns) for upgraded in added if not upgraded.created
        },
    }
    cli.answer(data, show)


@click.command()
@click.argument("key_id", metavar="KEY_ID", help="Id of the destroyed key.")
@click.option(
    "--purpose",
    type=click.Choice([SEALING_PURPOSE, REDACTION_PURPOSE]),
    default=SEALING_PURPOSE,
    show_default=True,
    help="Purpose of the key.",
)
@with_cli_context
def refuse_key(cli: CliContext, *, key_id: str, purpose: str) -> None:
    """Refuse a destroyed key from now on, in case a backup of keys brings it back.

    The lake stores a check value, which reveals nothing about the key. From then on no command of
    this lake accepts the key, whatever its name. Remove it from the settings first.

    \b
    Example:
      goldpan lake refuse-key s1
    """
    step = partial(key_check.revoke_key, cli.settings, Lake(cli.settings.lake), purpose, key_id)
    wiring.make_retry().call("recording that a key was destroyed", step)
    cli.answer(
        {"purpose": purpose, "key_id": key_id},
        lambda console: console.print(f"the {purpose} key {key_id} is refused from now on"),
    )


@click.command()
@with_cli_context
def tables(cli: CliContext) -> None:
    """Describe the tables: version, rows, files, size, days and last commit.

    \b
    Example:
      goldpan lake tables --json
    """
    facts = [table.facts() for table in Lake(cli.settings.lake).tables()]
    cli.answer({"tables": [_facts_json(f) for f in facts]}, lambda c: c.print(_facts_table(facts)))


def _facts_json(facts: TableFacts) -> dict[str, Any]:
    last = facts.last_commit
    return dataclasses.asdict(facts) | {"last_commit": last.isoformat() if last else None}


def _facts_table(facts: list[TableFacts]) -> Table:
    table = Table(
        "table",
        "version",
        "rows",
        "files",
        "size",
        "days",
        "last commit (UTC)",
        box=box.SIMPLE_HEAD,
    )
    for column in table.columns[1:5]:
        column.justify = "right"
    for fact in facts:
        days = "-" if fact.days is None else " to ".join(dict.fromkeys(fact.days))
        last = "-" if fact.last_commit is None else format_time_cell(fact.last_commit)
        numbers = map(format_count, (fact.version, fact.rows, fact.files))
        table.add_row(fact.name, *numbers, format_bytes(fact.bytes), days, last)
    return table
