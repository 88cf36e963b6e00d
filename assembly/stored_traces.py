"""Reads which assembled rows ``traces`` holds of some traces, to compare them with new ones."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from lake.parquet import PARTITION_COLUMN
from lake.tables import Table
from schemas.arrow import PROVENANCE, TABLES

TRACES_TABLE: Final = "traces"
_WITHOUT_CONTENT: Final = frozenset({*PROVENANCE.names, PARTITION_COLUMN, "revision", "_mapping"})


@dataclass(frozen=True, slots=True)
class StoredTrace:
    """An assembled row that is in the lake. ``digest`` is the hash of its content."""

    trace_id: str
    revision: int
    digest: bytes
    started_us: int
    duplicate_of: str | None


def digest_rows(rows: pa.RecordBatch) -> list[bytes]:
    """Return the hash of the content of each row of ``traces``: all but its coordinates.

    The revision and the version of the mapping do not count.
    """
    names = [name for name in rows.schema.names if name not in _WITHOUT_CONTENT]
    return [_digest(row) for row in rows.select(names).to_pylist()]


def _digest(row: Any) -> bytes:
    return blake2b(msgspec.json.encode(row, order="sorted"), digest_size=16).digest()


def read_stored_traces(
    table: Table, trace_ids: Collection[str] | None, days: tuple[date, date] | None
) -> dict[str, StoredTrace]:
    """Return the assembled row with the highest revision of each trace (None: of all) that has one.

    As of the table's last refresh, among the rows of these days (both included; None: all days).
    Raises RetryableError if the table cannot be read.
    """
    condition = pc.field("revision").is_valid()
    if trace_ids is not None:
        condition = condition & pc.field("trace_id").isin(list(trace_ids))
    if days is not None:
        day = pc.field(PARTITION_COLUMN)
        condition = condition & (day >= pa.scalar(days[0])) & (day <= pa.scalar(days[1]))
    stored: dict[str, StoredTrace] = {}
    for batch in table.batches(TABLES[TRACES_TABLE].arrow.names, condition, rows=4_096):
        columns = (
            batch["trace_id"].to_pylist(),
            batch["revision"].to_pylist(),
            digest_rows(batch),
            batch["started_at"].cast(pa.int64()).to_pylist(),
            batch["duplicate_of"].to_pylist(),
        )
        for each in map(StoredTrace, *columns):
            known = stored.get(each.trace_id)
            if known is None or known.revision < each.revision:
                stored[each.trace_id] = each
    return stored
