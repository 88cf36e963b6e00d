"""Reads all rows of some traces from files of ``otel_spans``, within bounded memory."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from typing import Any, Final, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake.parquet import PARTITION_COLUMN
from lake.tables import Table
from otel.span_selection import MAX_ITEMS, ItemKey, SpanSelection
from schemas.arrow import PROVENANCE, SPANS_TABLE, TABLES
from schemas.times import to_micros

StoredRow: TypeAlias = Mapping[str, Any]
"""A row of ``otel_spans``: its columns by name."""

MOST_ITEMS: Final = MAX_ITEMS
_BATCH_ROWS: Final = 4_096
_UNREAD: Final = frozenset({PARTITION_COLUMN, "_schema", "_policy"})
_COLUMNS: Final = tuple(n for n in TABLES[SPANS_TABLE].arrow.names if n not in _UNREAD)
_COORDINATES: Final = frozenset(PROVENANCE.names)
_BODY: Final = ("attributes", "resource", "body")


@dataclass(frozen=True)
class SpanRows:
    """The rows of one trace. ``cut``: it has so many that some were left out."""

    rows: tuple[StoredRow, ...]
    cut: bool


def read_trace_rows(
    table: Table, paths: Iterable[str], trace_ids: Collection[str]
) -> dict[str, SpanRows]:
    """Return the rows of traces in files, by trace id; those without any row are not in it.

    Raises RetryableError or FatalError if the store cannot be read.
    """
    return collect_rows(
        batch for path in sorted(paths) for batch in _read_file(table, path, trace_ids)
    )


def find_trace_rows(
    table: Table, trace_ids: Collection[str], days: tuple[date, date] | None
) -> dict[str, SpanRows]:
    """Return the rows of traces that began on these days (both included), wherever they are.

    As of the table's last refresh; reads the trace ids of all these days. None: of all days.
    Raises RetryableError if the table cannot be read.
    """
    condition = pc.field("trace_id").isin(list(trace_ids))
    if days is not None:
        day = pc.field(PARTITION_COLUMN)
        condition = condition & (day >= pa.scalar(days[0])) & (day <= pa.scalar(days[1]))
    return collect_rows(table.batches(_COLUMNS, condition, rows=_BATCH_ROWS))


def collect_rows(batches: Iterable[pa.RecordBatch]) -> dict[str, SpanRows]:
    """Return rows by trace. Of a trace with very many rows its first and last ones are kept."""
    selections: dict[str, SpanSelection[StoredRow]] = {}
    for batch in batches:
        for row in batch.to_pylist():
            selection = selections.get(row["trace_id"])
            if selection is None:
                selection = selections[row["trace_id"]] = SpanSelection(
                    _key_of, max_items=MOST_ITEMS
                )
            selection.add(row, _size_of(row))
    return {
        trace_id: SpanRows(tuple(selection), selection.cut)
        for trace_id, selection in selections.items()
    }


def _read_file(table: Table, path: str, trace_ids: Collection[str]) -> Iterator[pa.RecordBatch]:
    schema = TABLES[SPANS_TABLE].arrow
    ids = pa.array(list(trace_ids), pa.string())
    file = pq.ParquetFile(pa.BufferReader(table.files.get(path)))
    # A file from before an upgrade lacks columns that were added since.
    present = [name for name in _COLUMNS if name in file.schema_arrow.names]
    read = pa.schema([schema.field(name) for name in present])
    for batch in file.iter_batches(_BATCH_ROWS, columns=present):
        # Files that delta-rs has rewritten hold text as views.
        rows = pa.Table.from_batches([batch]).select(present).cast(read)
        mine = rows.filter(pc.is_in(rows["trace_id"], value_set=ids))
        yield from mine.to_batches()


def _size_of(row: StoredRow) -> int:
    size = 256 + sum(len(row[name] or "") for name in _BODY)
    nested = [*(row["events"] or ()), *(row["links"] or ())]
    return size + sum(len(item["attributes"] or "") for item in nested)


def _key_of(row: StoredRow) -> ItemKey:
    """Return the place of a row in its trace: its time, its span, and the hash of its content."""
    content = {name: value for name, value in row.items() if name not in _COORDINATES}
    body = msgspec.json.encode(content, order="sorted")
    start = row["start_time_unix_nano"] or to_micros(row["started_at"]) * 1000
    return start, row["span_id"] or "", blake2b(body, digest_size=16).digest()
