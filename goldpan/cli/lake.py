"""``goldpan lake``: make the tables, bring them up to date, describe them."""

import dataclasses
from functools import partial
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from goldpan import erasure_setup, key_check, wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_bytes, format_count
from lake.key_checks import REDACTION_PURPOSE, SEALING_PURPOSE
from lake.tables import TABLE_LAYOUTS, Lake, TableFacts
from lake.upgrade import upgrade_lake


@click.command()
@click.option(
    "--lost",
    type=click.Choice(tuple(TABLE_LAYOUTS)),
    multiple=True,
    help="Make this table though others show that it was there: what it held is given up.",
)
@with_cli_context
def init(call: CliContext, *, lost: tuple[str, ...]) -> None:
    """Make the tables that are missing.

    Safe to run at any time, also by many at once: what exists is checked and left as it is. A table
    that is gone from a lake in use is damage, and is not made: put it back from a copy.

    Begins the place where tombstones are kept a second time, if one is set.

    \b
    Example:
      GOLDPAN_LAKE__URI=s3://bucket/lake goldpan lake init
    """
    erasure_setup.create_erasures_copy(call.settings)
    lake = Lake(call.settings.lake)
    made = lake.init(lost=lost)
    uri = call.settings.lake.uri

    def show(console: Console) -> None:
        told = f"made {', '.join(made)}" if made else "all tables are there"
        console.print(f"{uri}: {told}", soft_wrap=True)

    call.answer({"uri": uri, "made": made}, show)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would be added.")
@with_cli_context
def upgrade(call: CliContext, *, dry_run: bool) -> None:
    """Add the columns that tables of an older version lack, empty.

    Safe beside workers of either version, and to run again. Before the first worker of a version
    whose contract has a new field.

    \b
    Example:
      goldpan lake upgrade --dry-run
    """
    added = upgrade_lake(Lake(call.settings.lake), wiring.make_retry(), dry_run=dry_run)

    def show(console: Console) -> None:
        for one in added:
            told = "would get" if dry_run else "has got"
            console.print(f"table {one.table} {told} {', '.join(one.columns)}", soft_wrap=True)
        if not added:
            console.print("all tables have the columns of this version")

    data = {"dry_run": dry_run, "added": {one.table: list(one.columns) for one in added}}
    call.answer(data, show)


@click.command()
@click.argument("key_id", metavar="KEY_ID")
@click.option(
    "--purpose",
    type=click.Choice([SEALING_PURPOSE, REDACTION_PURPOSE]),
    default=SEALING_PURPOSE,
    show_default=True,
    help="What the key was for.",
)
@with_cli_context
def refuse_key(call: CliContext, *, key_id: str, purpose: str) -> None:
    """Refuse a key for good: it was destroyed, and must not come back with a backup of keys.

    What is kept is the check value of the key, which tells nothing of it; no command of this lake
    takes the key any more, under whatever name. Take it out of the settings first.

    \b
    Example:
      goldpan lake refuse-key s1
    """
    step = partial(key_check.revoke_key, call.settings, Lake(call.settings.lake), purpose, key_id)
    wiring.make_retry().call("putting down that a key was destroyed", step)
    call.answer(
        {"purpose": purpose, "key_id": key_id},
        lambda console: console.print(f"the {purpose} key {key_id} is refused from now on"),
    )


@click.command()
@with_cli_context
def tables(call: CliContext) -> None:
    """Describe the tables: rows, files, bytes, days, last commit.

    \b
    Example:
      goldpan lake tables --json
    """
    facts = [table.facts() for table in Lake(call.settings.lake).tables()]
    call.answer({"tables": [_facts_json(f) for f in facts]}, lambda c: c.print(_facts_table(facts)))


def _facts_json(facts: TableFacts) -> dict[str, Any]:
    last = facts.last_commit
    return dataclasses.asdict(facts) | {"last_commit": last.isoformat() if last else None}


def _facts_table(facts: list[TableFacts]) -> Table:
    table = Table(
        "table", "version", "rows", "files", "size", "days", "last commit", box=box.SIMPLE_HEAD
    )
    for column in table.columns[1:5]:
        column.justify = "right"
    for one in facts:
        days = "-" if one.days is None else " to ".join(dict.fromkeys(one.days))
        last = "-" if one.last_commit is None else one.last_commit.strftime("%Y-%m-%d %H:%M:%S Z")
        numbers = (str(one.version), format_count(one.rows), format_count(one.files))
        table.add_row(one.name, *numbers, format_bytes(one.bytes), days, last)
    return table
