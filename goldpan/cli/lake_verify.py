"""``goldpan lake verify``: prove that the tables are complete and unchanged."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.table import Table

from batch.trace_assembly.row_check import RowCheckReport
from goldpan import audit_rules, head_files, jobs, key_check, topic_coverage, wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count, format_quantity
from goldpan.cli.main import EXIT_NO
from goldpan.cli.number_options import IntegerParam
from goldpan.cli.plain_console import styled
from goldpan.cli.progress import show_progress
from goldpan.cli.time_options import TimeParam
from goldpan.topic_coverage import TopicCoverage
from lake.table_log import ASSEMBLY_SEQUENCE
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
    help="With --deep: hash at most this many files, chosen at random.",
)
@click.option(
    "--kafka",
    is_flag=True,
    help="Also compare with the topics in Kafka: what is still unread, and what is lost.",
)
@click.option(
    "--head",
    "head_before",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Prove that the tables continue the head in this file.",
)
@click.option(
    "--write-head",
    "head_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the head to this file if everything is correct; keep it outside the lake.",
)
@with_cli_context
@click.pass_context
def verify(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    cli: CliContext,
    *,
    deep: bool,
    since: datetime | None,
    sample: int | None,
    kafka: bool,
    head_before: Path | None,
    head_file: Path | None,
) -> None:
    """Prove from the tables' logs that every record is in the lake exactly once.

    For each partition, up to its position: offset ranges have no gap or overlap, and found =
    stored + quarantined + dropped, where a record of spans holds many items. Also lists the keys
    that rows were written with; with --deep, how many values of each. With --kafka, also what the
    topics hold beyond the positions: a lag is not an error, but records that Kafka deleted before
    they were read are.

    With --deep, each file is compared with the SHA-256 in its commit, the hash chain of the
    redaction audit is checked, and traces are assembled again from their spans. That needs the
    redaction key: without it the answer says that they were not compared. An interrupted run prints
    the time to continue from with --since.

    Exit code 1 if anything is wrong; 3 if the lake is unreachable, after what was found so far.

    \b
    Example:
      goldpan lake verify --json | jq .ok
      goldpan lake verify --deep --write-head head.json
      goldpan lake verify --head head.json
    """
    _check_options(since, sample, deep=deep)
    lake, keys = Lake(cli.settings.lake), load_all_keys(cli.settings.redact)
    wiring.refuse_older_lake(cli.settings)
    if head_file is not None and lake.location.is_within(head_file):
        raise UsageError(
            f"--write-head {head_file} is inside the lake: anyone who can change the tables could "
            "change the head too. Name a file elsewhere."
        )
    earlier = head_files.read_head(head_before, keys) if head_before else None
    check_topics = topic_coverage.begin_coverage_check(cli.settings) if kafka else None
    with show_progress(cli) as progress:
        options = DeepOptions(
            since_ms=int(since.timestamp() * 1000) if since else 0,
            sample=sample,
            seed=secrets.randbits(64),
            audit=audit_rules.load_audit_rules(lake, keys) if deep else None,
            progress=progress,
        )
        report = verify_lake(
            lake,
            deep=deep,
            options=options,
            since=earlier.head if earlier else None,
            retry=wiring.make_retry(),
        )
    if report.unfinished is not None and not (report.problems or report.partitions):
        raise FatalError(report.unfinished)  # there are no results to show
    report = _with_problems(report, earlier.problems if earlier else ())
    assembled = _check_assembled(cli, lake, report) if deep else None
    report = _with_problems(report, assembled.problems if assembled else ())
    required_keys = _required_keys(cli, lake, report, count=deep)
    readable = set(PRIMARY_TABLES) <= set(report.versions)
    topics = check_topics(lake, report) if check_topics and readable else None
    report = _with_problems(report, topics.problems if topics else ())
    head = head_files.sign_head(report.head, keys) if report.head and report.ok else None
    if head_file is not None and head is not None:
        head_files.write_head(head_file, head)
    continued = earlier if report.ok else None
    proof = _LakeProof(report, required_keys, topics, head, continued, assembled)
    cli.answer(proof.to_json(), lambda console: _show_proof(console, proof, head_before, head_file))
    if report.unfinished is not None:
        raise FatalError(report.unfinished)
    if not report.ok:
        ctx.exit(EXIT_NO)


@dataclass(frozen=True, slots=True)
class _LakeProof:
    """The result of a verification; ``continued`` is the earlier head that the tables continue."""

    report: VerifyReport
    required_keys: Sequence[key_check.RequiredKey]
    topics: TopicCoverage | None
    head: dict[str, Any] | None
    continued: head_files.SignedHead | None
    assembled: RowCheckReport | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON that `goldpan lake verify --json` prints."""
        data = self.report.to_json()
        if self.required_keys:
            data["keys"] = [key.to_json() for key in self.required_keys]
        if self.assembled:
            data["assembled"] = self.assembled.to_json()
        if self.topics:
            data |= self.topics.to_json()
        if self.head:
            data["head"] = self.head
        if self.continued:
            tables = self.continued.head.to_json()["tables"]
            data["continues"] = {"tables": tables, "signed_by": self.continued.signed_by}
        return data


