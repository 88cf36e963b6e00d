"""The files themselves: hashed again, and read, each on its own, several at a time.

A file is compared with the hash that the commit bears which brought it (`lake.file_hashes`). A file of a
commit from before that was done is read whole instead, which shows damage and not tampering; such
files are counted as unproved. Whether chosen to be hashed or not, the columns that the laws about
rows need are read of each file. One that cannot be read is damage; the rest is looked at all the
same.
"""

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from lake.cut import TableCut
from lake.datasets import open_dataset
from lake.file_hashes import RecordedFile
from lake.parquet import PARTITION_COLUMN
from lake.retry import Retry, call_with_retry
from lake.tables import Lake
from lake.verify_audit import AuditRules, chain_links
from schemas.arrow import AUDIT_TABLE, LABELS_TABLE, REVIEWS_TABLE, TABLES
from schemas.errors import FatalError, RetryableError
from schemas.times import format_rfc3339_seconds, from_millis

_COORDINATES: Final = ("_topic", "_partition", "_offset")
_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    LABELS_TABLE: ("label_event_id", "decided_at", "_topic", "_partition"),
    REVIEWS_TABLE: _COORDINATES,
}


@dataclass(frozen=True, slots=True)
class DeepOptions:
    """How the files are looked at.

    ``since_ms`` hashes only files of commits from then on (milliseconds since 1970), ``sample`` no
    more than so many of these, drawn with ``seed``. Without ``audit`` no chain is walked.
    ``threads`` files are in memory at a time; ``progress`` is told what is done, how many files,
    and of how many.
    """

    since_ms: int = 0
    sample: int | None = None
    seed: int = 0
    audit: AuditRules | None = None
    threads: int = 4
    progress: Callable[[str, int, int], None] = lambda _what, _done, _of: None


@dataclass(slots=True)
class FilesReport:
    """What was found. ``rows`` are columns of all rows, by table.

    ``hashed`` files are as they were written; ``unproved`` are those without a hash, by path from
    the lake on; ``passed`` were not chosen. ``unfinished`` says why not all were looked at.
    """

    hashed: int = 0
    unproved: list[str] = field(default_factory=list)
    passed: int = 0
    problems: list[str] = field(default_factory=list)
    rows: dict[str, pa.Table] = field(default_factory=dict)
    unfinished: str | None = None


class FileMovedError(RetryableError):
    """A file left its table, and was removed, before it could be read: take another cut."""


@dataclass(frozen=True, slots=True)
class _File:
    """One file to look at."""

    seen: TableCut
    path: str
    day: str
    rows: int | None
    recorded: RecordedFile
    chosen: bool

    @property
    def where(self) -> str:
        return f"{self.seen.name}/{self.path}"


@dataclass(frozen=True, slots=True)
class _Found:
    problems: Sequence[str] = ()
    rows: pa.Table | None = None


def check_files(
    lake: Lake,
    tables: Mapping[str, TableCut],
    recorded: Mapping[str, Mapping[str, RecordedFile]],
    how: DeepOptions,
    retry: Retry | None,
) -> FilesReport:
    """Look at the files of a cut, those of the oldest commits first.

    Raises MovedError. What the store does not give in time ends it, with what was found so far.
    """
    files = _chosen(tables, recorded, how)
    looked = FilesReport()
    parts: dict[str, list[pa.Table]] = defaultdict(list)
    looking = _Looking(lake, how, retry)
    for number, (file, future) in enumerate(looking.all(files)):
        at = from_millis(file.recorded.time_ms)
        how.progress(f"files of {at:%Y-%m-%d %H:%M} Z", number, len(files))
        try:
            found = future.result()
        except FileMovedError:
            raise
        except (RetryableError, FatalError) as error:
            looked.unfinished = (
                f"{error}. {number} of {len(files)} files were looked at; go on with "
                f"--deep --since {format_rfc3339_seconds(at)}"
            )
            break
        looked.problems += found.problems
        if found.rows is not None:
            parts[file.seen.name].append(found.rows)
        if not file.chosen:
            looked.passed += 1
        elif file.recorded.sha256 is None:
            looked.unproved.append(file.where)
        else:
            looked.hashed += not found.problems
    looked.rows = {name: _together(name, parts[name], how) for name in tables}
    return looked


def columns_to_check(name: str, how: DeepOptions) -> Sequence[str]:
    """Return the columns of a table that the laws about its rows need."""
    if name == AUDIT_TABLE and how.audit is not None:
        return [str(column) for column in _file_schema(name).names]
    return _COLUMNS.get(name, _COORDINATES)


def _together(name: str, parts: Sequence[pa.Table], how: DeepOptions) -> pa.Table:
    if parts:
        return pa.concat_tables(parts)
    empty = _file_schema(name).empty_table().select(list(columns_to_check(name, how)))
    return _reduced(name, empty, "", how)


def _reduced(name: str, rows: pa.Table, day: str, how: DeepOptions) -> pa.Table:
    return (
        chain_links(rows, day, how.audit) if name == AUDIT_TABLE and how.audit is not None else rows
    )


