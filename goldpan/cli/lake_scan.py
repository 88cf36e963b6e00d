"""``goldpan lake scan``: what today's policy would still replace in what is stored."""

import os
import shlex
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.table import Table

from batch.lake_scan import LakeScanner, LakeScanReport, ScanCounts, ScanLocation, ScanRequest
from batch.lake_scan_records import TABLES_WITH_TEXT
from goldpan import release_setup, wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count
from goldpan.cli.main import EXIT_NO
from goldpan.cli.number_options import IntegerParam
from goldpan.cli.plain_console import styled
from goldpan.cli.progress import show_progress
from lake.tables import Lake
from redact.crypto.keys import KEY_BYTES, Keys, load_all_keys
from redact.policies.policy import load_policy
from redact.policies.settings import RedactSettings
from redact.reports.leftovers import LeftoverFinder
from schemas.arrow import LABELS_TABLE, REVIEWS_TABLE
from schemas.errors import UsageError

RELEASES: Final = "releases"
_DAY: Final = click.DateTime(formats=["%Y-%m-%d"])
_PLACES: Final = (*TABLES_WITH_TEXT, RELEASES)


@click.command()
@click.option(
    "--table",
    "chosen",
    type=click.Choice(_PLACES),
    multiple=True,
    help="Look through this one only (may be given again); `release_setup` are all releases.",
)
@click.option("--from", "first", type=_DAY, metavar="YYYY-MM-DD", help="First day (UTC).")
@click.option("--to", "last", type=_DAY, metavar="YYYY-MM-DD", help="Last day (UTC), included.")
@click.option(
    "--sample",
    type=IntegerParam(1),
    metavar="ROWS",
    help="About so many rows of each table and release, evenly spread, instead of all.",
)
@click.option(
    "--older", is_flag=True, help="Pass over rows that were stored under today's policy already."
)
@click.option(
    "--policy", help="Policy to look with, a preset or a file; else that of the settings."
)
@with_cli_context
@click.pass_context
def scan(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    call: CliContext,
    *,
    chosen: tuple[str, ...],
    first: datetime | None,
    last: datetime | None,
    sample: int | None,
    older: bool,
    policy: str | None,
) -> None:
    """Find what today's policy would replace in rows and releases that are stored already.

    Counts by type, table or release, day, and the policy the rows were stored under; never
    content. Stand-ins that redaction has put there are no findings. Exit code 1 if anything is
    found, and the commands that remove it. The lake stays as it is.

    \b
    Example:
      goldpan lake scan --sample 10000
      goldpan lake scan --table traces --from 2026-10-01 --to 2026-10-31 --json
    """
    asked = _asked(chosen, first, last, sample, older=older)
    finder = _finder(call.settings.redact, policy)
    lake, shelf = Lake(call.settings.lake), release_setup.open_releases(call.settings)
    wiring.refuse_other_keys(call.settings, lake)
    with show_progress(call) as shown:
        retry = release_setup.release_retry()
        report = LakeScanner(lake, shelf, finder, retry=retry, progress=shown).run(asked)
    call.answer(report_json(report, policy), lambda console: _show(console, report, policy))
    if not report.ok:
        ctx.exit(EXIT_NO)


def _asked(
    chosen: tuple[str, ...],
    first: datetime | None,
    last: datetime | None,
    sample: int | None,
    *,
    older: bool,
) -> ScanRequest:
    days = (first.date() if first else date.min, last.date() if last else date.max)
    if days[0] > days[1]:
        raise UsageError("The last day (--to) is before the first (--from).")
    names = chosen or _PLACES
    tables = [name for name in TABLES_WITH_TEXT if name in names]
    return ScanRequest(tables, RELEASES in names, *days, sample=sample, older=older)


def _finder(settings: RedactSettings, policy: str | None) -> LeftoverFinder:
    """Return what looks; without a key, stand-ins are known by their form alone."""
    known = load_all_keys(settings) or (Keys.derive(os.urandom(KEY_BYTES), "scan"),)
    return LeftoverFinder(load_policy(policy or settings.policy), known)


