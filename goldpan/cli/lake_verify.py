"""``goldpan lake verify``: prove that the tables are complete, and are what they were."""

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

_AHEAD: Final = timedelta(minutes=5)  # of this clock, another's may be
_SHOWN: Final = 3
_EPOCHS: Final = 4  # of a partition, the newest ones; --json has all


@click.command()
@click.option("--deep", is_flag=True, help="Hash the files and read their rows as well.")
@click.option(
    "--since",
    type=TimeParam(),
    metavar="TIME",
    help="With --deep: hash files of commits from then on (UTC; 2026-11-30T08:00:00Z or a day).",
)
@click.option(
    "--sample",
    type=IntegerParam(1),
    metavar="FILES",
    help="With --deep: hash no more files than these, drawn by chance.",
)
@click.option(
    "--kafka",
    is_flag=True,
    help="Ask Kafka as well what the topics hold: what is still to be read, and what is lost.",
)
@click.option(
    "--head",
    "before",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Prove that the tables continue the head in a file.",
)
@click.option(
    "--write-head",
    "kept",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the head to a file, if all is well: keep it outside of the lake.",
)
@with_cli_context
@click.pass_context
def verify(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    call: CliContext,
    *,
    deep: bool,
    since: datetime | None,
    sample: int | None,
    kafka: bool,
    before: Path | None,
    kept: Path | None,
) -> None:
    """Prove from the tables' logs that every record up to their positions is there exactly once.

    For each partition: ranges of offsets without gap or overlap, and consumed = stored +
    quarantined + dropped. Exit code 1, and what is wrong, if anything is; 3, with what was found so
    far, if the lake does not answer. Names the keys that rows were made with, and with --deep in
    how many places each stands. What the topics hold beyond the positions is told with --kafka: a
    lag is no failure, records that Kafka deleted unread are.

    With --deep each file is held against the SHA-256 that its commit bears, and the audit of
    redaction is walked link by link. A run that was cut short says the time to go on from with
    --since.

    \b
    Example:
      goldpan lake verify --json | jq .ok
      goldpan lake verify --deep --write-head head.json
      goldpan lake verify --head head.json
    """
    _check_parts(since, sample, deep=deep)
    lake, known = Lake(call.settings.lake), load_all_keys(call.settings.redact)
    wiring.refuse_older_lake(call.settings)
    if kept is not None and lake.location.is_within(kept):
        raise UsageError(
            f"--write-head {kept} lies in the lake: who can change its tables could change the "
            "head too. Keep it elsewhere."
        )
    was = head_files.read_head(before, known) if before else None
    asked = topic_check.begin_topic_check(call.settings) if kafka else None
    with show_progress(call) as shown:
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
        raise FatalError(report.unfinished)  # nothing was found that could be shown
    report = _with_problems(report, was.problems if was else ())
    needed = _needed(call, lake, report, count=deep)
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
            done = "written to" if head else "not written, since not all is well:"
            console.print(f"head {done} {kept}", markup=False, soft_wrap=True)

    said: dict[str, Any] = {"keys": [one.to_json() for one in needed]} if needed else {}
    said |= topics.to_json() if topics else {}
    said |= {"head": head} if head else {}
    said |= _continued_json(continued)
    call.answer(report.to_json() | said, show)
    if report.unfinished is not None:
        raise FatalError(report.unfinished)
    if not report.ok:
        ctx.exit(EXIT_NO)


def _check_parts(since: datetime | None, sample: int | None, *, deep: bool) -> None:
    """Raise UsageError for a part of a deep proof that can be none."""
    if not deep and (since is not None or sample is not None):
        raise UsageError("--since and --sample choose files to hash: they need --deep.")
    if since is not None and since > datetime.now(UTC) + _AHEAD:
        raise UsageError("--since lies in the future: no file would be hashed. Times are in UTC.")


def _signed_text(head: head_files.SignedHead) -> str:
    return f"signed by {head.signed_by}" if head.signed_by else "not signed"


def _continued_json(head: head_files.SignedHead | None) -> dict[str, Any]:
    """Return what the tables continue, and who signed it."""
    if head is None:
        return {}
    tables = head.head.to_json()["tables"]
    return {"continues": {"tables": tables, "signed_by": head.signed_by}}


def _with_problems(report: VerifyReport, more: Sequence[str]) -> VerifyReport:
    return replace(report, problems=[*report.problems, *more])


def _needed(
    call: CliContext, lake: Lake, report: VerifyReport, *, count: bool
) -> list[key_check.RequiredKey]:
    """Return the keys of a lake that is well: what is damaged might not let itself be read."""
    if not report.ok:
        return []
    wiring.refuse_other_keys(call.settings, lake)
    return wiring.make_retry().call(
        "looking at keys", lambda: key_check.list_required_keys(lake, count=count)
    )


def _key_text(one: key_check.RequiredKey) -> str:
    """Return what is known of a key, for a person."""
    places = "" if one.rows is None else f", stands in {format_count(one.rows)} places"
    known = "" if one.known else "; the lake has no check value of it"
    return f"key {one.key_id} ({one.purpose}){places}{known}"


_USUAL: Final = ("from", "to", "consumed", "stored", "quarantined")
_RARE: Final = ("dropped", "expired", "erased", "skipped")
"""Columns that are shown where one of them is not 0."""


def show_report(console: Console, report: VerifyReport, topics: TopicCheck | None = None) -> None:
    """Print the proof of each partition, what the topics hold, and then what is wrong."""
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
            console.print("but for those that have expired or were erased, which count as dropped")


def _epochs_text(proofs: Sequence[PartitionProof]) -> list[str]:
    """Say under which leaders ranges were written, where a partition has had several."""
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
    """Say of how many files the bytes are proved, and which ones are not."""
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
    """Say what is proved, and up to where."""
    proved = "every record up to the end (to) of each partition is in the lake exactly once"
    if not report.partitions:
        proved = "nothing is wrong, and nothing is in the lake: no partition has been begun"
    if topics is None:
        return f"{proved}; what the topics hold beyond that, --kafka tells"
    behind = [one for one in topics.partitions if one.unread]
    if not behind:
        return f"{proved}; the topics hold nothing beyond that"
    offsets = format_count(sum(one.unread for one in behind))
    return f"{proved}; {offsets} offsets of {len(behind)} partitions are still to be read"


def _topics_table(topics: TopicCheck) -> Table:
    table = Table("in Kafka", "from", "to", "position", box=box.SIMPLE_HEAD)
    for name in ("behind", "before", "lost"):
        table.add_column(name)
    for column in table.columns[1:]:
        column.justify = "right"
    for one in topics.partitions:
        position = "-" if one.position is None else format_count(one.position)
        numbers = (format_count(n) for n in (one.unread, one.before, one.lost))
        where = f"{one.source.topic}/{one.source.partition}"
        table.add_row(where, format_count(one.low), format_count(one.high), position, *numbers)
    return table
