"""``goldpan erase``: take persons out of the lake, and show what was done."""

import json
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table as Grid

from batch.erase.erasure import Ended
from batch.erase.look import Found
from batch.erase.receipt import OUT_OF_REACH
from goldpan import erasures
from goldpan.cli.call import Call, with_call
from goldpan.cli.figures import count_text
from goldpan.cli.main import NO
from goldpan.cli.progress import progress
from goldpan.cli.shown import marked

_IDS = click.File(encoding="utf-8")


@click.command()
@click.option("--subject", metavar="ID", help="The id of a person, as producers send it.")
@click.option("--subjects", type=_IDS, metavar="FILE", help="Ids, one a line; - for stdin.")
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@click.option(
    "--unopened",
    type=click.Choice(["refuse", "keep", "remove"]),
    default="refuse",
    show_default=True,
    help="What to do with sealed payloads in quarantine that cannot be opened.",
)
@with_call
def run(call: Call, *, subject: str | None, subjects: Any, dry_run: bool, unopened: str) -> None:
    """Erase a person, or many: from every table, quarantine, reviews, replays and releases.

    Also from the files that tables do not consist of any more. The person is kept out when old
    topics are read again. Safe beside running workers; if it is interrupted, the same command goes
    on, and once it is done it changes nothing and shows the receipt.

    \b
    Example:
      goldpan erase --subject u-1042 --dry-run
      goldpan erase --subject u-1042             # goldpan erase run, in full
    """
    named = None if subjects is None else subjects.name
    text = None if subjects is None else subjects.read()
    asked = erasures.Asked(erasures.subjects(subject, named, text), unopened)
    with progress(call) as report:
        erasure = erasures.erasure(call.settings, asked, report)
        if dry_run:
            found, released = erasure.look()
            data = {"dry_run": True, "persons": len(asked.ids), **_would(found, released)}
            call.answer(data, lambda console: _show_found(console, data))
            return
        ended = erasure.run()
    said = json.loads(ended.receipt)
    purged = {name: getattr(ended.purged, name) for name in ended.purged.__slots__}
    data = {
        "dry_run": False,
        "persons": len(asked.ids),
        "erasure": ended.number,
        "again": ended.again,
        "purged": purged,
        "receipt": said,
    }
    call.answer(data, lambda console: _show_ended(console, call, ended, said))


def _would(found: Found, released: list[dict[str, Any]]) -> dict[str, Any]:
    tables = {
        one.place.path_of(one.table.name): {
            "own": sum(one.own.values()),
            "mentions": sum(one.mentions.values()),
            "files": len(one.files),
        }
        for one in found.tables
    }
    return {
        "tables": dict(sorted(tables.items())),
        "releases": released,
        "not_looked_into": {
            "sealed_payloads": found.closed,
            "quarantined_without_payload": sum(one.bare for one in found.tables),
        },
    }


def _show_found(console: Console, data: dict[str, Any]) -> None:
    _show_tables(console, data["tables"], "files")
    _show_releases(console, data["releases"])
    _show_aside(console, data["not_looked_into"])
    console.print("nothing was changed", soft_wrap=True)


def _show_ended(console: Console, call: Call, ended: Ended, said: dict[str, Any]) -> None:
    if ended.again:
        console.print("erased already, and nothing of it has come back", soft_wrap=True)
    _show_tables(console, said["tables"], "versions")
    _show_releases(console, said["releases"])
    _show_aside(console, said["not_looked_into"])
    console.print("Out of reach, and for you to see to:", soft_wrap=True)
    for one in OUT_OF_REACH:
        console.print(f"- {one}", soft_wrap=True)
    where = f"{call.settings.lake.uri}/erasures/{ended.number}.receipt.json"
    console.print(marked("green", "done", f": receipt {where}"), soft_wrap=True)
    console.print(f"signed by {said['signed_by']}", soft_wrap=True)


def _show_tables(console: Console, tables: dict[str, Any], last: str) -> None:
    grid = Grid("table", "own rows", "mentions", last, box=box.SIMPLE_HEAD)
    for column in grid.columns[1:]:
        column.justify = "right"
    for name, one in tables.items():
        number = one[last] if isinstance(one[last], int) else len(one[last])
        grid.add_row(name, *map(count_text, (one["own"], one["mentions"], number)))
    console.print(grid)


def _show_releases(console: Console, releases: list[dict[str, Any]]) -> None:
    for one in releases:
        then = f", now {one['successor']}" if one.get("successor") else ""
        rows = f"{count_text(one['rows'])} own rows, {count_text(one['mentions'])} mentions"
        console.print(f"release {one['name']}@{one['version']}: {rows}{then}", soft_wrap=True)


def _show_aside(console: Console, aside: dict[str, int]) -> None:
    if aside["sealed_payloads"]:
        console.print(
            marked(
                "yellow",
                f"{count_text(aside['sealed_payloads'])} sealed payloads in quarantine could not "
                "be opened",
                ": nobody looked into them (--unopened)",
            ),
            soft_wrap=True,
        )
    if aside["quarantined_without_payload"]:
        console.print(
            f"{count_text(aside['quarantined_without_payload'])} records in quarantine have no "
            "payload: of whom they are cannot be told, and nothing that they said is there",
            soft_wrap=True,
        )


@click.command("list")
@with_call
def list_(call: Call) -> None:
    """List the erasures of this lake.

    \b
    Example:
      goldpan erase list --json
    """
    found, unfinished = erasures.kept(call.settings), erasures.open_numbers(call.settings)
    data = {
        "erasures": [
            {
                "number": one.number,
                "until_us": one.said["until_us"],
                "rows": _rows(one.said),
                "releases": len(one.said["releases"]),
                "signature": "holds" if one.signed_by else "broken",
            }
            for one in found
        ],
        "unfinished": unfinished,
    }

    def show(console: Console) -> None:
        for one in found:
            console.print(f"{one.number}: {count_text(_rows(one.said))} rows", soft_wrap=True)
        for number in unfinished:
            console.print(
                marked("yellow", f"{number}: not finished", ", run it again"), soft_wrap=True
            )

    call.answer(data, show)


def _rows(said: dict[str, Any]) -> int:
    return sum(one["own"] + one["mentions"] for one in said["tables"].values())


@click.command()
@click.argument("receipt", type=click.Path(path_type=Path, dir_okay=False), metavar="RECEIPT")
@with_call
@click.pass_context
def verify(ctx: click.Context, call: Call, *, receipt: Path) -> None:
    """Tell whether a receipt is as it was signed, and by whom. Exit code 1 if it is not.

    \b
    Example:
      goldpan erase verify 2.receipt.json
    """
    said, signed_by, ours = erasures.check(call.settings, receipt)
    data = {"ok": signed_by is not None and ours, "signed_by": signed_by, "ours": ours}

    def show(console: Console) -> None:
        if signed_by is None:
            console.print(marked("red", "changed", ": the signature does not hold"))
        else:
            whose = "a key of yours" if ours else "a key that is none of yours"
            console.print(f"signed by {signed_by}, {whose}", soft_wrap=True)
            _show_tables(console, said["tables"], "versions")

    call.answer(data, show)
    if not data["ok"]:
        ctx.exit(NO)
