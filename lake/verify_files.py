"""Verifies data files by hashing and reading them, several at a time.

A file is compared with the hash in the commit that added it (`lake.file_hashes`). A file of a
commit without hashes is read whole instead, which detects damage and not tampering; such files are
counted as unproved. Whether a file is chosen for hashing or not, the columns that the laws about
rows need are read. A file that cannot be read is damage; the others are still checked.
"""

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import pyarrow as pa

from lake.cut import TableCut
from lake.datasets import open_dataset
from lake.file_hashes import RecordedFile
from lake.file_reader import read_file
from lake.retry import Retry, call_with_retry
from lake.table_layouts import file_schema
from lake.tables import Lake
from lake.verify_audit import AuditRules, chain_links
from schemas.arrow import (
    ANSWER_REVIEWS_TABLE,
    AUDIT_TABLE,
    JUDGEMENTS_TABLE,
    LABELS_TABLE,
    REVIEWS_TABLE,
    TABLES,
)
from schemas.errors import FatalError, RetryableError
from schemas.times import format_rfc3339_seconds, from_millis

_COORDINATES: Final = ("_topic", "_partition", "_offset", "_index")
_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    LABELS_TABLE: ("label_event_id", "decided_at", "_topic", "_partition"),
    REVIEWS_TABLE: _COORDINATES,
    JUDGEMENTS_TABLE: _COORDINATES,
    ANSWER_REVIEWS_TABLE: _COORDINATES,
}


@dataclass(frozen=True, slots=True)
class DeepOptions:
    """How the files are checked.

    Only files of commits since ``since_ms`` (milliseconds since 1970) are hashed, and of these at
    most ``sample``, drawn with ``seed``. Without ``audit`` no chain is walked. ``threads`` files
    are in memory at a time. ``progress`` is called with a text, the number of checked files and the
    total.
    """

    since_ms: int = 0
    sample: int | None = None
    seed: int = 0
    audit: AuditRules | None = None
    threads: int = 4
    progress: Callable[[str, int, int], None] = lambda _text, _checked, _total: None


@dataclass(slots=True)
class FilesReport:
    """The outcome of checking files. ``rows`` are columns of all rows, by table.

    ``hashed`` counts the files that match their hash, ``unproved`` lists those without one (paths
    in the lake), and ``passed`` counts those that were not chosen. ``unfinished`` says why not all
    were checked.
    """

    hashed: int = 0
    unproved: list[str] = field(default_factory=list)
    passed: int = 0
    problems: list[str] = field(default_factory=list)
    rows: dict[str, pa.Table] = field(default_factory=dict)
    unfinished: str | None = None


class FileMovedError(RetryableError):
    """A file left its table and was removed before it could be read: take another cut."""


@dataclass(frozen=True, slots=True)
class _File:
    """One file to check."""

    cut: TableCut
    path: str
    day: str
    rows: int | None
    recorded: RecordedFile
    chosen: bool

    @property
    def full_path(self) -> str:
        return f"{self.cut.name}/{self.path}"


@dataclass(frozen=True, slots=True)
class _FileResult:
    problems: Sequence[str] = ()
    rows: pa.Table | None = None


def check_files(
    lake: Lake,
    tables: Mapping[str, TableCut],
    recorded: Mapping[str, Mapping[str, RecordedFile]],
    options: DeepOptions,
    retry: Retry | None,
) -> FilesReport:
    """Check the files of a cut, those of the oldest commits first.

    Raises FileMovedError. If the store fails for too long, the report has what was checked so far.
    """
    files = _chosen(tables, recorded, options)
    report = FilesReport()
    parts: dict[str, list[pa.Table]] = defaultdict(list)
    checker = _FileChecker(lake, options, retry)
    for checked, (file, future) in enumerate(checker.check_all(files)):
        committed_at = from_millis(file.recorded.time_ms)
        options.progress(f"files of {committed_at:%Y-%m-%d %H:%M} Z", checked, len(files))
        try:
            result = future.result()
        except FileMovedError:
            raise
        except (RetryableError, FatalError) as error:
            report.unfinished = (
                f"{error}. {checked} of {len(files)} files were checked; continue with "
                f"--deep --since {format_rfc3339_seconds(committed_at)}"
            )
            break
        report.problems += result.problems
        if result.rows is not None:
            parts[file.cut.name].append(result.rows)
        if not file.chosen:
            report.passed += 1
        elif file.recorded.sha256 is None:
            report.unproved.append(file.full_path)
        else:
            report.hashed += not result.problems
    report.rows = {name: _concat_rows(name, parts[name], options) for name in tables}
    return report


def columns_to_check(name: str, options: DeepOptions) -> Sequence[str]:
    """Return the columns of a table that the laws about its rows need."""
    if name == AUDIT_TABLE and options.audit is not None:
        return [str(column) for column in file_schema(name).names]
    return _COLUMNS.get(name, _COORDINATES)


def _concat_rows(name: str, parts: Sequence[pa.Table], options: DeepOptions) -> pa.Table:
    if parts:
        return pa.concat_tables(parts)
    empty = file_schema(name).empty_table().select(list(columns_to_check(name, options)))
    return _reduce_rows(name, empty, "", options)


