"""The proof, from the transaction logs, that every record is in the lake exactly once.

It reaches up to the position of each partition: what the topics hold beyond these, Kafka alone can
say (`stream.coverage`), and of a partition that was never begun nothing is said at all.

All is read in one cut (`lake.cut`). For each source partition the ranges hold
(`lake.verify_ranges`), the number of rows in the files is the number that the ranges stored, and
quarantine holds what the ranges say was set aside. Rows that have expired, or were erased, are
counted by the commits that took them out. For labels see `lake.verify_labels`, for what commits say
of other tables `lake.cross_references`, for the files that must lie there `lake.verify_listing`. A deep proof looks
into the files (`lake.verify_files`), and walks the audit (`lake.verify_audit`).

What is wrong is a problem, found at once; what cannot be read for now leaves the proof unfinished.
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
from lake.tables import TABLE_LAYOUTS, Lake
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
    group_by_source,
    range_chains,
)
from lake.verify_rows import ExpectedRows, find_misplaced_rows
from schemas.arrow import (
    AUDIT_TABLE,
    LABELS_TABLE,
    PRIMARY_TABLES,
    QUARANTINE_TABLE,
    REVIEWS_TABLE,
)
from schemas.errors import FatalError, RetryableError

_CUTS: Final = 5  # taken at most, where files are removed all the time
_QUICK: Final = DeepOptions()


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The outcome of a verification; ``problems`` is empty exactly if all laws hold.

    ``versions`` are those of the tables that were read, by name. ``files`` is what a look into them
    found, None without one. ``unfinished`` says what could not be read, None if all could.
    """

    partitions: Sequence[PartitionProof]
    problems: Sequence[str]
    versions: Mapping[str, int] = field(default_factory=dict)
    head: LakeHead | None = None
    files: FilesReport | None = None
    unfinished: str | None = None

    @property
    def ok(self) -> bool:
        """Return whether everything holds."""
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
    how: DeepOptions = _QUICK,
    since: LakeHead | None = None,
    retry: Retry | None = None,
) -> VerifyReport:
    """Check every law on every table.

    ``deep`` also looks into the files, as ``how`` says. ``since`` is a head of before, which the
    tables must continue.

    Raises FatalError if there is no lake, and no head that says that there was one. A store that
    does not answer in the time that ``retry`` allows leaves the report unfinished; without one, it
    raises RetryableError.
    """
    left = _CUTS
    while True:
        left -= 1
        try:
            cut = take_cut(lake, retry)
            if since is None and len(cut.missing) == len(TABLE_LAYOUTS) and not cut.problems:
                lake.table(next(iter(TABLE_LAYOUTS)))  # says that none is there
            return _Proof(lake, cut, deep, how, since, retry).report()
        except FileMovedError:
            if not left:
                raise


