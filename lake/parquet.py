"""Encodes redacted rows as Parquet files, one per day of event time, with statistics.

Names are deterministic: the content of a file determines its name. A buffer written twice gives the
same names and bytes, so a repeated upload changes nothing, and committing a path that is already in
the table adds no row.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b, sha256
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake.ledger import SourceRange
from schemas.arrow import EVENT_DATE
from schemas.redacted import Redacted

ROW_GROUP_BYTES = 64 * 1024 * 1024
BOUND_CHARACTERS = 32  # for a longer text the statistics hold a prefix, which is a bound too
_LAST_CHARACTER = "\U0010ffff"
_LAST_TIME = datetime.max.replace(tzinfo=UTC)
PARTITION_COLUMN = EVENT_DATE


@dataclass(frozen=True, slots=True)
class DataFile:
    """An encoded file that has not been uploaded.

    ``stats`` is Delta's JSON of statistics, ``sha256`` the hash of ``data`` as hex digits.
    """

    path: str
    data: memoryview
    rows: int
    day: date
    stats: str
    sha256: str

    @property
    def size(self) -> int:
        """Return the size in bytes."""
        return len(self.data)


@dataclass(frozen=True, slots=True)
class TableLayout:
    """How a table's columns are encoded.

    ``dictionary`` names columns with few values, ``statistics`` those that queries prune by. For
    the others (free text) both would cost time and space, and help no query. Statistics of a named
    column must never be missing: delta-rs treats a missing bound as matching nothing. ``pruned``
    names columns that may be null throughout: only the files themselves have their statistics.
    """

    dictionary: Sequence[str]
    statistics: Sequence[str]
    pruned: Sequence[str] = ()
    compression_level: int = 1


def coverage_name(ranges: Sequence[SourceRange]) -> str:
    """Return a short name for a set of ranges, the same in any order."""
    body = "\n".join(sorted(f"{r.topic}/{r.partition}/{r.start}/{r.end}" for r in ranges))
    return blake2b(body.encode(), digest_size=8).hexdigest()


def encode_files(
    batches: Sequence[Redacted[pa.RecordBatch]],
    *,
    ranges: Sequence[SourceRange],
    layout: TableLayout,
) -> list[DataFile]:
    """Encode batches of one schema into one file per day, in order of days.

    The rows keep their order. No batches give no files.
    """
    if not batches:
        return []
    table = pa.Table.from_batches([sealed.value for sealed in batches])
    days = sorted(pc.unique(table[PARTITION_COLUMN]).to_pylist())
    name = coverage_name(ranges)
    files = []
    for day in days:
        rows = table
        if len(days) > 1:
            rows = table.filter(pc.equal(table[PARTITION_COLUMN], pa.scalar(day, pa.date32())))
        if len(rows):
            files.append(encode_day(rows.drop_columns([PARTITION_COLUMN]), day, name, layout))
    return files


def encode_day(rows: pa.Table, day: date, name: str, layout: TableLayout) -> DataFile:
    """Encode rows of one day, without the column of the day, into a file ``<name>-<content>``."""
    sink = pa.BufferOutputStream()
    groups = max(1, rows.nbytes // ROW_GROUP_BYTES)
    with pq.ParquetWriter(
        sink,
        rows.schema,
        compression="zstd",
        compression_level=layout.compression_level,
        use_dictionary=list(layout.dictionary),
        write_statistics=[*layout.statistics, *layout.pruned],
        store_schema=False,
    ) as writer:
        writer.write_table(rows, row_group_size=max(1, -(-len(rows) // groups)))
    data = memoryview(sink.getvalue())
    digest = blake2b(data, digest_size=6).hexdigest()
    path = f"{PARTITION_COLUMN}={day.isoformat()}/{name}-{digest}.parquet"
    # Without escapes: delta-rs reads a pair such as \ud842\udfb7 as a lesser character than it is.
    found = _statistics(rows, layout.statistics)
    stats = json.dumps(found, separators=(",", ":"), ensure_ascii=False)
    return DataFile(
        path=path, data=data, rows=len(rows), day=day, stats=stats, sha256=sha256(data).hexdigest()
    )


def _statistics(rows: pa.Table, columns: Sequence[str]) -> dict[str, Any]:
    lows: dict[str, Any] = {}
    highs: dict[str, Any] = {}
    for name in columns:
        bounds = pc.min_max(rows[name]).as_py()
        lows[name], highs[name] = _json_low(bounds["min"]), _json_high(bounds["max"])
    return {
        "numRecords": len(rows),
        "minValues": lows,
        "maxValues": highs,
        "nullCount": {name: rows[name].null_count for name in columns},
    }


def _json_low(value: Any) -> Any:
    """Return a lower bound as Delta writes it: times to the millisecond, rounded down."""
    if isinstance(value, str):
        return value[:BOUND_CHARACTERS]
    return _iso(value) if isinstance(value, datetime) else value


def _json_high(value: Any) -> Any:
    """Return an upper bound: a time is rounded up to the next millisecond.

    A time in the last millisecond of the year 9999, the end of the calendar, keeps its
    microseconds.
    """
    if isinstance(value, str):
        return _text_high(value)
    if not isinstance(value, datetime):
        return value
    up = timedelta(microseconds=-value.microsecond % 1000)
    if value > _LAST_TIME - up:
        return f"{value:%Y-%m-%dT%H:%M:%S.%f}Z"
    return _iso(value + up)


def _text_high(text: str) -> str:
    """Return a text not below ``text``: itself, or a prefix with the last code point appended.

    The order is that of code points, which is the order of the bytes in UTF-8.
    """
    end = BOUND_CHARACTERS
    while end < len(text) and text[end] == _LAST_CHARACTER:
        end += 1
    return text if end >= len(text) else text[:end] + _LAST_CHARACTER


def _iso(value: datetime) -> str:
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"


def partition_values(day: date) -> Mapping[str, str]:
    """Return the Delta partition values of a file of one day."""
    return {PARTITION_COLUMN: day.isoformat()}