def _chosen(
    tables: Mapping[str, TableCut],
    recorded: Mapping[str, Mapping[str, RecordedFile]],
    how: DeepOptions,
) -> list[_File]:
    unknown = RecordedFile(None, 0)
    found = [
        (seen, path, *facts, recorded[name].get(path, unknown))
        for name, seen in tables.items()
        for path, facts in seen.files.items()
    ]
    found.sort(key=lambda one: (one[-1].time_ms, one[0].name, one[1]))
    young = [one for one in found if one[-1].time_ms >= how.since_ms]
    if how.sample is not None and how.sample < len(young):
        young = random.Random(how.seed).sample(young, how.sample)  # noqa: S311 - no secret
    names = {(one[0].name, one[1]) for one in young}
    return [
        _File(seen, path, day, rows, said, (seen.name, path) in names)
        for seen, path, day, _, rows, said in found
    ]


class _Looking:
    """Looks at files on some threads."""

    def __init__(self, lake: Lake, how: DeepOptions, retry: Retry | None) -> None:
        self._lake, self._how, self._retry = lake, how, retry
        self._fragments: dict[str, Mapping[str, Any]] = {}

    def all(self, files: Sequence[_File]) -> Iterator[tuple[_File, Future[_Found]]]:
        """Yield each file with what will be found of it, in their order."""
        self._fragments = {
            file.seen.name: _fragments(file.seen) for file in files if not file.chosen
        }
        pool = ThreadPoolExecutor(self._how.threads)
        try:
            futures = [pool.submit(self._one, file) for file in files]
            yield from zip(files, futures, strict=True)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _one(self, file: _File) -> _Found:
        rows = None if file.chosen else self._columns(file)
        problems: list[str] = []
        if rows is None:
            data = self._bytes(file)
            if data is None:
                return _Found([f"{file.where} is gone: put it back from a copy of the lake"])
            if file.chosen:
                problems = _hash_problems(file, data)
            try:
                rows = _read(file, data, columns_to_check(file.seen.name, self._how))
            except (pa.ArrowException, OSError, KeyError) as error:
                problems.append(
                    f"{file.where} cannot be read as Parquet ({type(error).__name__}): put it "
                    "back from a copy of the lake"
                )
                return _Found(problems)
        if file.rows is not None and len(rows) != file.rows:
            problems.append(f"{file.where} holds {len(rows)} rows, but the log says {file.rows}")
        return _Found(problems, _reduced(file.seen.name, rows, file.day, self._how))

    def _bytes(self, file: _File) -> bytes | None:
        """Return the bytes of a file, None if it is missing; MovedError if it left the table."""
        step = partial(file.seen.table.files.find, file.path)
        data = call_with_retry(self._retry, f"reading {file.where}", step)
        if data is None and not is_active_file(self._lake, file.seen.name, file.path):
            raise FileMovedError(f"{file.where} left its table and was removed meanwhile")
        return data

    def _columns(self, file: _File) -> pa.Table | None:
        """Return columns without reading the rest; None if that does not work."""
        fragment = self._fragments[file.seen.name].get(file.path)
        if fragment is None:
            return None
        name = file.seen.name
        try:
            rows = fragment.to_table(
                columns=list(columns_to_check(name, self._how)), schema=_file_schema(name)
            )
        except (pa.ArrowException, OSError, KeyError):
            return None  # the bytes as a whole tell damage from a store without an answer
        return rows


def is_active_file(lake: Lake, table: str, path: str) -> bool:
    """Tell whether a file is part of a table by now; errors as `Lake.handle`."""
    active = pa.table(lake.handle(table).get_add_actions(flatten=True))
    return path in set(active["path"].to_pylist())


def _fragments(seen: TableCut) -> Mapping[str, Any]:
    try:
        dataset = open_dataset(seen.table.handle, schema=TABLES[seen.name].arrow)
        return {fragment.path: fragment for fragment in dataset.get_fragments()}
    except (pa.ArrowException, OSError):
        return {}


def _hash_problems(file: _File, data: bytes) -> list[str]:
    expected = file.recorded.sha256
    if expected is None or hashlib.sha256(data).hexdigest() == expected:
        return []
    return [
        f"{file.where} is not the file that was committed (SHA-256): put it back from a copy of "
        "the lake"
    ]


def _read(file: _File, data: bytes, columns: Sequence[str]) -> pa.Table:
    source, schema = pa.BufferReader(data), _file_schema(file.seen.name)
    if file.recorded.sha256 is None and file.chosen:
        # Nothing else would show a broken page of a column that no law asks for.
        return pq.read_table(source, schema=schema).select(list(columns))
    return pq.read_table(source, columns=list(columns), schema=schema)


def _file_schema(name: str) -> pa.Schema:
    schema = TABLES[name].arrow
    return schema.remove(schema.get_field_index(PARTITION_COLUMN))
