"""``goldpan erase``: take persons out of the lake, and show what was done."""

import json
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table as Grid

from batch.erase.erasure import ErasureOutcome, LakeErasure
from batch.erase.receipt import OUT_OF_REACH
from batch.erase.scanner import ErasureScan
from batch.release.format.version import parse_key
from goldpan import erasure_setup, subject_ids
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count
from goldpan.cli.main import EXIT_NO
from goldpan.cli.plain_console import styled
from goldpan.cli.progress import show_progress
from lake.erasure_copies import receipt_name
from schemas.errors import UsageError

_IDS = click.File("rb")
_MOST_MISSED = 20

without_key = click.option(
    "--without-key",
    "lost",
    multiple=True,
    metavar="KEY_ID",
    help="Go on although this redaction key, under which rows were written, is lost.",
)
"""The option of each command that searches for persons."""


@click.command()
@click.option(
    "--subject",
    "given",
    multiple=True,
    metavar="ID",
    help="The id of a person, as producers send it; again for each other id: an address, a number.",
)
@click.option(
    "--subjects", "listed", type=_IDS, metavar="FILE", help="Ids, one a line; - for stdin."
)
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@click.option(
    "--unopened",
    type=click.Choice(["refuse", "keep", "remove"]),
    default="refuse",
    show_default=True,
    help="What to do with sealed payloads in quarantine that cannot be opened.",
)
@without_key
@click.option("--reference", metavar="TEXT", help="The number of the request, for the receipt.")
@click.option("--yes", is_flag=True, help="Do not ask; where nobody watches, nobody is asked.")
@with_cli_context
@click.pass_context
def run(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    call: CliContext,
    *,
    given: tuple[str, ...],
    listed: Any,
    dry_run: bool,
    unopened: str,
    lost: tuple[str, ...],
    reference: str | None,
    yes: bool,
) -> None:
    """Erase a person, or many: from every table, quarantine, reviews, replays and releases.

    Also from the files that tables do not consist of any more. The person is kept out when old
    topics are read again. Safe beside running workers; if it is interrupted, the same command goes
    on, and once it is done it changes nothing and shows the receipt.

    On a terminal it shows what would go, and asks. All ids of one call are one erasure with one
    receipt. Of whom nothing was found is kept out too; the exit code is 0 then, as after any
    erasure.

    \b
    Example:
      goldpan erase --subject u-1042 --dry-run
      goldpan erase --subject u-1042             # goldpan erase run, in full
      goldpan erase --subject u-1042 --subject ann@example.com --reference TICKET-7
    """
    named = None if listed is None else listed.name
    ids = subject_ids.read_subject_ids(given, named, None if listed is None else listed.read())
    about = subject_ids.check_reference(reference, ids)
    asked = erasure_setup.ErasureRequest(ids, unopened, frozenset(lost), about)
    if dry_run:
        _show_what(call, asked)
        return
    if call.watched and not yes and not _confirmed(call, asked):
        _show_unchanged(call.console)
        ctx.exit(EXIT_NO)
    with show_progress(call) as report:
        ended = erasure_setup.set_up_erasure(call.settings, asked, report).run()
        erasure_setup.copy_erasures(call.settings)
    said = json.loads(ended.receipt)
    purged = {name: getattr(ended.purged, name) for name in ended.purged.__slots__}
    missed = None if ended.found_ids is None else _missed(asked, ended.found_ids)
    data = {
        "dry_run": False,
        "persons": len(asked.ids),
        "found": bool(_rows(said) or said["releases"]),
        "found_nothing_of": missed,
        "erasure": ended.number,
        "again": ended.already_done,
        "purged": purged,
        "receipt": said,
    }
    call.answer(data, lambda console: _show_ended(console, call, ended, data))


def _show_what(call: CliContext, asked: erasure_setup.ErasureRequest) -> None:
    """Show what would go."""
    with show_progress(call) as report:
        would = _looked(erasure_setup.set_up_erasure(call.settings, asked, report), asked)

    def show(console: Console) -> None:
        _show_found(console, would)
        _show_unchanged(console)

    call.answer(would, show)


