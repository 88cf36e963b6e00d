"""`goldpan lake scan`: what today's policy would still replace in tables and releases, as counts.

Rows are redacted once more, in memory, and counted by where they lie, day, and the policy that they
were stored under; nothing of a row is kept. One file of a table, or one release, is in memory at a
time.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from batch.erase.table_set import refresh_files
from batch.lake_scan_records import CarrierRecord, StoredRow, wrap_release_row, wrap_row
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
"""The reason for which a row counts that is no record of the contract any more."""

_ROWS: Final = 256  # at a time
ReportProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What to look through: tables by name, days (UTC, both included), and how thoroughly.

    ``releases`` says whether releases are looked through. With ``sample`` about so many rows of
    each table and release are taken, evenly spread; with ``older`` none of today's policy.
    """

    tables: Sequence[str]
    releases: bool = True
    first: date = date.min
    last: date = date.max
    sample: int | None = None
    older: bool = False


class ScanLocation(NamedTuple):
    """Where rows lie: a table, or a release (``name@version``); their day; their policy's hash."""

    table: str
    release: str | None
    day: str
    policy: str


@dataclass(slots=True)
class ScanCounts:
    """What was found in the rows of one place. ``found_in`` counts the rows in which anything was.

    ``refused`` counts rows that the worker would set aside today, by reason.
    """

    rows: int = 0
    found_in: int = 0
    types: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, found: Sequence[RecordLeftovers]) -> bool:
        """Count one row by what is left in each of its records; return whether anything is."""
        self.rows += 1
        any_left = not all(one.nothing for one in found)
        self.found_in += any_left
        for one in found:
            self.types.update(one.types)
            if one.refused is not None:
                self.refused[one.refused] += 1
        return any_left


@dataclass(slots=True)
class TopicExtent:
    """The offsets of the rows of one topic in which something was found: both ends belong to it."""

    first: int
    last: int

    def reach(self, offset: int) -> None:
        """Widen the extent to an offset."""
        self.first, self.last = min(self.first, offset), max(self.last, offset)


@dataclass(slots=True)
class LakeScanReport:
    """All that was found. ``topics`` are by table and topic, of primary tables only.

    ``passed_over`` counts rows outside of the sample, or of today's policy where only older ones
    were asked for.
    """

    policy: str
    places: dict[ScanLocation, ScanCounts] = field(default_factory=dict)
    topics: dict[tuple[str, str], TopicExtent] = field(default_factory=dict)
    passed_over: int = 0

    @property
    def ok(self) -> bool:
        """Return whether today's policy would change nothing."""
        return not any(one.found_in for one in self.places.values())

    @property
    def rows(self) -> int:
        """Return how many rows were looked at."""
        return sum(one.rows for one in self.places.values())

    def found(self) -> list[tuple[ScanLocation, ScanCounts]]:
        """Return the places where anything was found, in order."""
        some = [(where, tally) for where, tally in self.places.items() if tally.found_in]
        return sorted(some, key=lambda one: (one[0].release or "", *one[0][::2], one[0].policy))

    def types(self) -> Counter[str]:
        """Return how many values were found in all, by type."""
        return sum((tally.types for tally in self.places.values()), Counter())

    def releases(self) -> list[str]:
        """Return the releases in which anything was found."""
        found = {where.release for where, tally in self.places.items() if tally.found_in}
        return sorted(name for name in found if name is not None)

    def tables(self) -> list[str]:
        """Return the tables in which anything was found."""
        found = {w.table for w, tally in self.places.items() if tally.found_in and not w.release}
        return sorted(found)