def _show_proof(
    console: Console, proof: _LakeProof, head_before: Path | None, head_file: Path | None
) -> None:
    show_report(console, proof.report, proof.topics)
    if proof.assembled is not None:
        console.print(_assembled_text(proof.assembled), markup=False, soft_wrap=True)
    for key in proof.required_keys:
        console.print(_key_text(key), markup=False, soft_wrap=True)
    if proof.continued is not None:
        line = f"the tables continue the head {head_before} ({_signed_text(proof.continued)})"
        console.print(line, markup=False, soft_wrap=True)
    if head_file is not None:
        result = "written to" if proof.head else "not written because of the problems above:"
        console.print(f"head {result} {head_file}", markup=False, soft_wrap=True)


def _check_options(since: datetime | None, sample: int | None, *, deep: bool) -> None:
    """Raise UsageError for invalid uses of --since and --sample."""
    if not deep and (since is not None or sample is not None):
        raise UsageError("--since and --sample select files to hash: they need --deep.")
    if since is not None and since > wiring.utc_now() + _AHEAD:
        raise UsageError("--since is in the future: no file would be hashed. Times are in UTC.")


def _signed_text(head: head_files.SignedHead) -> str:
    return f"signed by {head.signed_by}" if head.signed_by else "not signed"


def _with_problems(report: VerifyReport, more: Sequence[str]) -> VerifyReport:
    return replace(report, problems=[*report.problems, *more])


def _check_assembled(cli: CliContext, lake: Lake, report: VerifyReport) -> RowCheckReport | None:
    """Compare assembled rows with their spans; None if there are none.

    A lake that is wrong in another way might be unreadable: it is not read again.
    """
    if not report.ok or all(p.topic != ASSEMBLY_SEQUENCE for p in report.partitions):
        return None
    try:
        check = jobs.set_up_row_check(cli.settings, lake)
    except UsageError as error:
        return RowCheckReport(not_checked=str(error))  # such as: there is no redaction key
    return wiring.make_retry().call("comparing assembled rows", check.run)


def _assembled_text(assembled: RowCheckReport) -> str:
    """Return a line about assembled rows, by what was found of them."""
    if assembled.not_checked is not None:
        return f"assembled rows were not compared with their spans: {assembled.not_checked}"
    counts = [f"{count} {state.replace('_', ' ')}" for state, count in assembled.rows.items()]
    return f"assembled rows against their spans: {', '.join(sorted(counts)) or 'none'}"


def _required_keys(
    cli: CliContext, lake: Lake, report: VerifyReport, *, count: bool
) -> list[key_check.RequiredKey]:
    """Return the keys of a correct lake; a damaged one might be unreadable."""
    if not report.ok:
        return []
    wiring.refuse_other_keys(cli.settings, lake)
    return wiring.make_retry().call(
        "reading the keys", lambda: key_check.list_required_keys(lake, count=count)
    )


def _key_text(key: key_check.RequiredKey) -> str:
    """Return a line about a key."""
    uses = "" if key.rows is None else f", used in {format_quantity(key.rows, 'value')}"
    unknown = "" if key.known else "; the lake has no check value of it"
    return f"key {key.key_id} ({key.purpose}){uses}{unknown}"


_COLUMNS: Final = ("from", "to", "consumed", "found", "stored", "quarantined")
_OPTIONAL_COLUMNS: Final = ("dropped", "expired", "erased", "superseded", "skipped")
"""Columns that are shown only if they are not 0 everywhere."""