def _confirmed(call: CliContext, asked: erasure_setup.ErasureRequest) -> bool:
    """Show what would go and ask; where all is done already, there is nothing to ask."""
    if not sys.stdin.isatty():
        raise UsageError("erasing needs --yes where nobody can be asked: standard input is taken")
    with show_progress(call) as report:
        erasure = erasure_setup.set_up_erasure(call.settings, asked, report)
        would = _looked(erasure, asked)
    if erasure.state.is_finished() and not would["found"]:
        return True
    _show_found(call.console, would)
    return click.confirm("Erase this for good?")


def _looked(erasure: LakeErasure, asked: erasure_setup.ErasureRequest) -> dict[str, Any]:
    """Return what would go; nothing is changed."""
    found, released = erasure.scan()
    return {
        "dry_run": True,
        "persons": len(asked.ids),
        "found": bool(released or not found.empty),
        "found_nothing_of": _missed(asked, erasure.scanner.found_ids),
        "by_case_only": dict(sorted(erasure.scanner.count_case_variants(found.scope).items())),
        **_would(found, released),
    }


def _missed(asked: erasure_setup.ErasureRequest, named: Collection[str]) -> list[str]:
    """Return where the ids were named of which no table held anything; not the ids."""
    return [where for one, where in asked.ids.items() if one not in named]


def _would(found: ErasureScan, released: list[dict[str, Any]]) -> dict[str, Any]:
    tables = {
        one.path: {
            "own": sum(one.own.values()),
            "mentions": sum(one.mentions.values()),
            "files": len(one.files),
        }
        for one in found.tables
    }
    return {
        "tables": dict(sorted(tables.items())),
        "releases": released,
        "not_looked_into": found.not_searched,
    }


def _show_found(console: Console, data: dict[str, Any]) -> None:
    show_tables(console, data["tables"], "files")
    show_releases(console, data["releases"])
    show_unseen(console, data["not_looked_into"])
    for text, count in data["by_case_only"].items():
        console.print(
            f"{format_count(count)} times, with other capitals, so another id that stays: {text}",
            soft_wrap=True,
            markup=False,
        )
    _show_missed(console, data)


def _show_unchanged(console: Console) -> None:
    console.print("nothing was changed", soft_wrap=True)


def _show_missed(console: Console, data: dict[str, Any]) -> None:
    """Say of whom nothing was found."""
    if not data["found"]:
        rest = ": no row is of, or names, whom you named"
        console.print(styled("yellow", "found nobody", rest))
    elif data["found_nothing_of"]:
        missed = data["found_nothing_of"]
        console.print(
            f"of {data['persons']} ids, no table holds anything of {len(missed)}: "
            + ", ".join(missed[:_MOST_MISSED])
            + (", and more" if len(missed) > _MOST_MISSED else ""),
            style="yellow",
            markup=False,
            soft_wrap=True,
        )


def _show_ended(
    console: Console, call: CliContext, ended: ErasureOutcome, data: dict[str, Any]
) -> None:
    said = data["receipt"]
    if ended.already_done:
        console.print("erased already, and nothing of it has come back", soft_wrap=True)
    show_tables(console, said["tables"], "versions")
    show_releases(console, said["releases"])
    show_unseen(console, said["not_looked_into"])
    console.print("Out of reach, and for you to see to:", soft_wrap=True)
    for one in OUT_OF_REACH:
        console.print(f"- {one}", soft_wrap=True)
    _show_missed(console, data)
    where = f"{call.settings.lake.uri}/erasures/{receipt_name(ended.number)}"
    done = "done" if data["found"] else "kept out from now on"
    console.print(f"{done}: receipt {where}", soft_wrap=True, markup=False)
    console.print(f"signed by {said['signed_by']}", soft_wrap=True)


def show_tables(console: Console, tables: dict[str, Any], last: str) -> None:
    """Print how many rows of each table, and how many of what ``last`` names."""
    grid = Grid("table", "own rows", "mentions", last, box=box.SIMPLE_HEAD)
    for column in grid.columns[1:]:
        column.justify = "right"
    for name, one in tables.items():
        number = one[last] if isinstance(one[last], int) else len(one[last])
        grid.add_row(name, *map(format_count, (one["own"], one["mentions"], number)))
    console.print(grid)