class LakeScanner:
    """Looks through a lake and the releases on a shelf."""

    def __init__(
        self,
        lake: Lake,
        shelf: ReleaseRepository,
        finder: LeftoverFinder,
        *,
        retry: Retry,
        progress: ReportProgress = lambda _what, _done, _of: None,
    ) -> None:
        self._lake, self._shelf, self._finder = lake, shelf, finder
        self._retry, self._progress = retry, progress

    def run(self, asked: ScanRequest) -> LakeScanReport:
        """Look through what is asked; FatalError if the lake does not answer in time."""
        report = LakeScanReport(self._finder.policy_hash)
        for name in asked.tables:
            self._table(self._lake.table(name), asked, report)
        if asked.releases:
            for name in self._shelf.names():
                for one in self._shelf.versions(name):
                    if one.published:
                        self._release(one, asked, report)
        return report

    def _table(self, table: Table, asked: ScanRequest, report: LakeScanReport) -> None:
        what = f"reading table {table.name}"
        files = self._retry.call(what, lambda: refresh_files(table))
        files = [file for file in files if asked.first <= file.day <= asked.last]
        total = sum(file.rows for file in files)
        source = _Source(table.name, None, _Pace(total, asked.sample), older=asked.older)
        for file in files:
            data = self._retry.call(what, lambda file=file: table.files.get(file.path))  # type: ignore[misc]
            for rows in _of_file(data, file):
                self._progress(f"table {table.name}", source.pace.seen, total)
                self._count(rows, source, report)

    def _release(self, one: ReleaseVersion, asked: ScanRequest, report: LakeScanReport) -> None:
        named = f"{one.name}@{one.version}"
        table = read_release_rows(self._shelf.read(one, DATA))
        source = _Source("traces", named, _Pace(len(table), asked.sample), older=asked.older)
        for batch in table.to_batches(max_chunksize=_ROWS):
            self._progress(f"release {named}", source.pace.seen, len(table))
            rows = [{**row, "day": row["started_at"].date()} for row in batch.to_pylist()]
            rows = [row for row in rows if asked.first <= row["day"] <= asked.last]
            self._count(rows, source, report)

    def _count(self, rows: Iterable[StoredRow], source: "_Source", report: LakeScanReport) -> None:
        """Look through some rows of one table or release."""
        chosen = []
        for row in rows:
            if source.pace.takes() and not (source.older and row["_policy"] == report.policy):
                chosen.append(row)
            else:
                report.passed_over += 1
        for row, found in zip(chosen, self._left(chosen, source), strict=True):
            where = ScanLocation(
                source.table, source.release, row["day"].isoformat(), row["_policy"]
            )
            if report.places.setdefault(where, ScanCounts()).add(found) and not source.release:
                _reach(report.topics, source.table, row)

    def _left(self, rows: Sequence[StoredRow], source: "_Source") -> list[list[RecordLeftovers]]:
        """Return what is left in each row, by its records."""
        found: list[list[RecordLeftovers]] = [[] for _ in rows]
        waiting: dict[RecordKind, list[tuple[int, Any]]] = {kind: [] for kind in RecordKind}
        for number, row in enumerate(rows):
            made = _carriers(row, source)
            if made is None:
                found[number].append(RecordLeftovers({}, UNREADABLE))
                continue
            for kind, record in made:
                waiting[kind].append((number, record))
        for kind, some in waiting.items():
            results = self._finder.find(kind, [record for _, record in some])
            for (number, _), left in zip(some, results, strict=True):
                found[number].append(left)
        return found


class _Pace:
    """Takes each row, or about as many of a number of rows as a sample wants, evenly spread."""

    def __init__(self, total: int, sample: int | None) -> None:
        self._step = 1 if not sample else max(1, -(-total // sample))
        self.seen = 0

    def takes(self) -> bool:
        """Tell whether the next row is taken."""
        self.seen += 1
        return (self.seen - 1) % self._step == 0


@dataclass(frozen=True, slots=True)
class _Source:
    """A table or a release under way; with ``older`` rows of today's policy are passed over."""

    table: str
    release: str | None
    pace: _Pace
    older: bool


def _of_file(data: bytes, file: LiveFile) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a file, some at a time, each with its day."""
    for batch in pq.ParquetFile(pa.BufferReader(data)).iter_batches(_ROWS):
        yield [{**row, "day": file.day} for row in batch.to_pylist()]


def _carriers(row: StoredRow, source: _Source) -> list[CarrierRecord] | None:
    """Return the records of a row, None if it is none; what was wrong may hold its content."""
    try:
        return wrap_release_row(row) if source.release else wrap_row(source.table, row)
    except (msgspec.ValidationError, KeyError, TypeError, ValueError):
        return None


def _reach(topics: dict[tuple[str, str], TopicExtent], table: str, row: Mapping[str, Any]) -> None:
    """Take down that something was found in a row, if it can be replayed."""
    if table in PRIMARY_TABLES:
        at = row["_offset"]
        topics.setdefault((table, row["_topic"]), TopicExtent(at, at)).reach(at)