def _reduce_rows(name: str, rows: pa.Table, day: str, options: DeepOptions) -> pa.Table:
    return (
        chain_links(rows, day, options.audit)
        if name == AUDIT_TABLE and options.audit is not None
        else rows
    )


def _chosen(
    tables: Mapping[str, TableCut],
    recorded: Mapping[str, Mapping[str, RecordedFile]],
    options: DeepOptions,
) -> list[_File]:
    unrecorded = RecordedFile(None, 0)
    files = [
        _File(cut, path, day, rows, recorded[name].get(path, unrecorded), chosen=False)
        for name, cut in tables.items()
        for path, (day, _, rows) in cut.files.items()
    ]
    files.sort(key=lambda file: (file.recorded.time_ms, file.cut.name, file.path))
    recent = [file for file in files if file.recorded.time_ms >= options.since_ms]
    if options.sample is not None and options.sample < len(recent):
        recent = random.Random(options.seed).sample(recent, options.sample)  # noqa: S311 - no secret
    chosen = {(file.cut.name, file.path) for file in recent}
    return [replace(file, chosen=(file.cut.name, file.path) in chosen) for file in files]


class _FileChecker:
    """Checks files on several threads."""

    def __init__(self, lake: Lake, options: DeepOptions, retry: Retry | None) -> None:
        self._lake, self._options, self._retry = lake, options, retry
        self._fragments: dict[str, Mapping[str, Any]] = {}

    def check_all(self, files: Sequence[_File]) -> Iterator[tuple[_File, Future[_FileResult]]]:
        """Yield each file with its future result, in order."""
        self._fragments = {file.cut.name: _fragments(file.cut) for file in files if not file.chosen}
        pool = ThreadPoolExecutor(self._options.threads)
        try:
            futures = [pool.submit(self._check, file) for file in files]
            yield from zip(files, futures, strict=True)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _check(self, file: _File) -> _FileResult:
        rows = None if file.chosen else self._columns(file)
        problems: list[str] = []
        if rows is None:
            data = self._bytes(file)
            if data is None:
                return _FileResult(
                    [f"{file.full_path} is missing: restore it from a copy of the lake"]
                )
            if file.chosen:
                problems = _hash_problems(file, data)
            try:
                rows = _read(file, data, columns_to_check(file.cut.name, self._options))
            except (pa.ArrowException, OSError, KeyError) as error:
                problems.append(
                    f"{file.full_path} cannot be read as Parquet ({type(error).__name__}): restore "
                    "it from a copy of the lake"
                )
                return _FileResult(problems)
        if file.rows is not None and len(rows) != file.rows:
            problems.append(
                f"{file.full_path} holds {len(rows)} rows, but the log says {file.rows}"
            )
        return _FileResult(problems, _reduce_rows(file.cut.name, rows, file.day, self._options))

    def _bytes(self, file: _File) -> bytes | None:
        """Return the bytes of a file, None if it is missing; raise FileMovedError if it left."""
        step = partial(file.cut.table.files.find, file.path)
        data = call_with_retry(self._retry, f"reading {file.full_path}", step)
        if data is None and not is_active_file(self._lake, file.cut.name, file.path):
            raise FileMovedError(f"{file.full_path} left its table and was removed")
        return data

    def _columns(self, file: _File) -> pa.Table | None:
        """Return columns without reading the rest; None if that fails."""
        fragment = self._fragments[file.cut.name].get(file.path)
        if fragment is None:
            return None
        name = file.cut.name
        try:
            rows = fragment.to_table(
                columns=list(columns_to_check(name, self._options)), schema=file_schema(name)
            )
        except (pa.ArrowException, OSError, KeyError):
            return None  # reading all bytes distinguishes damage from an outage of the store
        return rows


def is_active_file(lake: Lake, table: str, path: str) -> bool:
    """Return whether a file is part of a table now; errors as `Lake.handle`."""
    active = pa.table(lake.handle(table).get_add_actions(flatten=True))
    return path in set(active["path"].to_pylist())


def _fragments(cut: TableCut) -> Mapping[str, Any]:
    try:
        dataset = open_dataset(cut.table.handle, schema=TABLES[cut.name].arrow)
        return {fragment.path: fragment for fragment in dataset.get_fragments()}
    except (pa.ArrowException, OSError):
        return {}


def _hash_problems(file: _File, data: bytes) -> list[str]:
    expected = file.recorded.sha256
    if expected is None or hashlib.sha256(data).hexdigest() == expected:
        return []
    return [
        f"{file.full_path} is not the file that was committed (SHA-256): restore it from a copy of "
        "the lake"
    ]


def _read(file: _File, data: bytes, columns: Sequence[str]) -> pa.Table:
    if file.recorded.sha256 is None and file.chosen:
        # Nothing else would detect a broken page of a column that no law needs.
        return read_file(data, file.cut.name).select(list(columns))
    return read_file(data, file.cut.name, columns)
