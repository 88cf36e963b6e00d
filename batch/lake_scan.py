"""`goldpan lake scan`: counts what today's policy would still replace in tables and releases.

Rows are redacted again in memory, and the results counted by location, day, and the policy that the
rows were stored under; no content is kept. One file of a table, or one release, is in memory at a
time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from batch.erase.table_set import refresh_files
from batch.lake_scan_records import CarrierRecord, StoredRow, wrap_release_row, wrap_row
from batch.progress import ReportProgress, no_progress
from batch.release.format.files import DATA
from batch.release.format.reader import read_release_rows
from batch.release.publish.repository import ReleaseRepository, ReleaseVersion
from lake.live_files import LiveFile
from lake.retry import Retry
from lake.tables import Lake, Table
from redact.reports.leftovers import LeftoverFinder, RecordLeftovers
from schemas.arrow import PRIMARY_TABLES
from schemas.record_batches import RecordKind

UNREADABLE: Final = "unreadable"
"""The reason of rows that are no longer valid records of the contract."""

_ROWS_PER_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What to scan: tables by name, days (UTC, both included), and how thoroughly.

    ``releases``: scan releases too. ``sample``: scan about this many rows of each table and
    release, evenly spread. ``older``: skip the rows stored under today's policy.
    """

    tables: Sequence[str]
    releases: bool = True
    first: date = date.min
    last: date = date.max
    sample: int | None = None
    older: bool = False


class ScanLocation(NamedTuple):
    """The location of rows: a table, or a release (``name@version``); day; hash of the policy."""

    table: str
    release: str | None
    day: str
    policy: str


@dataclass(slots=True)
class ScanCounts:
    """The findings in the rows of one location. ``rows_found`` counts the rows with findings.

    ``refused`` counts rows that the worker would quarantine today, by reason.
    """

    rows: int = 0
    rows_found: int = 0
    types: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, records: Sequence[RecordLeftovers]) -> bool:
        """Count one row by the leftovers in each of its records; return whether there are any."""
        self.rows += 1
        has_findings = not all(leftovers.nothing for leftovers in records)
        self.rows_found += has_findings
        for leftovers in records:
            self.types.update(leftovers.types)
            if leftovers.refused is not None:
                self.refused[leftovers.refused] += 1
        return has_findings


@dataclass(slots=True)
class TopicExtent:
    """The first and the last offset of the rows of one topic with findings."""

    first: int
    last: int

    def extend(self, offset: int) -> None:
        """Extend the extent to an offset."""
        self.first, self.last = min(self.first, offset), max(self.last, offset)


@dataclass(slots=True)
class LakeScanReport:
    """The result of a scan. ``topics`` are by table and topic, of primary tables only.

    ``passed_over`` counts the rows outside of the sample, and those of today's policy where only
    older rows were requested.
    """

    policy: str
    counts: dict[ScanLocation, ScanCounts] = field(default_factory=dict)
    topics: dict[tuple[str, str], TopicExtent] = field(default_factory=dict)
    passed_over: int = 0

    @property
    def ok(self) -> bool:
        """Return whether today's policy would change nothing."""
        return not any(counts.rows_found for counts in self.counts.values())

    @property
    def rows(self) -> int:
        """Return how many rows were scanned."""
        return sum(counts.rows for counts in self.counts.values())

    def findings(self) -> list[tuple[ScanLocation, ScanCounts]]:
        """Return the locations with findings, in order."""
        locations = [item for item in self.counts.items() if item[1].rows_found]
        return sorted(
            locations, key=lambda item: (item[0].release or "", *item[0][::2], item[0].policy)
        )

    def types(self) -> Counter[str]:
        """Return how many values were found in total, by type."""
        return sum((counts.types for counts in self.counts.values()), Counter())

    def releases(self) -> list[str]:
        """Return the releases with findings."""
        releases = {location.release for location, _ in self.findings()}
        return sorted(name for name in releases if name is not None)

    def tables(self) -> list[str]:
        """Return the tables with findings."""
        return sorted({location.table for location, _ in self.findings() if not location.release})