def show_releases(console: Console, releases: list[dict[str, Any]]) -> None:
    """Print how many rows of each release, and its successor."""
    for one in releases:
        then = f", now {one['successor']}" if one.get("successor") else ""
        rows = f"{format_count(one['rows'])} own rows, {format_count(one['mentions'])} mentions"
        console.print(f"release {one['name']}@{one['version']}: {rows}{then}", soft_wrap=True)


def show_unseen(console: Console, aside: dict[str, Any]) -> None:
    """Say what could not be looked into, and why."""
    if aside.get("redaction_keys"):
        lost = f"rows under lost redaction keys ({', '.join(aside['redaction_keys'])})"
        rest = ": nobody can tell who stands in them"
        console.print(styled("yellow", lost, rest), soft_wrap=True)
    if aside["sealed_payloads"]:
        console.print(
            styled(
                "yellow",
                f"{format_count(aside['sealed_payloads'])} sealed payloads in quarantine could not "
                "be opened",
                ": nobody looked into them (--unopened)",
            ),
            soft_wrap=True,
        )
    if aside["quarantined_without_payload"]:
        console.print(
            f"{format_count(aside['quarantined_without_payload'])} records in quarantine have no "
            "payload: of whom they are cannot be told, and nothing that they said is there",
            soft_wrap=True,
        )


@click.command("list")
@with_cli_context
def list_(call: CliContext) -> None:
    """List the erasures of this lake.

    \b
    Example:
      goldpan erase list --json
    """
    found, unfinished = (
        erasure_setup.read_receipts(call.settings),
        erasure_setup.list_unfinished(call.settings),
    )
    data = {
        "erasures": [
            {
                "number": one.number,
                "until_us": one.said["until_us"],
                "made_at": moment_text(one.said["made_at_us"]),
                "until": moment_text(one.said["until_us"]),
                "reference": one.said.get("reference"),
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
            about = one.said.get("reference")
            console.print(
                f"{one.number}: {moment_text(one.said['made_at_us'])}, "
                f"{format_count(_rows(one.said))} rows" + (f", {about}" if about else ""),
                soft_wrap=True,
                markup=False,
            )
        for number in unfinished:
            console.print(
                styled("yellow", f"{number}: not finished", ", run it again"), soft_wrap=True
            )

    call.answer(data, show)


def moment_text(micros: int) -> str:
    """Return a moment (microseconds since 1970) to the second, in UTC."""
    return datetime.fromtimestamp(micros / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rows(said: dict[str, Any]) -> int:
    return sum(one["own"] + one["mentions"] for one in said["tables"].values())


@click.command()
@click.argument("receipt", type=click.Path(path_type=Path, dir_okay=False), metavar="RECEIPT")
@click.option("--signed-by", metavar="KEY", help="The public key that must have signed it.")
@with_cli_context
@click.pass_context
def verify(ctx: click.Context, call: CliContext, *, receipt: Path, signed_by: str | None) -> None:
    """Tell whether a receipt is as it was signed, and by whom. Exit code 1 if it is not.

    Whose key that is, the redaction key tells; who does not hold it names the public key that was
    given to him, as `goldpan erase` prints it.

    \b
    Example:
      goldpan erase verify 2.receipt.json
      goldpan erase verify 2.receipt.json --signed-by 1f0c…     # needs no key of the lake
    """
    key = None if signed_by is None else parse_key(signed_by)
    said, signer, ours = erasure_setup.verify_receipt(call.settings, receipt, key)
    data = {
        "ok": signer is not None and ours is not False,
        "signed_by": signer,
        "ours": ours if key is None else None,
        "expected": None if key is None else signer == key,
        "reference": said.get("reference"),
    }

    def show(console: Console) -> None:
        if signer is None:
            console.print(styled("red", "changed", ": the signature does not hold"))
        else:
            console.print(f"unchanged, signed by {signer}{_whose(data)}", soft_wrap=True)
            show_tables(console, said["tables"], "versions")

    call.answer(data, show)
    if not data["ok"]:
        ctx.exit(EXIT_NO)


def _whose(data: dict[str, Any]) -> str:
    """Return what is known of the key that signed a receipt."""
    if data["expected"] is not None:
        return ", the key you named" if data["expected"] else ", not the key you named"
    if data["ours"] is None:
        return ": compare it with the key that you were given (--signed-by)"
    return ", a key of yours" if data["ours"] else ", a key that is none of yours"
