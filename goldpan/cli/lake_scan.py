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

from batch.lake_scan import Asked, Report, Scanner, Tally, Where
from batch.lake_scan_rows import TABLES_WITH_TEXT
from goldpan import releases, wiring
from goldpan.cli.call import Call, with_call
from goldpan.cli.figures import count_text
from goldpan.cli.main import NO
from goldpan.cli.plain_numbers import Whole
from goldpan.cli.progress import progress
from goldpan.cli.shown import marked
from lake.tables import Lake
from redact.config import RedactSettings
from redact.keys import KEY_BYTES, Keys, load_known_keys
from redact.leftovers import LeftoverFinder
from redact.policy import load_policy
from schemas.arrow import LABELS, REVIEWS
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
    help="Look through this one only (may be given again); `releases` are all releases.",
)
@click.option("--from", "first", type=_DAY, metavar="YYYY-MM-DD", help="First day (UTC).")
@click.option("--to", "last", type=_DAY, metavar="YYYY-MM-DD", help="Last day (UTC), included.")
@click.option(
    "--sample",
    type=Whole(1),
    metavar="ROWS",
    help="About so many rows of each table and release, evenly spread, instead of all.",
)
@click.option(
    "--older", is_flag=True, help="Pass over rows that were stored under today's policy already."
)
@click.option(
    "--policy", help="Policy to look with, a preset or a file; else that of the settings."
)
@with_call
@click.pass_context
def scan(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    call: Call,
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
    lake, shelf = Lake(call.settings.lake), releases.shelf(call.settings)
    wiring.refuse_other_keys(call.settings, lake)
    with progress(call) as shown:
        retry = releases.patience()
        report = Scanner(lake, shelf, finder, retry=retry, progress=shown).run(asked)
    call.answer(report_json(report, policy), lambda console: _show(console, report, policy))
    if not report.ok:
        ctx.exit(NO)


def _asked(
    chosen: tuple[str, ...],
    first: datetime | None,
    last: datetime | None,
    sample: int | None,
    *,
    older: bool,
) -> Asked:
    days = (first.date() if first else date.min, last.date() if last else date.max)
    if days[0] > days[1]:
        raise UsageError("The last day (--to) is before the first (--from).")
    names = chosen or _PLACES
    tables = [name for name in TABLES_WITH_TEXT if name in names]
    return Asked(tables, RELEASES in names, *days, sample=sample, older=older)


def _finder(settings: RedactSettings, policy: str | None) -> LeftoverFinder:
    """Return what looks; without a key, stand-ins are known by their form alone."""
    known = load_known_keys(settings) or (Keys.derive(os.urandom(KEY_BYTES), "scan"),)
    return LeftoverFinder(load_policy(policy or settings.policy), known)


def report_json(report: Report, policy: str | None) -> dict[str, Any]:
    """Return a report as JSON has it."""
    return {
        "ok": report.ok,
        "policy": report.policy,
        "rows": report.rows,
        "passed_over": report.passed_over,
        "types": dict(sorted(report.types().items())),
        "found": [_place_json(where, tally) for where, tally in report.found()],
        "commands": commands(report, policy),
        "hints": hints(report),
    }


def _place_json(where: Where, tally: Tally) -> dict[str, Any]:
    return {
        **where._asdict(),
        "rows": tally.rows,
        "rows_found": tally.found_in,
        "types": dict(sorted(tally.types.items())),
        "refused": dict(sorted(tally.refused.items())),
    }


def commands(report: Report, policy: str | None) -> list[str]:
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


def hints(report: Report) -> list[str]:
    """Return what has to be known beside the commands."""
    told = []
    if report.topics:
        told.append(
            "Start the workers with today's policy first. Where Kafka has forgotten the records, "
            "add --from-lake to the replay."
        )
    if LABELS in report.tables():
        told.append(
            "labels repeat what feedback and reviews say: promoting the replay of the feedback "
            "decides them anew."
        )
    if REVIEWS in report.tables():
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


def _show(console: Console, report: Report, policy: str | None) -> None:
    if report.found():
        console.print(_table(report))
    looked = f"{count_text(report.rows)} rows looked at with policy {report.policy}"
    if report.passed_over:
        looked += f", {count_text(report.passed_over)} passed over"
    console.print(looked, soft_wrap=True)
    if report.ok:
        console.print(marked("green", "ok", ": today's policy would change nothing in them"))
        return
    found = _types_text(report.types()) or "rows to set aside"
    console.print(marked("red", "found", f": {found}"))
    for hint in hints(report):
        console.print(hint, soft_wrap=True, markup=False)
    for command in commands(report, policy):
        console.print(f"  {command}", soft_wrap=True, markup=False)


def _table(report: Report) -> Table:
    table = Table("where", "day", "policy", "rows", "found", box=box.SIMPLE_HEAD)
    table.columns[3].justify = "right"
    for where, tally in report.found():
        rows = f"{count_text(tally.found_in)} of {count_text(tally.rows)}"
        refused = {f"({reason})": many for reason, many in tally.refused.items()}
        found = _types_text({**tally.types, **refused})
        table.add_row(where.release or where.table, where.day, where.policy[:8], rows, found)
    return table


def _types_text(types: Mapping[str, int]) -> str:
    ordered = sorted(types.items(), key=lambda one: (-one[1], one[0]))
    return ", ".join(f"{kind} {count_text(many)}" for kind, many in ordered)