def show_report(
    console: Console, report: VerifyReport, topics: TopicCoverage | None = None
) -> None:
    """Print the proof of each partition, the topics' state, and the problems."""
    proofs = [(f"{proof.topic}/{proof.partition}", proof.to_json()) for proof in report.partitions]
    optional = [name for name in _OPTIONAL_COLUMNS if any(proof.get(name) for _, proof in proofs)]
    table = Table("partition", *_COLUMNS, *optional, box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, proof in proofs:
        table.add_row(
            name, *(format_count(int(proof.get(key, 0))) for key in (*_COLUMNS, *optional))
        )
    console.print(table)
    for line in _epochs_text(report.partitions):
        console.print(line, markup=False, soft_wrap=True)
    if topics is not None:
        console.print(_topics_table(topics))
    if report.versions:
        versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
        console.print(f"as of table versions {versions}", markup=False, soft_wrap=True)
    for line in _files_text(report):
        console.print(line, markup=False, soft_wrap=True)
    for problem in report.problems:
        console.print(styled("red", "wrong", f": {problem}"), soft_wrap=True)
    if report.ok:
        console.print(styled("green", "ok", f": {_claim(report, topics)}"), soft_wrap=True)
        for line in _removed_text(report.partitions):
            console.print(line)


def _removed_text(proofs: Sequence[PartitionProof]) -> Iterator[str]:
    """Yield lines about the rows that count as dropped although they were in a table."""
    if any(proof.expired or proof.erased for proof in proofs):
        yield "expired and erased records count as dropped"
    if any(proof.superseded for proof in proofs):
        yield "superseded rows, which later revisions replace, count as dropped"


def _epochs_text(proofs: Sequence[PartitionProof]) -> list[str]:
    """Return a line about the leader epochs of each partition that had several."""
    changed = [proof for proof in proofs if len(proof.epochs) > 1]
    lines = []
    for proof in changed[:_SHOWN]:
        epochs = [f"{epoch} up to {format_count(end)}" for epoch, end in proof.epochs[-_EPOCHS:]]
        more = ["…"] if len(proof.epochs) > _EPOCHS else []
        epochs_text = ", ".join([*more, *epochs])
        lines.append(f"{proof.topic}/{proof.partition}: leader epochs {epochs_text}")
    if len(changed) > _SHOWN:
        rest = format_quantity(len(changed) - _SHOWN, "more partition")
        lines.append(f"and {rest} with several leader epochs: --json lists all")
    return lines


def _files_text(report: VerifyReport) -> list[str]:
    """Return lines about how many files are proved to be unchanged, and which are not."""
    files = report.files
    if files is None:
        return []
    lines = [f"{format_quantity(files.hashed, 'file')} proved unchanged since the commit, by hash"]
    if files.unproved:
        examples = ", ".join(files.unproved[:_SHOWN])
        lines.append(
            f"{format_quantity(len(files.unproved), 'file')} not proved, since their commits have "
            f"no hashes, such as {examples} (--json lists all)"
        )
    if files.passed:
        lines.append(f"{format_quantity(files.passed, 'file')} not selected for hashing")
    return lines


def _claim(report: VerifyReport, topics: TopicCoverage | None) -> str:
    """Return what is proved, and up to where."""
    proved = "every record up to the end (to) of each partition is in the lake exactly once"
    if not report.partitions:
        proved = "nothing is wrong; the lake is empty: no partition has been read yet"
    if topics is None:
        return f"{proved}; --kafka also shows what the topics hold beyond that"
    unread = [partition for partition in topics.partitions if partition.unread]
    if not unread:
        return f"{proved}; the topics hold nothing beyond that"
    offsets = format_quantity(sum(partition.unread for partition in unread), "offset")
    return f"{proved}; {offsets} of {format_quantity(len(unread), 'partition')} still to be read"


def _topics_table(topics: TopicCoverage) -> Table:
    table = Table("in Kafka", "from", "to", "position", box=box.SIMPLE_HEAD)
    for name in ("behind", "before", "lost"):
        table.add_column(name)
    for column in table.columns[1:]:
        column.justify = "right"
    for partition in topics.partitions:
        name = f"{partition.source.topic}/{partition.source.partition}"
        ends = map(format_count, (partition.low, partition.high))
        position = "-" if partition.position is None else format_count(partition.position)
        counts = map(format_count, (partition.unread, partition.before, partition.lost))
        table.add_row(name, *ends, position, *counts)
    return table
