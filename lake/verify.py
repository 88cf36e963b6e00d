"""Verifies, from the transaction logs, that every record is in the lake exactly once.

The proof reaches up to the position of each partition. What the topics hold beyond it only Kafka
can show (`stream.coverage`), and nothing is said about a partition that was never begun.

Everything is read in one cut (`lake.cut`). For each source partition the ranges are checked
(`lake.verify_ranges`): the number of rows in the files is the number that the ranges stored, and
quarantine holds what the ranges say was rejected. Commits that remove rows count those that expired
or were erased. Labels are checked by `lake.verify_labels`, references between tables by
`lake.cross_references`, the files' presence by `lake.verify_listing`. A deep verification reads the
files (`lake.verify_files`) and walks the chains of the audit (`lake.verify_audit`).

What is wrong is a problem, reported at once. What cannot be read for now leaves the verification
unfinished.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from lake import head as heads
from lake.cross_references import find_missing_audit_commits as promised_audit
from lake.cross_references import referenced_versions
from lake.cut import LakeCut, TableCut, take_cut
from lake.delta_log import DamagedLogError
from lake.file_hashes import RecordedFile, read_recorded_files
from lake.head import LakeHead
from lake.ledger import (
    EntryKind,
    SourcePartition,
    SourceRange,
    rows_added,
    rows_erased,
    rows_expired,
    rows_from_quarantine,
)
from lake.retry import Retry, call_with_retry
from lake.table_layouts import TABLE_LAYOUTS
from lake.table_log import ASSEMBLY_SEQUENCE
from lake.tables import Lake
from lake.verify_audit import find_audit_problems
from lake.verify_files import DeepOptions, FileMovedError, FilesReport, check_files, is_active_file
from lake.verify_labels import find_label_problems, find_label_row_problems
from lake.verify_listing import check_listing
from lake.verify_ranges import (
    PartitionProof,
    check_positions,
    check_quarantine,
    check_row_count,
    count_expired_and_erased,
    count_redriven,
    count_superseded,
    group_by_source,
    range_chains,
)
from lake.verify_rows import ExpectedRows, find_misplaced_rows
from schemas.arrow import (
    ANSWER_REVIEWS_TABLE,
    AUDIT_TABLE,
    JUDGEMENTS_TABLE,
    LABELS_TABLE,
    PRIMARY_TABLES,
    QUARANTINE_TABLE,
    REVIEWS_TABLE,
)
from schemas.errors import FatalError, RetryableError

_MAX_CUTS: Final = 5  # where files are removed all the time
_DEFAULT_OPTIONS: Final = DeepOptions()


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The outcome of a verification; ``problems`` is empty exactly if all laws hold.

    ``versions`` are those of the tables that were read, by name. ``files`` is the outcome of
    reading the files, None if they were not read. ``unfinished`` says what could not be read, None
    if all was.
    """

    partitions: Sequence[PartitionProof]
    problems: Sequence[str]
    versions: Mapping[str, int] = field(default_factory=dict)
    head: LakeHead | None = None
    files: FilesReport | None = None
    unfinished: str | None = None

    @property
    def ok(self) -> bool:
        """Return whether everything was verified and no law is broken."""
        return not self.problems and self.unfinished is None

    def to_json(self) -> dict[str, Any]:
        """Return the report as `goldpan lake verify --json` prints it."""
        body: dict[str, Any] = {
            "ok": self.ok,
            "partitions": [p.to_json() for p in self.partitions],
            "problems": list(self.problems),
            "versions": dict(self.versions),
        }
        if self.files is not None:
            body["files"] = {
                "hashed": self.files.hashed,
                "unproved": len(self.files.unproved),
                "unproved_paths": self.files.unproved,
                "not_chosen": self.files.passed,
            }
        if self.unfinished is not None:
            body["unfinished"] = self.unfinished
        return body


def verify_lake(
    lake: Lake,
    *,
    deep: bool = False,
    options: DeepOptions = _DEFAULT_OPTIONS,
    since: LakeHead | None = None,
    retry: Retry | None = None,
) -> VerifyReport:
    """Check every law on every table.

    ``deep`` also reads the files, with ``options``. ``since`` is an earlier head, which the tables
    must continue.

    Raises FatalError if there is no lake, and no head that says that there was one. If the store
    fails for longer than ``retry`` allows, the report is unfinished; without a retry,
    RetryableError is raised.
    """
    cuts_left = _MAX_CUTS
    while True:
        cuts_left -= 1
        try:
            cut = take_cut(lake, retry)
            if since is None and len(cut.missing) == len(TABLE_LAYOUTS) and not cut.problems:
                lake.table(next(iter(TABLE_LAYOUTS)))  # raises: there is none
            return _Proof(lake, cut, deep, options, since, retry).report()
        except FileMovedError:
            if not cuts_left:
                raise


