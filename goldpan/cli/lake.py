"""``goldpan lake``: make the tables, describe them, prove that they are complete."""

import dataclasses
from dataclasses import replace
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.table import Table

from goldpan import held, keys, wiring
from goldpan.cli.call import Call, with_call
from goldpan.cli.figures import bytes_text, count_text
from goldpan.cli.main import NO
from goldpan.cli.shown import marked
from goldpan.held import Topics
from lake.tables import Lake, TableFacts
from lake.upgrade import upgrade as upgrade_lake
from lake.verify import Report
from lake.verify import verify as verify_lake


@click.command()
@with_call
def init(call: Call) -> None:
    """Make the tables that are missing.

    Safe to run at any time, also by many at once: what exists is checked and left as it is.

    \b
    Example:
      GOLDPAN_LAKE__URI=s3://bucket/lake goldpan lake init
    """
    lake = Lake(call.settings.lake)
    made = lake.init()
    uri = call.settings.lake.uri

    def show(console: Console) -> None:
        told = f"made {', '.join(made)}" if made else "all tables are there"
        console.print(f"{uri}: {told}", soft_wrap=True)

    call.answer({"uri": uri, "made": made}, show)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would be added.")
@with_call
def upgrade(call: Call, *, dry_run: bool) -> None:
    """Add the columns that tables of an older version lack, empty.

    Safe beside workers of either version, and to run again. Before the first worker of a version
    whose contract has a new field.

    \b
    Example:
      goldpan lake upgrade --dry-run
    """
    added = upgrade_lake(Lake(call.settings.lake), wiring.retry(), dry_run=dry_run)

    def show(console: Console) -> None:
        for one in added:
            told = "would get" if dry_run else "has got"
            console.print(f"table {one.table} {told} {', '.join(one.columns)}", soft_wrap=True)
        if not added:
            console.print("all tables have the columns of this version")

    data = {"dry_run": dry_run, "added": {one.table: list(one.columns) for one in added}}
    call.answer(data, show)


@click.command()
@with_call
def tables(call: Call) -> None:
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
        numbers = (str(one.version), count_text(one.rows), count_text(one.files))
        table.add_row(one.name, *numbers, bytes_text(one.bytes), days, last)
    return table


@click.command()
@click.option("--deep", is_flag=True, help="Read the coordinates of all rows as well.")
@click.option(
    "--kafka",
    is_flag=True,
    help="Ask Kafka as well what the topics hold: what is still to be read, and what is lost.",
)
@with_call
@click.pass_context
def verify(ctx: click.Context, call: Call, *, deep: bool, kafka: bool) -> None:
    """Prove from the tables' logs that every record up to their positions is there exactly once.

    For each partition: ranges of offsets without gap or overlap, and consumed = stored +
    quarantined + dropped. Exit code 1, and what is wrong, if anything is. Names the keys that rows
    were made with, and with --deep in how many places each stands. What the topics hold beyond the
    positions is told with --kafka: a lag is no failure, records that Kafka deleted unread are.

    \b
    Example:
      goldpan lake verify --json | jq .ok
      goldpan lake verify --kafka
    """
    lake = Lake(call.settings.lake)
    wiring.refuse_other_keys(call.settings, lake)
    asked = held.ask(call.settings) if kafka else None
    report = wiring.retry().call("verifying the lake", lambda: verify_lake(lake, deep=deep))
    topics = asked(lake, report) if asked else None
    needed = wiring.retry().call("looking at keys", lambda: keys.needed(lake, count=deep))
    if topics is not None:
        report = replace(report, problems=[*report.problems, *topics.problems])
    said = {"keys": [one.to_json() for one in needed]} if needed else {}
    said |= topics.to_json() if topics else {}

    def show(console: Console) -> None:
        show_report(console, report, topics)
        for one in needed:
            console.print(_key_text(one), markup=False, soft_wrap=True)

    call.answer(report.to_json() | said, show)
    if not report.ok:
        ctx.exit(NO)


def _key_text(one: keys.Needed) -> str:
    """Return what is known of a key, for a person."""
    places = "" if one.rows is None else f", stands in {count_text(one.rows)} places"
    known = "" if one.known else "; the lake has no check value of it"
    return f"key {one.key_id} ({one.purpose}){places}{known}"


_USUAL: Final = ("from", "to", "consumed", "stored", "quarantined")
_RARE: Final = ("dropped", "expired", "erased", "skipped")
"""Columns that are shown where one of them is not 0."""


def show_report(console: Console, report: Report, topics: Topics | None = None) -> None:
    """Print the proof of each partition, what the topics hold, and then what is wrong."""
    proofs = [(f"{one.topic}/{one.partition}", one.to_json()) for one in report.partitions]
    rare = [name for name in _RARE if any(said[name] for _, said in proofs)]
    table = Table("partition", *_USUAL, *rare, box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, said in proofs:
        table.add_row(name, *(count_text(int(said[key])) for key in (*_USUAL, *rare)))
    console.print(table)
    if topics is not None:
        console.print(_topics_table(topics))
    for problem in report.problems:
        console.print(marked("red", "wrong", f": {problem}"), soft_wrap=True)
    if report.ok:
        console.print(marked("green", "ok", f": {_claim(report, topics)}"), soft_wrap=True)
        if any(proof.expired or proof.erased for proof in report.partitions):
            console.print("but for those that have expired or were erased, which count as dropped")


def _claim(report: Report, topics: Topics | None) -> str:
    """Say what is proved, and up to where."""
    proved = "every record up to the end (to) of each partition is in the lake exactly once"
    if not report.partitions:
        proved = "nothing is wrong, and nothing is in the lake: no partition has been begun"
    if topics is None:
        return f"{proved}; what the topics hold beyond that, --kafka tells"
    behind = [one for one in topics.partitions if one.behind]
    if not behind:
        return f"{proved}; the topics hold nothing beyond that"
    offsets = count_text(sum(one.behind for one in behind))
    return f"{proved}; {offsets} offsets of {len(behind)} partitions are still to be read"


def _topics_table(topics: Topics) -> Table:
    table = Table("in Kafka", "from", "to", "position", box=box.SIMPLE_HEAD)
    for name in ("behind", "before", "lost"):
        table.add_column(name)
    for column in table.columns[1:]:
        column.justify = "right"
    for one in topics.partitions:
        position = "-" if one.position is None else count_text(one.position)
        numbers = (count_text(n) for n in (one.behind, one.before, one.lost))
        where = f"{one.source.topic}/{one.source.partition}"
        table.add_row(where, count_text(one.low), count_text(one.high), position, *numbers)
    return table
