"""``goldpan lake scan``: find what today's policy would replace in stored rows and releases."""

import os
import shlex
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.table import Table

from batch.lake_scan import LakeScanner, LakeScanReport, ScanCounts, ScanLocation, ScanRequest
from batch.lake_scan_records import TABLES_WITH_TEXT
from goldpan import release_setup, wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count, format_quantity
from goldpan.cli.main import EXIT_NO
from goldpan.cli.number_options import IntegerParam
from goldpan.cli.plain_console import styled
from goldpan.cli.progress import show_progress
from goldpan.cli.time_options import DayParam
from lake.tables import Lake
from redact.crypto.keys import KEY_BYTES, Keys, load_all_keys
from redact.policies.policy import load_policy
from redact.policies.settings import RedactSettings
from redact.reports.leftovers import LeftoverFinder
from schemas.arrow import ANSWER_REVIEWS_TABLE, JUDGEMENTS_TABLE, LABELS_TABLE, REVIEWS_TABLE
from schemas.errors import UsageError

RELEASES: Final = "releases"
_SCANNABLE: Final = (*TABLES_WITH_TEXT, RELEASES)


@click.command()
@click.option(
    "--table",
    "tables",
    type=click.Choice(_SCANNABLE),
    multiple=True,
    metavar="TABLE",
    help="Scan only this table; `releases` means all releases; may be repeated.",
)
@click.option("--from", "first", type=DayParam(), metavar="YYYY-MM-DD", help="First day (UTC).")
@click.option(
    "--to", "last", type=DayParam(), metavar="YYYY-MM-DD", help="Last day (UTC), inclusive."
)
@click.option(
    "--sample",
    type=IntegerParam(1),
    metavar="ROWS",
    help="Scan only about this many rows of each table and release, evenly spread.",
)
@click.option("--older", is_flag=True, help="Skip rows that were redacted with today's policy.")
@click.option(
    "--policy",
    help="Redaction policy to scan with, a preset or a file; default: that of the settings.",
)
@with_cli_context
@click.pass_context
def scan(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    cli: CliContext,
    *,
    tables: tuple[str, ...],
    first: date | None,
    last: date | None,
    sample: int | None,
    older: bool,
    policy: str | None,
) -> None:
    """Find stored personal data, in rows and releases, that today's policy would replace.

    Prints counts by type, by table or release, by day, and by the policy that the rows were
    redacted with; never content. Placeholders from redaction are not counted. If anything is found,
    prints the commands that remove it; exit code 1. Changes nothing.

    \b
    Example:
      goldpan lake scan --sample 10000
      goldpan lake scan --table traces --from 2026-10-01 --to 2026-10-31 --json
    """
    request = _scan_request(tables, first, last, sample, older=older)
    finder = _finder(cli.settings.redact, policy)
    lake, releases = Lake(cli.settings.lake), release_setup.open_releases(cli.settings)
    wiring.refuse_other_keys(cli.settings, lake)
    with show_progress(cli) as progress:
        retry = release_setup.release_retry()
        report = LakeScanner(lake, releases, finder, retry=retry, progress=progress).run(request)
    cli.answer(report_json(report, policy), lambda console: _show(console, report, policy))
    if not report.ok:
        ctx.exit(EXIT_NO)


def _scan_request(
    tables: tuple[str, ...],
    first: date | None,
    last: date | None,
    sample: int | None,
    *,
    older: bool,
) -> ScanRequest:
    days = (first or date.min, last or date.max)
    if days[0] > days[1]:
        raise UsageError("The last day (--to) is before the first day (--from).")
    names = tables or _SCANNABLE
    with_text = [name for name in TABLES_WITH_TEXT if name in names]
    return ScanRequest(with_text, RELEASES in names, *days, sample=sample, older=older)


def _finder(settings: RedactSettings, policy: str | None) -> LeftoverFinder:
    """Return the finder; without a key, placeholders are recognised by their form alone."""
    keys = load_all_keys(settings) or (Keys.derive(os.urandom(KEY_BYTES), "scan"),)
    return LeftoverFinder(load_policy(policy or settings.policy), keys)


