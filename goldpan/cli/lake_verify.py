"""``goldpan lake verify``: prove that the tables are complete and unchanged."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.table import Table

from goldpan import audit_rules, head_files, key_check, topic_check, wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count
from goldpan.cli.main import EXIT_NO
from goldpan.cli.number_options import IntegerParam
from goldpan.cli.plain_console import styled
from goldpan.cli.progress import show_progress
from goldpan.cli.time_options import TimeParam
from goldpan.topic_check import TopicCheck
from lake.tables import Lake
from lake.verify import VerifyReport, verify_lake
from lake.verify_files import DeepOptions
from lake.verify_ranges import PartitionProof
from redact.crypto.keys import load_all_keys
from schemas.arrow import PRIMARY_TABLES
from schemas.errors import FatalError, UsageError

_AHEAD: Final = timedelta(minutes=5)  # tolerated difference to other clocks
_SHOWN: Final = 3
_EPOCHS: Final = 4  # newest leader epochs of a partition; --json has all


@click.command()
@click.option("--deep", is_flag=True, help="Also hash the files and read their rows.")
@click.option(
    "--since",
    type=TimeParam(),
    metavar="TIME",
    help="With --deep: hash only files committed since then (UTC; a day or a time such as "
    "2026-11-30T08:00:00Z).",
)
@click.option(
    "--sample",
    type=IntegerParam(1),
    metavar="FILES",
    help="With --deep: hash at most so many files, chosen at random.",
)
@click.option(
    "--kafka",
    is_flag=True,
    help="Also compare with the topics in Kafka: what is still unread, and what is lost.",
)
@click.option(
    "--head",
    "before",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Prove that the tables continue the head in this file.",
)
@click.option(
    "--write-head",
    "kept",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the head to this file if everything is correct; keep it outside the lake.",
)
@with_cli_context
@click.pass_context
def verify(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    cli: CliContext,
    *,
    deep: bool,
    since: datetime | None,
    sample: int | None,
    kafka: bool,
    before: Path | None,
    kept: Path | None,
) -> None:
    """Prove from the tables' logs that every record is in the lake exactly once.

    For each partition, up to its position: offset ranges have no gap or overlap, and consumed =
    stored + quarantined + dropped. Also lists the keys that rows were written with; with --deep,
    how many values of each. With --kafka, also what the topics hold beyond the positions: a lag is
    not an error, but records that Kafka deleted before they were read are.

    With --deep, each file is compared with the SHA-256 in its commit, and the hash chain of the
    redaction audit is checked. An interrupted run prints the time to continue from with --since.

    Exit code 1 if anything is wrong; 3 if the lake is unreachable, after what was found so far.

    \b
    Example:
      goldpan lake verify --json | jq .ok
      goldpan lake verify --deep --write-head head.json
      goldpan lake verify --head head.json
    """
    _check_parts(since, sample, deep=deep)
    lake, known = Lake(cli.settings.lake), load_all_keys(cli.settings.redact)
    wiring.refuse_older_lake(cli.settings)
    if kept is not None and lake.location.is_within(kept):
        raise UsageError(
            f"--write-head {kept} is inside the lake: anyone who can change the tables could "
            "change the head too. Name a file elsewhere."
        )
    was = head_files.read_head(before, known) if before else None
    asked = topic_check.begin_topic_check(cli.settings) if kafka else None
    with show_progress(cli) as shown:
        how = DeepOptions(
            since_ms=int(since.timestamp() * 1000) if since else 0,
            sample=sample,
            seed=secrets.randbits(64),
            audit=audit_rules.load_audit_rules(lake, known) if deep else None,
            progress=shown,
        )
        report = verify_lake(
            lake, deep=deep, how=how, since=was.head if was else None, retry=wiring.make_retry()
        )
    if report.unfinished is not None and not (report.problems or report.partitions):
        raise FatalError(report.unfinished)  # there are no results to show
    report = _with_problems(report, was.problems if was else ())
    needed = _needed(cli, lake, report, count=deep)
    topics = asked(lake, report) if asked and set(PRIMARY_TABLES) <= set(report.versions) else None
    report = _with_problems(report, topics.problems if topics else ())
    head = head_files.sign_head(report.head, known) if report.head and report.ok else None
    continued = was if report.ok else None
    if kept is not None and head is not None:
        head_files.write_head(kept, head)

    def show(console: Console) -> None:
        show_report(console, report, topics)
        for one in needed:
            console.print(_key_text(one), markup=False, soft_wrap=True)
        if continued is not None:
            line = f"the tables continue the head {before} ({_signed_text(continued)})"
            console.print(line, markup=False, soft_wrap=True)
        if kept is not None:
            done = "written to" if head else "not written because of the problems above:"
            console.print(f"head {done} {kept}", markup=False, soft_wrap=True)

    said: dict[str, Any] = {"keys": [one.to_json() for one in needed]} if needed else {}
    said |= topics.to_json() if topics else {}
    said |= {"head": head} if head else {}
    said |= _continued_json(continued)
    cli.answer(report.to_json() | said, show)
    if report.unfinished is not None:
        raise FatalError(report.unfinished)
    if not report.ok:
        ctx.exit(EXIT_NO)


def _check_parts(since: datetime | None, sample: int | None, *, deep: bool) -> None:
    """Raise UsageError for invalid uses of --since and --sample."""
    if not deep and (since is not None or sample is not None):
        raise UsageError("--since and --sample select files to hash: they need --deep.")
    if since is not None and since > datetime.now(UTC) + _AHEAD:
        raise UsageError("--since is in the future: no file would be hashed. Times are in UTC.")


def _signed_text(head: head_files.SignedHead) -> str:
    return f"signed by {head.signed_by}" if head.signed_by else "not signed"


def _continued_json(head: head_files.SignedHead | None) -> dict[str, Any]:
    """Return the head that the tables continue, and its signer."""
    if head is None:
        return {}
    tables = head.head.to_json()["tables"]
    return {"continues": {"tables": tables, "signed_by": head.signed_by}}


def _with_problems(report: VerifyReport, more: Sequence[str]) -> VerifyReport:
    return replace(report, problems=[*report.problems, *more])


def _needed(
    cli: CliContext, lake: Lake, report: VerifyReport, *, count: bool
) -> list[key_check.RequiredKey]:
    """Return the keys of a correct lake; a damaged one might be unreadable."""
    if not report.ok:
        return []
    wiring.refuse_other_keys(cli.settings, lake)
    return wiring.make_retry().call(
        "reading the keys", lambda: key_check.list_required_keys(lake, count=count)
    )


def _key_text(one: key_check.RequiredKey) -> str:
    """Return a line about a key."""
    places = "" if one.rows is None else f", stands in {format_count(one.rows)} places"
    known = "" if one.known else "; the lake has no check value of it"
    return f"key {one.key_id} ({one.purpose}){places}{known}"


_USUAL: Final = ("from", "to", "consumed", "stored", "quarantined")
_RARE: Final = ("dropped", "expired", "erased", "skipped")
"""Columns that are shown only if they are not 0 everywhere."""


def show_report(console: Console, report: VerifyReport, topics: TopicCheck | None = None) -> None:
    """Print the proof of each partition, the topics' state, and the problems."""
    proofs = [(f"{one.topic}/{one.partition}", one.to_json()) for one in report.partitions]
    rare = [name for name in _RARE if any(said[name] for _, said in proofs)]
    table = Table("partition", *_USUAL, *rare, box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, said in proofs:
        table.add_row(name, *(format_count(int(said[key])) for key in (*_USUAL, *rare)))
    console.print(table)
    for line in _epochs_text(report.partitions):
        console.print(line, markup=False, soft_wrap=True)
    if topics is not None:
        console.print(_topics_table(topics))
    if report.versions:
        versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
        console.print(f"as of the versions {versions}", markup=False, soft_wrap=True)
    for line in _files_text(report):
        console.print(line, markup=False, soft_wrap=True)
    for problem in report.problems:
        console.print(styled("red", "wrong", f": {problem}"), soft_wrap=True)
    if report.ok:
        console.print(styled("green", "ok", f": {_claim(report, topics)}"), soft_wrap=True)
        if any(proof.expired or proof.erased for proof in report.partitions):
            console.print("records that have expired or were erased count as dropped")


def _epochs_text(proofs: Sequence[PartitionProof]) -> list[str]:
    """Return a line about the leader epochs of each partition that had several."""
    changed = [proof for proof in proofs if len(proof.epochs) > 1]
    lines = []
    for proof in changed[:_SHOWN]:
        told = [f"{epoch} up to {format_count(end)}" for epoch, end in proof.epochs[-_EPOCHS:]]
        more = ["…"] if len(proof.epochs) > _EPOCHS else []
        lines.append(f"{proof.topic}/{proof.partition}: leader epochs {', '.join([*more, *told])}")
    if len(changed) > _SHOWN:
        left = format_count(len(changed) - _SHOWN)
        lines.append(f"and {left} more partitions with several leader epochs: see --json")
    return lines


def _files_text(report: VerifyReport) -> list[str]:
    """Return lines about how many files are proved to be unchanged, and which are not."""
    files = report.files
    if files is None:
        return []
    told = [f"{format_count(files.hashed)} files are, to the byte, what was committed"]
    if files.unproved:
        some = ", ".join(files.unproved[:_SHOWN])
        told.append(
            f"{format_count(len(files.unproved))} files are unproved, since their commits are from "
            f"before hashes were kept (--json names all), such as {some}"
        )
    if files.passed:
        told.append(f"{format_count(files.passed)} files were not chosen to be hashed")
    return told


def _claim(report: VerifyReport, topics: TopicCheck | None) -> str:
    """Return what is proved, and up to where."""
    proved = "every record up to the end (to) of each partition is in the lake exactly once"
    if not report.partitions:
        proved = "nothing is wrong; the lake is empty: no partition has been read yet"
    if topics is None:
        return f"{proved}; --kafka also shows what the topics hold beyond that"
    behind = [one for one in topics.partitions if one.behind]
    if not behind:
        return f"{proved}; the topics hold nothing beyond that"
    offsets = format_count(sum(one.behind for one in behind))
    return f"{proved}; {offsets} offsets of {len(behind)} partitions are still to be read"


def _topics_table(topics: TopicCheck) -> Table:
    table = Table("in Kafka", "from", "to", "position", box=box.SIMPLE_HEAD)
    for name in ("behind", "before", "lost"):
        table.add_column(name)
    for column in table.columns[1:]:
        column.justify = "right"
    for one in topics.partitions:
        position = "-" if one.position is None else format_count(one.position)
        numbers = (format_count(n) for n in (one.behind, one.before, one.lost))
        where = f"{one.source.topic}/{one.source.partition}"
        table.add_row(where, format_count(one.low), format_count(one.high), position, *numbers)
    return table
