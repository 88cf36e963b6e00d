"""``goldpan erase``: erase persons from the lake, list erasures, verify receipts."""

import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table as Grid

from batch.erase.erasure import ErasureOutcome, LakeErasure
from batch.erase.receipt import OUT_OF_REACH
from batch.erase.scanner import ErasureScan
from batch.release.publish.reference import parse_key
from goldpan import erasure_setup, erasures_copy, receipts, subject_ids
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count, format_micros, format_quantity
from goldpan.cli.main import EXIT_NO
from goldpan.cli.plain_console import styled
from goldpan.cli.progress import show_progress
from goldpan.erasure_setup import ErasureRequest
from lake.erasure_copies import receipt_name
from schemas.errors import UsageError
from schemas.times import format_rfc3339_seconds, from_micros

_IDS = click.File("rb")
_MAX_SHOWN = 20

without_key = click.option(
    "--without-key",
    "lost",
    multiple=True,
    metavar="KEY_ID",
    help="Continue without this redaction key, which is lost although rows were written with it.",
)
"""The option ``--without-key`` of each command that searches for persons."""


@click.command()
@click.option(
    "--subject",
    "subjects",
    multiple=True,
    metavar="ID",
    help="An id of a person, as producers send it; repeat it for further ids, such as an e-mail "
    "address.",
)
@click.option(
    "--subjects",
    "id_file",
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
def run(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    cli: CliContext,
    *,
    subjects: tuple[str, ...],
    id_file: Any,
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
    file = None if id_file is None else id_file.name
    data = None if id_file is None else id_file.read()
    ids = subject_ids.read_subject_ids(subjects, file, data)
    reference = subject_ids.check_reference(reference, ids)
    request = ErasureRequest(ids, unopened, frozenset(lost), reference)
    if dry_run:
        _show_dry_run(cli, request)
        return
    if cli.watched and not yes and not _confirmed(cli, request):
        _show_unchanged(cli.console)
        ctx.exit(EXIT_NO)
    with show_progress(cli) as report:
        outcome = erasure_setup.set_up_erasure(cli.settings, request, report).run()
        erasures_copy.copy_erasures(cli.settings)
    receipt = json.loads(outcome.receipt)
    purged = {name: getattr(outcome.purged, name) for name in outcome.purged.__slots__}
    not_found = None if outcome.found_ids is None else _not_found(request, outcome.found_ids)
    data = {
        "dry_run": False,
        "persons": len(request.ids),
        "found": bool(_count_rows(receipt) or receipt["releases"] or receipt.get("evaluations")),
        "found_nothing_of": not_found,
        "erasure": outcome.number,
        "again": outcome.already_done,
        "purged": purged,
        "receipt": receipt,
    }
    cli.answer(data, lambda console: _show_outcome(console, cli, outcome, data))


def _show_dry_run(cli: CliContext, request: ErasureRequest) -> None:
    """Show what would be erased."""
    with show_progress(cli) as report:
        scan = _scan(erasure_setup.set_up_erasure(cli.settings, request, report), request)

    def show(console: Console) -> None:
        _show_scan(console, scan)
        _show_unchanged(console)

    cli.answer(scan, show)


def _confirmed(cli: CliContext, request: ErasureRequest) -> bool:
    """Show what would be erased and ask; do not ask if all of it is erased already."""
    if not sys.stdin.isatty():
        raise UsageError(
            "standard input is not a terminal, so nobody can confirm: give --yes to erase"
        )
    with show_progress(cli) as report:
        erasure = erasure_setup.set_up_erasure(cli.settings, request, report)
        scan = _scan(erasure, request)
    if erasure.state.is_finished() and not scan["found"]:
        return True
    _show_scan(cli.console, scan)
    return click.confirm("Erase this permanently?")


def _scan(erasure: LakeErasure, request: ErasureRequest) -> dict[str, Any]:
    """Return what would be erased; change nothing."""
    scan, releases = erasure.scan()
    evaluations = [found._asdict() for found in erasure.find_answers(scan)]
    return {
        "dry_run": True,
        "persons": len(request.ids),
        "found": bool(releases or evaluations or not scan.empty),
        "found_nothing_of": _not_found(request, erasure.scanner.found_ids),
        "by_case_only": dict(sorted(erasure.scanner.count_case_variants(scan.scope).items())),
        "tables": _tables_json(scan),
        "releases": releases,
        "evaluations": evaluations,
        "not_looked_into": scan.not_searched,
    }


def _not_found(request: ErasureRequest, found_ids: Collection[str]) -> list[str]:
    """Return where ids were given that no table contains; not the ids themselves."""
    return [where for subject, where in request.ids.items() if subject not in found_ids]


def _tables_json(scan: ErasureScan) -> dict[str, Any]:
    tables = {
        match.path: {
            "own": sum(match.own.values()),
            "mentions": sum(match.mentions.values()),
            "files": len(match.files),
        }
        for match in scan.tables
    }
    return dict(sorted(tables.items()))


def _show_scan(console: Console, data: dict[str, Any]) -> None:
    show_tables(console, data["tables"], "files")
    show_releases(console, data["releases"])
    show_evaluations(console, data["evaluations"])
    show_unsearched(console, data["not_looked_into"])
    for text, count in data["by_case_only"].items():
        times = format_quantity(count, "time")
        console.print(
            f"occurs {times} in other case, which is another id and is not erased: {text}",
            soft_wrap=True,
            markup=False,
        )
    _show_not_found(console, data)


def _show_unchanged(console: Console) -> None:
    console.print("nothing was changed", soft_wrap=True)


def _show_not_found(console: Console, data: dict[str, Any]) -> None:
    """Print which ids were not found."""
    if not data["found"]:
        rest = ": no row belongs to, or mentions, any of the given ids"
        console.print(styled("yellow", "found nothing", rest))
    elif data["found_nothing_of"]:
        missing = data["found_nothing_of"]
        console.print(
            f"{format_count(len(missing))} of {format_quantity(data['persons'], 'id')} not found "
            "in any table: "
            + ", ".join(missing[:_MAX_SHOWN])
            + (", and more" if len(missing) > _MAX_SHOWN else ""),
            style="yellow",
            markup=False,
            soft_wrap=True,
        )


def _show_outcome(
    console: Console, cli: CliContext, outcome: ErasureOutcome, data: dict[str, Any]
) -> None:
    receipt = data["receipt"]
    if outcome.already_done:
        console.print("already erased; nothing has come back", soft_wrap=True)
    show_tables(console, receipt["tables"], "versions")
    show_releases(console, receipt["releases"])
    show_evaluations(console, receipt.get("evaluations", []))
    show_unsearched(console, receipt["not_looked_into"])
    console.print("Out of reach of this command; check these yourself:", soft_wrap=True)
    for remainder in OUT_OF_REACH:
        console.print(f"- {remainder}", soft_wrap=True)
    _show_not_found(console, data)
    file = f"{cli.settings.lake.uri}/erasures/{receipt_name(outcome.number)}"
    result = "erased" if data["found"] else "later records of these ids will be dropped"
    console.print(f"{result}: receipt {file}", soft_wrap=True, markup=False)
    console.print(f"signed by {receipt['signed_by']}", soft_wrap=True)


def show_tables(console: Console, tables: dict[str, Any], last: str) -> None:
    """Print the counts of each table; ``last`` names the last column."""
    grid = Grid("table", "own rows", "mentions", last, box=box.SIMPLE_HEAD)
    for column in grid.columns[1:]:
        column.justify = "right"
    for name, counts in tables.items():
        number = counts[last] if isinstance(counts[last], int) else len(counts[last])
        grid.add_row(name, *map(format_count, (counts["own"], counts["mentions"], number)))
    console.print(grid)


def show_evaluations(console: Console, evaluations: list[dict[str, Any]]) -> None:
    """Print how many answers of each kept run of a gate name the person."""
    for each in evaluations:
        answers = format_quantity(each["answers"], "mention")
        console.print(f"evaluation {each['run']}: {answers} in answers", soft_wrap=True)


def show_releases(console: Console, releases: list[dict[str, Any]]) -> None:
    """Print the counts of each release, and its successor."""
    for release in releases:
        successor = f", replaced by {release['successor']}" if release.get("successor") else ""
        own = format_quantity(release["rows"], "own row")
        mentions = format_quantity(release["mentions"], "mention")
        console.print(
            f"release {release['name']}@{release['version']}: {own}, {mentions}{successor}",
            soft_wrap=True,
        )


def show_unsearched(console: Console, unsearched: dict[str, Any]) -> None:
    """Print what could not be searched, and why."""
    if unsearched.get("redaction_keys"):
        keys = ", ".join(unsearched["redaction_keys"])
        rest = f": their redaction keys are lost ({keys})"
        console.print(styled("yellow", "some rows could not be searched", rest), soft_wrap=True)
    if number := unsearched["sealed_payloads"]:
        payloads = format_quantity(number, "sealed payload")
        rest = f": {'it' if number == 1 else 'they'} could not be opened (see --unopened)"
        console.print(
            styled("yellow", f"{payloads} in quarantine could not be searched", rest),
            soft_wrap=True,
        )
    if number := unsearched["quarantined_without_payload"]:
        records = format_quantity(number, "record in quarantine has", "records in quarantine have")
        console.print(
            f"{records} no payload, so the owner is unknown; none of the content is stored",
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
    signed_receipts = receipts.read_receipts(cli.settings)
    unfinished = receipts.list_unfinished(cli.settings)
    data = {
        "erasures": [
            {
                "number": signed.number,
                "until_us": signed.content["until_us"],
                "made_at": format_rfc3339_seconds(from_micros(signed.content["made_at_us"])),
                "until": format_rfc3339_seconds(from_micros(signed.content["until_us"])),
                "reference": signed.content.get("reference"),
                "rows": _count_rows(signed.content),
                "releases": len(signed.content["releases"]),
                "signature": "holds" if signed.signed_by else "broken",
            }
            for signed in signed_receipts
        ],
        "unfinished": unfinished,
    }

    def show(console: Console) -> None:
        for signed in signed_receipts:
            reference = signed.content.get("reference")
            made_at = format_micros(signed.content["made_at_us"])
            rows = format_quantity(_count_rows(signed.content), "row")
            console.print(
                f"{signed.number}: {made_at}, {rows}" + (f", {reference}" if reference else ""),
                soft_wrap=True,
                markup=False,
            )
        for number in unfinished:
            rest = ": run the same `goldpan erase` command again"
            console.print(styled("yellow", f"{number}: not finished", rest), soft_wrap=True)
        if not signed_receipts and not unfinished:
            console.print("there are no erasures")

    cli.answer(data, show)


def _count_rows(receipt: dict[str, Any]) -> int:
    return sum(counts["own"] + counts["mentions"] for counts in receipt["tables"].values())


@click.command()
@click.argument(
    "receipt",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="RECEIPT",
    help="File of the receipt.",
)
@click.option("--signed-by", metavar="KEY", help="Public key that must have signed it.")
@with_cli_context
@click.pass_context
def verify(ctx: click.Context, cli: CliContext, *, receipt: Path, signed_by: str | None) -> None:
    """Verify the signature of a receipt. Exit code 1 if it is invalid or by another key.

    The signing key must belong to a redaction key of the settings. Without those keys, give the
    public key that `goldpan erase` printed.

    \b
    Example:
      goldpan erase verify 2.receipt.json
      goldpan erase verify 2.receipt.json --signed-by 1f0c…     # needs no key of the lake
    """
    key = None if signed_by is None else parse_key(signed_by)
    content, signer, ours = receipts.verify_receipt(cli.settings, receipt, key)
    data = {
        "ok": signer is not None and ours is not False,
        "signed_by": signer,
        "ours": ours if key is None else None,
        "expected": None if key is None else signer == key,
        "reference": content.get("reference"),
    }

    def show(console: Console) -> None:
        if signer is None:
            console.print(styled("red", "invalid", ": the receipt was changed after it was signed"))
        else:
            console.print(f"valid: signed by {signer}{_describe_signer(data)}", soft_wrap=True)
            show_tables(console, content["tables"], "versions")

    cli.answer(data, show)
    if not data["ok"]:
        ctx.exit(EXIT_NO)


def _describe_signer(data: dict[str, Any]) -> str:
    """Return what is known about the key that signed a receipt."""
    if data["expected"] is not None:
        return ", the expected key" if data["expected"] else ", not the expected key"
    if data["ours"] is None:
        return ": compare it with the key that you expect (--signed-by)"
    return ", a key of this lake" if data["ours"] else ", not a key of this lake"