def report_json(report: LakeScanReport, policy: str | None) -> dict[str, Any]:
    """Return a report as JSON."""
    return {
        "ok": report.ok,
        "policy": report.policy,
        "rows": report.rows,
        "passed_over": report.passed_over,
        "types": dict(sorted(report.types().items())),
        "found": [_location_json(where, tally) for where, tally in report.findings()],
        "commands": fix_commands(report, policy),
        "hints": fix_hints(report),
    }


def _location_json(where: ScanLocation, tally: ScanCounts) -> dict[str, Any]:
    return {
        **where._asdict(),
        "rows": tally.rows,
        "rows_found": tally.rows_found,
        "types": dict(sorted(tally.types.items())),
        "refused": dict(sorted(tally.refused.items())),
    }


def fix_commands(report: LakeScanReport, policy: str | None) -> list[str]:
    """Return the commands that remove the findings, in order."""
    commands: list[str] = []
    for (table, topic), extent in sorted(report.topics.items()):
        name = f"scan-{table}-{report.policy[:8]}"
        option = f" --policy {shlex.quote(policy)}" if policy else ""
        commands += [
            f"goldpan stream replay --topic {shlex.quote(topic)} --from {extent.first} "
            f"--to {extent.last + 1}{option} --name {name}",
            f"goldpan replay diff {name}",
            f"goldpan replay promote {name}",
        ]
    for release in report.releases():
        commands += [
            "goldpan release build SPEC.yaml",
            f'goldpan release withdraw {release} --reason "holds personal data"',
        ]
    return list(dict.fromkeys(commands))


def fix_hints(report: LakeScanReport) -> list[str]:
    """Return what to know before running the commands."""
    hints = []
    if report.topics:
        hints.append(
            "Start the workers with today's policy first. If Kafka no longer has the records, add "
            "--from-lake to the replay."
        )
    if LABELS_TABLE in report.tables():
        hints.append(
            "Labels repeat texts of feedback and reviews: promoting the replay of the feedback "
            "recomputes them."
        )
    if REVIEWS_TABLE in report.tables():
        hints.append(
            "Reviews are not replayed: their reviewers submit them again, or they expire with "
            "goldpan retention run."
        )
    if JUDGEMENTS_TABLE in report.tables():
        hints.append(
            "Judgements are not replayed: their rationales expire with goldpan retention run."
        )
    if ANSWER_REVIEWS_TABLE in report.tables():
        hints.append(
            "Reviewed answers are not replayed: their texts expire with goldpan retention run."
        )
    if report.releases():
        hints.append(
            "A release never changes: after the promotion, build a new version from its spec and "
            "withdraw the old one."
        )
    return hints


def _show(console: Console, report: LakeScanReport, policy: str | None) -> None:
    if report.findings():
        console.print(_table(report))
    scanned = f"{format_quantity(report.rows, 'row')} checked with policy {report.policy}"
    if report.passed_over:
        scanned += f", {format_count(report.passed_over)} skipped"
    console.print(scanned, soft_wrap=True)
    if report.ok:
        console.print(styled("green", "ok", ": today's policy would change nothing"))
        return
    summary = _types_text(report.types()) or "rows that today's policy would quarantine"
    console.print(styled("red", "found", f": {summary}"))
    for hint in fix_hints(report):
        console.print(hint, soft_wrap=True, markup=False)
    for command in fix_commands(report, policy):
        console.print(f"  {command}", soft_wrap=True, markup=False)


def _table(report: LakeScanReport) -> Table:
    table = Table("where", "day", "policy", "rows", "found", box=box.SIMPLE_HEAD)
    table.columns[3].justify = "right"
    for where, tally in report.findings():
        rows = f"{format_count(tally.rows_found)} of {format_count(tally.rows)}"
        refused = {f"({reason})": count for reason, count in tally.refused.items()}
        findings = _types_text({**tally.types, **refused})
        table.add_row(where.release or where.table, where.day, where.policy[:8], rows, findings)
    return table


def _types_text(types: Mapping[str, int]) -> str:
    ordered = sorted(types.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{kind} {format_count(count)}" for kind, count in ordered)
