"""``goldpan subject``: what is held of a person, for one who asks."""

import json
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table as Grid

from batch.erase.holdings import Holding, collect_holdings
from goldpan import erasure_setup, jobs, subject_ids
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.erase import moment_text, show_releases, show_unseen, without_key
from goldpan.cli.formatting import format_count
from goldpan.cli.plain_console import styled
from goldpan.cli.progress import show_progress


@click.command()
@click.argument("given", nargs=-1, metavar="[ID]...")
@click.option(
    "--subjects",
    "listed",
    type=click.File("rb"),
    metavar="FILE",
    help="Ids of the person, one a line; - for stdin.",
)
@click.option("--content", is_flag=True, help="Show the person's own rows too, as they are stored.")
@without_key
@with_cli_context
def show(
    call: CliContext, *, given: tuple[str, ...], listed: Any, content: bool, lost: tuple[str, ...]
) -> None:
    """Show what is held of a person: how many rows, in which table, of which day, and where.

    It is the search of `goldpan erase --dry-run`; nothing is changed. The ids are those that
    producers send; all of one call are one person. Without --content no text of any row is shown;
    with it the person's own rows are, not those of others that mention the person.

    \b
    Example:
      goldpan subject show u-1042 ann@example.com
      goldpan subject show u-1042 --content --json
    """
    named = None if listed is None else listed.name
    ids = subject_ids.read_subject_ids(
        given, named, None if listed is None else listed.read(), called="ID"
    )
    asked = erasure_setup.ErasureRequest(ids, "keep", frozenset(lost))
    with show_progress(call) as report:
        erasure = erasure_setup.set_up_erasure(call.settings, asked, report)
        found, released = erasure.scan()
        retry = jobs.job_context().retry
        held = collect_holdings(found, erasure.scanner, retry, content=content)
        erased = erasure.state.tombstones()
    until = max((one.until_us for one in erased), default=None)
    data: dict[str, Any] = {
        "found": bool(released or held),
        "found_nothing_of": [w for one, w in ids.items() if one not in erasure.scanner.found_ids],
        "erased_until": None if until is None else moment_text(until),
        "tables": [one.to_json() for one in held],
        "releases": released,
        "not_looked_into": found.not_searched,
    }
    if content:
        data["content"] = [
            {"table": one.table, "day": one.day.isoformat(), "row": row}
            for one in held
            for row in one.rows
        ]

    def shown(console: Console) -> None:
        if until is not None:
            line = f"erased before, with all from before {moment_text(until)}"
            console.print(line, soft_wrap=True)
        if held:
            console.print(_grid(held))
        show_releases(console, released)
        show_unseen(console, data["not_looked_into"])
        for one in data.get("content", ()):
            row = json.dumps(one["row"], ensure_ascii=False, default=str)
            console.print(f"{one['table']} {one['day']}: {row}", soft_wrap=True)
        if not data["found"]:
            console.print(styled("yellow", "found nothing", " of this person"))
        elif data["found_nothing_of"]:
            missed = ", ".join(data["found_nothing_of"])
            console.print(f"found nothing of: {missed}", style="yellow", soft_wrap=True)

    call.answer(data, shown)


def _grid(held: list[Holding]) -> Grid:
    grid = Grid("table, day", "own", "mentions", "stands in", "records", box=box.SIMPLE_HEAD)
    for column in grid.columns[1:3]:
        column.justify = "right"
    for one in held:
        said = one.to_json()
        grid.add_row(
            f"{one.table} {said['day']}",
            format_count(one.own),
            format_count(one.mentions),
            ", ".join(f"{name} {format_count(n)}" for name, n in said["columns"].items()),
            "; ".join(f"{where}: {offsets}" for where, offsets in said["records"].items()),
        )
    return grid