class _Proof:
    """One attempt, over one cut; gathers what it finds."""

    def __init__(  # noqa: PLR0913, PLR0917 - what `verify_lake` was given
        self,
        lake: Lake,
        cut: LakeCut,
        deep: bool,  # noqa: FBT001
        how: DeepOptions,
        since: LakeHead | None,
        retry: Retry | None,
    ) -> None:
        self.lake, self.cut, self.retry = lake, cut, retry
        self.deep, self.how, self.since = deep, how, since
        self.problems: list[str] = list(cut.problems)
        self.proofs: list[PartitionProof] = []
        self.unfinished = cut.unfinished
        self.looked: FilesReport | None = None
        self.expected: dict[str, dict[SourcePartition, ExpectedRows]] = {}

    def report(self) -> VerifyReport:
        """Check everything; MovedError if a file went while it was wanted."""
        for step in (self._logs, self._laid, self._files):
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
            self.looked,
            self.unfinished,
        )

    def _logs(self) -> None:
        """Check what the logs say against one another."""
        tables = self.cut.tables
        primaries = [tables[name] for name in PRIMARY_TABLES if name in tables]
        aside = tables.get(QUARANTINE_TABLE)
        for seen in primaries:
            self._primary(seen, aside)
        if aside is not None:
            self.problems += [
                *check_positions(aside),
                *check_row_count(aside, _told(aside, _aside)),
            ]
        if LABELS_TABLE in tables and len(primaries) == len(PRIMARY_TABLES):
            ends = {
                SourcePartition(proof.topic, proof.partition): proof.end for proof in self.proofs
            }
            self.problems += find_label_problems(tables[LABELS_TABLE], ends)
        for name in (AUDIT_TABLE, REVIEWS_TABLE):
            if name in tables:
                self.problems += check_row_count(tables[name], _told(tables[name], rows_added))
        if AUDIT_TABLE in tables:
            self.problems += check_positions(tables[AUDIT_TABLE])
            self.problems += promised_audit(primaries, tables[AUDIT_TABLE])
        self.problems += self._promised(primaries)
        if self.since is not None:
            self.problems += heads.check_continues_head(self.since, self.cut)

    def _primary(self, seen: TableCut, aside: TableCut | None) -> None:
        """Check one primary table, and quarantine as far as it is about its topics."""
        chains, found = range_chains(seen)
        self.problems += found
        moved_of, (old, forgotten) = (
            count_redriven(seen.ledger),
            count_expired_and_erased(seen.ledger),
        )
        set_aside = group_by_source(aside.ledger) if aside else {}
        old_aside, forgotten_aside = count_expired_and_erased(aside.ledger if aside else [])
        positions = aside.positions(list(chains)) if aside else {}
        whole = seen.whole and aside is not None and aside.whole
        mine: list[PartitionProof] = []
        for source, chain in chains.items():
            self.problems += chain.problems
            moved, proof = moved_of.get(source, 0), chain.proof
            if aside and (positions[source] or 0) < proof.end:
                self.problems.append(
                    f"{source}: the position in quarantine is {positions[source]}, behind "
                    f"{proof.end} in table {seen.name}: it is committed first and cannot be behind"
                )
            if whole:
                self.problems += check_quarantine(chain, set_aside.get(source, []), moved)
            left = old_aside[source] + forgotten_aside[source]
            mine.append(
                replace(
                    proof,
                    stored=proof.stored + moved - old[source] - forgotten[source],
                    quarantined=proof.quarantined - moved - left,
                    expired=old[source] + old_aside[source],
                    erased=forgotten[source] + forgotten_aside[source],
                )
            )
        self.proofs += mine
        self.problems += _against_files(seen, mine)
        self.expected[seen.name] = {
            source: ExpectedRows(
                chain.spans,
                chain.proof.quarantined
                - moved_of.get(source, 0)
                - old_aside[source]
                - forgotten_aside[source],
                whole=whole,
            )
            for source, chain in chains.items()
        }

    def _promised(self, primaries: Sequence[TableCut]) -> list[str]:
        """Compare the versions that commits speak of with those of now: logs only grow."""
        problems = []
        for name, (version, where) in sorted(referenced_versions(primaries).items()):
            seen = self.cut.tables.get(name)
            if seen is None or seen.version >= version:
                continue
            handle = call_with_retry(
                self.retry, f"opening table {name}", partial(self.lake.handle, name)
            )
            if handle.version() < version:
                problems.append(
                    f"table {name} is at version {handle.version()}, but was at {version} when "
                    f"{where} was committed: commits were taken away, or the table was made again"
                )
        return problems

    def _laid(self) -> None:
        """Check that the files lie there."""
        for name, seen in self.cut.tables.items():
            here = partial(is_active_file, self.lake, name)
            step = partial(check_listing, seen, here)
            self.problems += call_with_retry(self.retry, f"listing table {name}", step)

    def _files(self) -> None:
        """Check what the logs say of hashes, and, for a deep proof, look into the files."""
        said: dict[str, dict[str, RecordedFile]] = {}
        for name, seen in self.cut.tables.items():
            said[name], found = read_recorded_files(seen.commits, table=name)
            self.problems += found
        if not self.deep:
            return
        self.looked = check_files(self.lake, self.cut.tables, said, self.how, self.retry)
        self.problems += [p for p in self.looked.problems if p not in self.problems]
        self.unfinished = self.looked.unfinished
        if self.unfinished is None:
            self._rows(self.looked)

    def _rows(self, looked: FilesReport) -> None:
        """Check the laws about rows."""
        tables, rows = self.cut.tables, looked.rows
        for name, expected in self.expected.items():
            if QUARANTINE_TABLE in rows:
                self.problems += find_misplaced_rows(
                    name, rows[name], rows[QUARANTINE_TABLE], expected
                )
        if LABELS_TABLE in rows:
            self.problems += find_label_row_problems(tables[LABELS_TABLE], rows[LABELS_TABLE])
        if AUDIT_TABLE in rows and self.how.audit is not None:
            self.problems += find_audit_problems(
                tables[AUDIT_TABLE], rows[AUDIT_TABLE], self.how.audit
            )


def _told(seen: TableCut, brings: Callable[[EntryKind, SourceRange], int]) -> int:
    """Return how many rows a table has by its commits; ``brings`` says how many a range brought."""
    return sum(
        brings(logged.entry.kind, item) for logged in seen.ledger for item in logged.entry.ranges
    )


def _aside(kind: EntryKind, item: SourceRange) -> int:
    if kind is EntryKind.FLUSH:
        return item.quarantined
    return -rows_from_quarantine(kind, item) - rows_expired(kind, item) - rows_erased(kind, item)


def _against_files(seen: TableCut, proofs: Sequence[PartitionProof]) -> list[str]:
    if any(rows is None for _, _, rows in seen.files.values()):
        return [f"table {seen.name}: some files do not say how many rows they hold"]
    stored = sum(p.stored for p in proofs)
    if seen.rows == stored or not seen.whole:
        return []
    return [f"table {seen.name}: its files hold {seen.rows} rows, but its commits stored {stored}"]
