"""``goldpan erase``: erase persons from the lake, list erasures, verify receipts."""

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
from goldpan import erasure_setup, receipts, subject_ids
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
    help="Continue without this redaction key, which is lost, though rows were written with it.",
)
"""The option ``--without-key`` of each command that searches for persons."""


@click.command()
@click.option(
    "--subject",
    "given",
    multiple=True,
    metavar="ID",
    help="An id of a person, as producers send it; repeat it for further ids, such as an e-mail "
    "address.",
)
@click.option(
    "--subjects",
    "listed",
    type=_IDS,
    metavar="FILE",
    help="File with one id per line; - is standard input.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be erased.")
@click.option(
    "--unopened",
    type=click.Choice(["refuse", "keep", "remove"]),
    default="refuse",
    show_default=True,
    help="What to do with sealed payloads in quarantine that cannot be opened.",
)
@without_key
@click.option("--reference", metavar="TEXT", help="Number of the request, stored in the receipt.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation (asked only on a terminal).")
@with_cli_context
@click.pass_context
def run(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    cli: CliContext,
    *,
    given: tuple[str, ...],
    listed: Any,
    dry_run: bool,
    unopened: str,
    lost: tuple[str, ...],
    reference: str | None,
    yes: bool,
) -> None:
    """Erase one or more persons from all tables, quarantine, reviews, replays and releases.

    Files that are no longer part of the tables are included. Records of these persons that are
    read later are dropped. Safe while workers run. If interrupted, run the same command again to
    finish; once finished, it changes nothing and shows the receipt.

    On a terminal, the command shows what would be erased and asks for confirmation. All ids of one
    call are one erasure with one receipt. Later records are also dropped if nothing was found; the
    exit code is 0 then, as after any erasure.

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
        _show_what(cli, asked)
        return
    if cli.watched and not yes and not _confirmed(cli, asked):
        _show_unchanged(cli.console)
        ctx.exit(EXIT_NO)
    with show_progress(cli) as report:
        ended = erasure_setup.set_up_erasure(cli.settings, asked, report).run()
        erasure_setup.copy_erasures(cli.settings)
    said = json.loads(ended.receipt)
    purged = {name: getattr(ended.purged, name) for name in ended.purged.__slots__}
    missed = None if ended.named is None else _missed(asked, ended.named)
    data = {
        "dry_run": False,
        "persons": len(asked.ids),
        "found": bool(_rows(said) or said["releases"]),
        "found_nothing_of": missed,
        "erasure": ended.number,
        "again": ended.again,
        "purged": purged,
        "receipt": said,
    }
    cli.answer(data, lambda console: _show_ended(console, cli, ended, data))


def _show_what(cli: CliContext, asked: erasure_setup.ErasureRequest) -> None:
    """Show what would be erased."""
    with show_progress(cli) as report:
        would = _looked(erasure_setup.set_up_erasure(cli.settings, asked, report), asked)

    def show(console: Console) -> None:
        _show_found(console, would)
        _show_unchanged(console)

    cli.answer(would, show)


def _confirmed(cli: CliContext, asked: erasure_setup.ErasureRequest) -> bool:
    """Show what would be erased and ask; do not ask if all of it is erased already."""
    if not sys.stdin.isatty():
        raise UsageError(
            "standard input is not a terminal, so nobody can confirm: give --yes to erase"
        )
    with show_progress(cli) as report:
        erasure = erasure_setup.set_up_erasure(cli.settings, asked, report)
        would = _looked(erasure, asked)
    if erasure.has_receipt and not would["found"]:
        return True
    _show_found(cli.console, would)
    return click.confirm("Erase this for good?")


def _looked(erasure: LakeErasure, asked: erasure_setup.ErasureRequest) -> dict[str, Any]:
    """Return what would be erased; change nothing."""
    found, released = erasure.look()
    return {
        "dry_run": True,
        "persons": len(asked.ids),
        "found": bool(released or not found.nothing),
        "found_nothing_of": _missed(asked, erasure.searcher.named),
        "by_case_only": dict(sorted(erasure.searcher.other_cases(found.wanted).items())),
        **_would(found, released),
    }


def _missed(asked: erasure_setup.ErasureRequest, named: Collection[str]) -> list[str]:
    """Return where ids were given that no table contains; not the ids themselves."""
    return [where for one, where in asked.ids.items() if one not in named]


def _would(found: ErasureScan, released: list[dict[str, Any]]) -> dict[str, Any]:
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
        "not_looked_into": found.not_looked_into,
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
    """Print which ids were not found."""
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
    console: Console, cli: CliContext, ended: ErasureOutcome, data: dict[str, Any]
) -> None:
    said = data["receipt"]
    if ended.again:
        console.print("erased before; nothing of it has come back", soft_wrap=True)
    show_tables(console, said["tables"], "versions")
    show_releases(console, said["releases"])
    show_unseen(console, said["not_looked_into"])
    console.print("Out of reach; check these yourself:", soft_wrap=True)
    for one in OUT_OF_REACH:
        console.print(f"- {one}", soft_wrap=True)
    _show_missed(console, data)
    where = f"{cli.settings.lake.uri}/erasures/{receipt_name(ended.number)}"
    done = "done" if data["found"] else "later records will be dropped"
    console.print(f"{done}: receipt {where}", soft_wrap=True, markup=False)
    console.print(f"signed by {said['signed_by']}", soft_wrap=True)


def show_tables(console: Console, tables: dict[str, Any], last: str) -> None:
    """Print the counts of each table; ``last`` names the last column."""
    grid = Grid("table", "own rows", "mentions", last, box=box.SIMPLE_HEAD)
    for column in grid.columns[1:]:
        column.justify = "right"
    for name, one in tables.items():
        number = one[last] if isinstance(one[last], int) else len(one[last])
        grid.add_row(name, *map(format_count, (one["own"], one["mentions"], number)))
    console.print(grid)


def show_releases(console: Console, releases: list[dict[str, Any]]) -> None:
    """Print the counts of each release, and its successor."""
    for one in releases:
        then = f", now {one['successor']}" if one.get("successor") else ""
        rows = f"{format_count(one['rows'])} own rows, {format_count(one['mentions'])} mentions"
        console.print(f"release {one['name']}@{one['version']}: {rows}{then}", soft_wrap=True)


def show_unseen(console: Console, aside: dict[str, Any]) -> None:
    """Print what could not be searched, and why."""
    if aside.get("redaction_keys"):
        lost = f"rows under lost redaction keys ({', '.join(aside['redaction_keys'])})"
        rest = " could not be searched"
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
def list_(cli: CliContext) -> None:
    """List the erasures of this lake, and those that are not finished.

    \b
    Example:
      goldpan erase list --json
    """
    found, unfinished = (
        receipts.read_receipts(cli.settings),
        receipts.list_unfinished(cli.settings),
    )
    data = {
        "erasures": [
            {
                "number": one.number,
                "until_us": one.content["until_us"],
                "made_at": moment_text(one.content["made_at_us"]),
                "until": moment_text(one.content["until_us"]),
                "reference": one.content.get("reference"),
                "rows": _rows(one.content),
                "releases": len(one.content["releases"]),
                "signature": "holds" if one.signed_by else "broken",
            }
            for one in found
        ],
        "unfinished": unfinished,
    }

    def show(console: Console) -> None:
        for one in found:
            about = one.content.get("reference")
            console.print(
                f"{one.number}: {moment_text(one.content['made_at_us'])}, "
                f"{format_count(_rows(one.content))} rows" + (f", {about}" if about else ""),
                soft_wrap=True,
                markup=False,
            )
        for number in unfinished:
            console.print(
                styled("yellow", f"{number}: not finished", ", run it again"), soft_wrap=True
            )

    cli.answer(data, show)


def moment_text(micros: int) -> str:
    """Return a time (microseconds since 1970) to the second, in UTC."""
    return datetime.fromtimestamp(micros / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rows(said: dict[str, Any]) -> int:
    return sum(one["own"] + one["mentions"] for one in said["tables"].values())


@click.command()
@click.argument("receipt", type=click.Path(path_type=Path, dir_okay=False), metavar="RECEIPT")
@click.option("--signed-by", metavar="KEY", help="Public key that must have signed it.")
@with_cli_context
@click.pass_context
def verify(ctx: click.Context, cli: CliContext, *, receipt: Path, signed_by: str | None) -> None:
    """Verify the signature of a receipt. Exit code 1 if it is invalid or by another key.

    The signer must be the redaction key of the settings, or a former one. Without that key, give
    the public key that `goldpan erase` printed.

    \b
    Example:
      goldpan erase verify 2.receipt.json
      goldpan erase verify 2.receipt.json --signed-by 1f0c…     # needs no key of the lake
    """
    key = None if signed_by is None else parse_key(signed_by)
    said, signer, ours = receipts.verify_receipt(cli.settings, receipt, key)
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

    cli.answer(data, show)
    if not data["ok"]:
        ctx.exit(EXIT_NO)


def _whose(data: dict[str, Any]) -> str:
    """Return what is known about the key that signed a receipt."""
    if data["expected"] is not None:
        return ", the expected key" if data["expected"] else ", not the expected key"
    if data["ours"] is None:
        return ": compare it with the key that you expect (--signed-by)"
    return ", a key of this lake" if data["ours"] else ", not a key of this lake"