class LakeScanner:
    """Scans the tables of a lake and its releases."""

    def __init__(
        self,
        lake: Lake,
        repository: ReleaseRepository,
        finder: LeftoverFinder,
        *,
        retry: Retry,
        progress: ReportProgress = no_progress,
    ) -> None:
        self._lake, self._repository, self._finder = lake, repository, finder
        self._retry, self._progress = retry, progress

    def run(self, request: ScanRequest) -> LakeScanReport:
        """Scan what is requested; FatalError if the lake does not answer in time."""
        report = LakeScanReport(self._finder.policy_hash)
        for name in request.tables:
            self._scan_table(self._lake.table(name), request, report)
        if request.releases:
            for name in self._repository.names():
                for version in self._repository.versions(name):
                    if version.published:
                        self._scan_release(version, request, report)
        return report

    def _scan_table(self, table: Table, request: ScanRequest, report: LakeScanReport) -> None:
        what = f"reading table {table.name}"
        files = self._retry.call(what, lambda: refresh_files(table))
        files = [file for file in files if request.first <= file.day <= request.last]
        total = sum(file.rows for file in files)
        source = _RowSource(table.name, None, _Sampling(total, request.sample), request.older)
        for file in files:
            data = self._retry.call(what, partial(table.files.get, file.path))
            for rows in _read_batches(data, file):
                self._progress(f"table {table.name}", source.sampling.rows, total)
                self._scan_rows(rows, source, report)

    def _scan_release(
        self, version: ReleaseVersion, request: ScanRequest, report: LakeScanReport
    ) -> None:
        reference = f"{version.name}@{version.version}"
        table = read_release_rows(self._repository.read(version, DATA))
        sampling = _Sampling(len(table), request.sample)
        source = _RowSource("traces", reference, sampling, request.older)
        for batch in table.to_batches(max_chunksize=_ROWS_PER_BATCH):
            self._progress(f"release {reference}", sampling.rows, len(table))
            rows = [{**row, "day": row["started_at"].date()} for row in batch.to_pylist()]
            rows = [row for row in rows if request.first <= row["day"] <= request.last]
            self._scan_rows(rows, source, report)

    def _scan_rows(
        self, rows: Iterable[StoredRow], source: "_RowSource", report: LakeScanReport
    ) -> None:
        """Scan some rows of one table or release."""
        selected = []
        for row in rows:
            if source.sampling.next() and not (source.older and row["_policy"] == report.policy):
                selected.append(row)
            else:
                report.passed_over += 1
        for row, records in zip(selected, self._find_leftovers(selected, source), strict=True):
            location = ScanLocation(
                source.table, source.release, row["day"].isoformat(), row["_policy"]
            )
            counts = report.counts.setdefault(location, ScanCounts())
            if counts.add(records) and not source.release:
                _extend_topic(report.topics, source.table, row)

    def _find_leftovers(
        self, rows: Sequence[StoredRow], source: "_RowSource"
    ) -> list[list[RecordLeftovers]]:
        """Return the leftovers in each row, by its records."""
        by_row: list[list[RecordLeftovers]] = [[] for _ in rows]
        by_kind: dict[RecordKind, list[tuple[int, Any]]] = {kind: [] for kind in RecordKind}
        for index, row in enumerate(rows):
            records = _wrap(row, source)
            if records is None:
                by_row[index].append(RecordLeftovers({}, UNREADABLE))
                continue
            for kind, record in records:
                by_kind[kind].append((index, record))
        for kind, indexed in by_kind.items():
            results = self._finder.find(kind, [record for _, record in indexed])
            for (index, _), leftovers in zip(indexed, results, strict=True):
                by_row[index].append(leftovers)
        return by_row


class _Sampling:
    """Selects all of ``total`` rows, or about as many as a sample has, evenly spread."""

    def __init__(self, total: int, sample: int | None) -> None:
        self._step = 1 if not sample else max(1, -(-total // sample))
        self.rows = 0

    def next(self) -> bool:
        """Return whether the next row is selected."""
        self.rows += 1
        return (self.rows - 1) % self._step == 0


@dataclass(frozen=True, slots=True)
class _RowSource:
    """The table or release being scanned; with ``older`` rows of today's policy are skipped."""

    table: str
    release: str | None
    sampling: _Sampling
    older: bool


def _read_batches(data: bytes, file: LiveFile) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a file in batches, each with its day."""
    for batch in pq.ParquetFile(pa.BufferReader(data)).iter_batches(_ROWS_PER_BATCH):
        yield [{**row, "day": file.day} for row in batch.to_pylist()]


def _wrap(row: StoredRow, source: _RowSource) -> list[CarrierRecord] | None:
    """Return a row as records, None if it is invalid; the error may quote its content."""
    try:
        return wrap_release_row(row) if source.release else wrap_row(source.table, row)
    except (msgspec.ValidationError, KeyError, TypeError, ValueError):
        return None


def _extend_topic(
    topics: dict[tuple[str, str], TopicExtent], table: str, row: Mapping[str, Any]
) -> None:
    """Record that a row has findings, if it can be replayed: if it came from a topic."""
    if table in PRIMARY_TABLES and not row["_topic"].startswith("#"):
        offset = row["_offset"]
        topics.setdefault((table, row["_topic"]), TopicExtent(offset, offset)).extend(offset)