class _Proof:
    """One attempt, over one cut; collects the problems."""

    def __init__(  # noqa: PLR0913, PLR0917 - what `verify_lake` was given
        self,
        lake: Lake,
        cut: LakeCut,
        deep: bool,  # noqa: FBT001
        options: DeepOptions,
        since: LakeHead | None,
        retry: Retry | None,
    ) -> None:
        self.lake, self.cut, self.retry = lake, cut, retry
        self.deep, self.options, self.since = deep, options, since
        self.problems: list[str] = list(cut.problems)
        self.proofs: list[PartitionProof] = []
        self.unfinished = cut.unfinished
        self.files_report: FilesReport | None = None
        self.expected: dict[str, dict[SourcePartition, ExpectedRows]] = {}

    def report(self) -> VerifyReport:
        """Check everything; raise FileMovedError if a file was removed before it was read."""
        for step in (self._check_logs, self._check_listings, self._check_files):
            try:
                if self.unfinished is None:
                    step()
            except FileMovedError:
                raise
            except DamagedLogError as error:
                self.problems.append(str(error))
            except (RetryableError, FatalError) as error:
                if self.retry is None:
                    raise
                self.unfinished = str(error)
        return VerifyReport(
            sorted(self.proofs, key=lambda p: (p.topic, p.partition)),
            self.problems,
            self.cut.versions,
            heads.head_of_cut(self.cut),
            self.files_report,
            self.unfinished,
        )

    def _check_logs(self) -> None:
        """Compare the logs with each other."""
        tables = self.cut.tables
        primaries = [tables[name] for name in PRIMARY_TABLES if name in tables]
        quarantine = tables.get(QUARANTINE_TABLE)
        for primary in primaries:
            self._primary(primary, quarantine)
        if quarantine is not None:
            self.problems += [
                *check_positions(quarantine),
                *check_row_count(quarantine, _logged_rows(quarantine, _quarantined_rows)),
            ]
        if LABELS_TABLE in tables and len(primaries) == len(PRIMARY_TABLES):
            ends = {
                SourcePartition(proof.topic, proof.partition): proof.end for proof in self.proofs
            }
            self.problems += find_label_problems(tables[LABELS_TABLE], ends)
        for name in (AUDIT_TABLE, REVIEWS_TABLE, JUDGEMENTS_TABLE, ANSWER_REVIEWS_TABLE):
            if name in tables:
                self.problems += check_row_count(
                    tables[name], _logged_rows(tables[name], rows_added)
                )
        if AUDIT_TABLE in tables:
            self.problems += check_positions(tables[AUDIT_TABLE])
            self.problems += promised_audit(primaries, tables[AUDIT_TABLE])
        self.problems += self._check_references(primaries)
        if self.since is not None:
            self.problems += heads.check_continues_head(self.since, self.cut)

    def _primary(self, primary: TableCut, quarantine: TableCut | None) -> None:
        """Check one primary table, and quarantine as far as it is about its topics."""
        chains, position_problems = range_chains(primary)
        self.problems += position_problems
        redriven = count_redriven(primary.ledger)
        expired, erased = count_expired_and_erased(primary.ledger)
        superseded = count_superseded(primary.ledger)
        quarantine_ledger = quarantine.ledger if quarantine else []
        quarantine_ranges = group_by_source(quarantine_ledger)
        quarantine_expired, quarantine_erased = count_expired_and_erased(quarantine_ledger)
        positions = quarantine.positions(list(chains)) if quarantine else {}
        is_complete = primary.is_complete and quarantine is not None and quarantine.is_complete
        proofs: list[PartitionProof] = []
        expected: dict[SourcePartition, ExpectedRows] = {}
        for source, chain in chains.items():
            self.problems += chain.problems
            moved, proof = redriven[source], chain.proof
            assembled = source.topic == ASSEMBLY_SEQUENCE  # nothing of it is ever quarantined
            if quarantine and not assembled and (positions[source] or 0) < proof.end:
                self.problems.append(
                    f"{source}: the position in quarantine is {positions[source]}, behind "
                    f"{proof.end} in table {primary.name}: quarantine is committed first and "
                    "cannot be behind"
                )
            if is_complete and not assembled:
                ranges = quarantine_ranges.get(source, [])
                self.problems += check_quarantine(chain, ranges, moved.left)
            removed = quarantine_expired[source] + quarantine_erased[source]
            quarantined = proof.quarantined - moved.left - removed
            proofs.append(
                replace(
                    proof,
                    found=proof.found + moved.uncovered,
                    stored=proof.stored
                    + moved.reached
                    - expired[source]
                    - erased[source]
                    - superseded[source],
                    quarantined=quarantined,
                    dropped=proof.dropped + moved.dropped,
                    expired=expired[source] + quarantine_expired[source],
                    erased=erased[source] + quarantine_erased[source],
                    superseded=superseded[source],
                )
            )
            expected[source] = ExpectedRows(chain.spans, quarantined, is_complete=is_complete)
        self.proofs += proofs
        self.problems += _compare_with_files(primary, proofs)
        self.expected[primary.name] = expected

    def _check_references(self, primaries: Sequence[TableCut]) -> list[str]:
        """Compare the versions that commits refer to with the current ones: logs only grow."""
        problems = []
        for name, (version, where) in sorted(referenced_versions(primaries).items()):
            table = self.cut.tables.get(name)
            if table is None or table.version >= version:
                continue
            handle = call_with_retry(
                self.retry, f"opening table {name}", partial(self.lake.handle, name)
            )
            if handle.version() < version:
                problems.append(
                    f"table {name} is at version {handle.version()}, but was at {version} when "
                    f"{where} was committed: commits were removed, or the table was recreated"
                )
        return problems

    def _check_listings(self) -> None:
        """Check that the files exist."""
        for name, table in self.cut.tables.items():
            is_active = partial(is_active_file, self.lake, name)
            step = partial(check_listing, table, is_active)
            self.problems += call_with_retry(self.retry, f"listing table {name}", step)

    def _check_files(self) -> None:
        """Check the recorded hashes; for a deep verification, read the files."""
        recorded: dict[str, dict[str, RecordedFile]] = {}
        for name, table in self.cut.tables.items():
            recorded[name], problems = read_recorded_files(table.commits, table=name)
            self.problems += problems
        if not self.deep:
            return
        report = check_files(self.lake, self.cut.tables, recorded, self.options, self.retry)
        self.files_report = report
        self.problems += [p for p in report.problems if p not in self.problems]
        self.unfinished = report.unfinished
        if self.unfinished is None:
            self._check_rows(report)

    def _check_rows(self, report: FilesReport) -> None:
        """Check the laws about rows."""
        tables, rows = self.cut.tables, report.rows
        for name, expected in self.expected.items():
            if QUARANTINE_TABLE in rows:
                self.problems += find_misplaced_rows(
                    name, rows[name], rows[QUARANTINE_TABLE], expected
                )
        if LABELS_TABLE in rows:
            self.problems += find_label_row_problems(tables[LABELS_TABLE], rows[LABELS_TABLE])
        if AUDIT_TABLE in rows and self.options.audit is not None:
            self.problems += find_audit_problems(
                tables[AUDIT_TABLE], rows[AUDIT_TABLE], self.options.audit
            )


def _logged_rows(table: TableCut, count: Callable[[EntryKind, SourceRange], int]) -> int:
    """Return how many rows a table has by its commits; ``count`` returns those of one range."""
    return sum(
        count(logged.entry.kind, item) for logged in table.ledger for item in logged.entry.ranges
    )


def _quarantined_rows(kind: EntryKind, item: SourceRange) -> int:
    if kind is EntryKind.FLUSH:
        return item.quarantined
    return -rows_from_quarantine(kind, item) - rows_expired(kind, item) - rows_erased(kind, item)


def _compare_with_files(table: TableCut, proofs: Sequence[PartitionProof]) -> list[str]:
    if any(rows is None for _, _, rows in table.files.values()):
        return [f"table {table.name}: some files do not record how many rows they hold"]
    return check_row_count(table, sum(proof.stored for proof in proofs))