def report_json(report: LakeScanReport, policy: str | None) -> dict[str, Any]:
    """Return a report as JSON has it."""
    return {
        "ok": report.ok,
        "policy": report.policy,
        "rows": report.rows,
        "passed_over": report.passed_over,
        "types": dict(sorted(report.types().items())),
        "found": [_place_json(where, tally) for where, tally in report.findings()],
        "commands": fix_commands(report, policy),
        "hints": fix_hints(report),
    }


def _place_json(where: ScanLocation, tally: ScanCounts) -> dict[str, Any]:
    return {
        **where._asdict(),
        "rows": tally.rows,
        "rows_found": tally.rows_found,
        "types": dict(sorted(tally.types.items())),
        "refused": dict(sorted(tally.refused.items())),
    }


def fix_commands(report: LakeScanReport, policy: str | None) -> list[str]:
    """Return the commands that bring what was found under today's policy, in order."""
    found: list[str] = []
    for (table, topic), extent in sorted(report.topics.items()):
        name = f"scan-{table}-{report.policy[:8]}"
        given = f" --policy {shlex.quote(policy)}" if policy else ""
        found += [
            f"goldpan stream replay --topic {shlex.quote(topic)} --from {extent.first} "
            f"--to {extent.last + 1}{given} --name {name}",
            f"goldpan replay diff {name}",
            f"goldpan replay promote {name}",
        ]
    for release in report.releases():
        found += [
            "goldpan release build SPEC.yaml",
            f'goldpan release withdraw {release} --reason "holds personal data"',
        ]
    return list(dict.fromkeys(found))


def fix_hints(report: LakeScanReport) -> list[str]:
    """Return what has to be known beside the commands."""
    told = []
    if report.topics:
        told.append(
            "Start the workers with today's policy first. Where Kafka has forgotten the records, "
            "add --from-lake to the replay."
        )
    if LABELS_TABLE in report.tables():
        told.append(
            "labels repeat what feedback and reviews say: promoting the replay of the feedback "
            "decides them anew."
        )
    if REVIEWS_TABLE in report.tables():
        told.append(
            "reviews are not replayed: their reviewers hand them in again, or they expire with "
            "goldpan retention run."
        )
    if report.releases():
        told.append(
            "A release never changes: build a new version by its spec after the promotion, and "
            "withdraw the old one."
        )
    return told


def _show(console: Console, report: LakeScanReport, policy: str | None) -> None:
    if report.findings():
        console.print(_table(report))
    looked = f"{format_count(report.rows)} rows looked at with policy {report.policy}"
    if report.passed_over:
        looked += f", {format_count(report.passed_over)} passed over"
    console.print(looked, soft_wrap=True)
    if report.ok:
        console.print(styled("green", "ok", ": today's policy would change nothing in them"))
        return
    found = _types_text(report.types()) or "rows to set aside"
    console.print(styled("red", "found", f": {found}"))
    for hint in fix_hints(report):
        console.print(hint, soft_wrap=True, markup=False)
    for command in fix_commands(report, policy):
        console.print(f"  {command}", soft_wrap=True, markup=False)


def _table(report: LakeScanReport) -> Table:
    table = Table("where", "day", "policy", "rows", "found", box=box.SIMPLE_HEAD)
    table.columns[3].justify = "right"
    for where, tally in report.findings():
        rows = f"{format_count(tally.rows_found)} of {format_count(tally.rows)}"
        refused = {f"({reason})": many for reason, many in tally.refused.items()}
        found = _types_text({**tally.types, **refused})
        table.add_row(where.release or where.table, where.day, where.policy[:8], rows, found)
    return table


def _types_text(types: Mapping[str, int]) -> str:
    ordered = sorted(types.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{kind} {format_count(many)}" for kind, many in ordered)
