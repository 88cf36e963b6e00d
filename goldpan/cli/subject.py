"""``goldpan subject``: show the data stored about a person, for access requests."""

import json
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table as Grid

from batch.erase.holdings import Holding, collect_holdings
from goldpan import erasure_setup, jobs, subject_ids
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.erase import show_releases, show_unsearched, without_key
from goldpan.cli.formatting import format_count, format_micros
from goldpan.cli.plain_console import styled
from goldpan.cli.progress import show_progress
from schemas.times import format_rfc3339_seconds, from_micros


@click.command()
@click.argument("subjects", nargs=-1, metavar="[ID]...", help="Ids of the person.")
@click.option(
    "--subjects",
    "id_file",
    type=click.File("rb"),
    metavar="FILE",
    help="File with ids of the person, one per line; - is standard input.",
)
@click.option(
    "--content", is_flag=True, help="Also print the person's own rows, as they are stored."
)
@without_key
@with_cli_context
def show(
    cli: CliContext,
    *,
    subjects: tuple[str, ...],
    id_file: Any,
    content: bool,
    lost: tuple[str, ...],
) -> None:
    """Show which data of a person is stored: rows by table, day, column and coordinates.

    The search is that of `goldpan erase --dry-run`; nothing is changed. Give ids as producers send
    them; all ids of one call are one person. With --content, the person's own rows are printed too,
    but not other persons' rows that mention the person.

    \b
    Example:
      goldpan subject show u-1042 ann@example.com
      goldpan subject show u-1042 --content --json
    """
    file = None if id_file is None else id_file.name
    data_of_file = None if id_file is None else id_file.read()
    ids = subject_ids.read_subject_ids(subjects, file, data_of_file, called="ID")
    request = erasure_setup.ErasureRequest(ids, "keep", frozenset(lost))
    with show_progress(cli) as report:
        erasure = erasure_setup.set_up_erasure(cli.settings, request, report)
        scan, releases = erasure.scan()
        retry = jobs.job_context().retry
        holdings = collect_holdings(scan, erasure.scanner, retry, content=content)
        tombstones = erasure.state.tombstones()
    erased_until = max((tombstone.until_us for tombstone in tombstones), default=None)
    data: dict[str, Any] = {
        "found": bool(releases or holdings),
        "found_nothing_of": [
            where
            for subject_id, where in ids.items()
            if subject_id not in erasure.scanner.found_ids
        ],
        "erased_until": None
        if erased_until is None
        else format_rfc3339_seconds(from_micros(erased_until)),
        "tables": [holding.to_json() for holding in holdings],
        "releases": releases,
        "not_looked_into": scan.not_searched,
    }
    if content:
        data["content"] = [
            {"table": holding.table, "day": holding.day.isoformat(), "row": row}
            for holding in holdings
            for row in holding.rows
        ]

    def show_data(console: Console) -> None:
        if erased_until is not None:
            line = f"erased before, with all data up to {format_micros(erased_until)}"
            console.print(line, soft_wrap=True)
        if holdings:
            console.print(_grid(holdings))
        show_releases(console, releases)
        show_unsearched(console, data["not_looked_into"])
        for item in data.get("content", ()):
            row = json.dumps(item["row"], ensure_ascii=False, default=str)
            console.print(f"{item['table']} {item['day']}: {row}", soft_wrap=True)
        if not data["found"]:
            console.print(styled("yellow", "found nothing", " about this person"))
        elif data["found_nothing_of"]:
            missing = ", ".join(data["found_nothing_of"])
            console.print(f"not found: {missing}", style="yellow", soft_wrap=True)

    cli.answer(data, show_data)


def _grid(holdings: list[Holding]) -> Grid:
    grid = Grid("table, day", "own", "mentions", "columns", "records", box=box.SIMPLE_HEAD)
    for column in grid.columns[1:3]:
        column.justify = "right"
    for holding in holdings:
        data = holding.to_json()
        grid.add_row(
            f"{holding.table} {data['day']}",
            format_count(holding.own),
            format_count(holding.mentions),
            ", ".join(f"{name} {format_count(n)}" for name, n in data["columns"].items()),
            "; ".join(f"{where}: {offsets}" for where, offsets in data["records"].items()),
        )
    return grid
