"""The audit trail: what redaction did to each record, without any value or unkeyed hash.

A row holds the coordinates, the policy, the replacements by type, operator and position in the
output, how much was scanned, and a keyed fingerprint of the original record. Each row carries the
hash of the previous row, so that no row can be changed or removed without breaking the chain.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from schemas.arrow import TABLES, TIMESTAMP_US
from schemas.columns import record_arrays
from schemas.redacted import Redacted
from schemas.times import day_of_micros

_BLANK: Final[Mapping[str, Any]] = {
    "fingerprint": None,
    "characters_scanned": 0,
    "counts": [],
    "positions": [],
}


class AuditReplacement(msgspec.Struct, frozen=True, gc=False):
    """One replacement: the path of its field, and its position in the output (in characters)."""

    path: str
    type: str
    operator: str
    start: int
    end: int


class AuditCount(msgspec.Struct, frozen=True, gc=False):
    """How often an operator was applied to a type; `keep` counts findings left unchanged."""

    type: str
    operator: str
    count: int


class AuditEntry(msgspec.Struct, frozen=True, gc=False):
    """What was done to one record, or to one ``item`` of it.

    ``kept`` counts the findings left unchanged, if requested.
    """

    topic: str
    partition: int
    offset: int
    fingerprint: str | None
    characters: int
    positions: tuple[AuditReplacement, ...]
    kept: tuple[AuditCount, ...] = ()
    item: int | None = None

    @property
    def counts(self) -> list[AuditCount]:
        """Return the number of findings by type and operator, sorted."""
        totals: dict[tuple[str, str], int] = {}
        for entry in self.positions:
            what = entry.type, entry.operator
            totals[what] = totals.get(what, 0) + 1
        replaced = [AuditCount(*what, count) for what, count in sorted(totals.items())]
        if not self.kept:
            return replaced
        return sorted([*replaced, *self.kept], key=lambda entry: (entry.type, entry.operator))


class _Row(msgspec.Struct, frozen=True, gc=False):
    """A row of the table ``redactions``, as in the contract."""

    fingerprint: str | None
    characters_scanned: int
    counts: list[AuditCount]
    positions: tuple[AuditReplacement, ...]
    previous: str
    chain: str


def build_audit_rows(
    entries: Sequence[AuditEntry], *, policy: str, ingested_at: int, previous: str
) -> tuple[Redacted[pa.RecordBatch], str]:
    """Return rows of ``redactions``, and the hash that the next batch continues from.

    ``previous`` is the ``chain`` of the row before, or the result of `chain_start`;
    ``ingested_at`` in microseconds since 1970 (UTC).
    """
    rows: list[_Row] = []
    for entry in entries:
        counts = entry.counts
        row = {
            "_topic": entry.topic,
            "_partition": entry.partition,
            "_offset": entry.offset,
            "_ingested_at": ingested_at,
            "_policy": policy,
            "fingerprint": entry.fingerprint,
            "characters_scanned": entry.characters,
            "counts": counts,
            "positions": entry.positions,
        }
        if entry.item is not None:
            row["_index"] = entry.item
        chain = chain_hash(row, previous)
        rows.append(
            _Row(entry.fingerprint, entry.characters, counts, entry.positions, previous, chain)
        )
        previous = chain
    return Redacted(_record_batch(entries, rows, policy, ingested_at), policy), previous


def chain_start(topic: str, starts: Mapping[int, int]) -> str:
    """Return the hash that a chain starts with: a hash of its start offsets by partition."""
    return _hash([topic, sorted(starts.items())])


def chain_hash(row: Mapping[str, Any], previous: str) -> str:
    """Return the hash of a row (without `previous`, `chain` and the date) and the previous hash.

    It is SHA-256 over both as JSON, with sorted names and without white space. ``_index`` is left
    out where it is null: rows of before it existed have none.
    """
    if "_index" in row and row["_index"] is None:
        row = {name: value for name, value in row.items() if name != "_index"}
    return _hash([previous, row])


def blank_erased_rows(rows: pa.Table, erased: pa.Array) -> pa.Table:
    """Return rows with the ``erased`` ones blanked, except for their links in the chain.

    A blanked row has no fingerprint, unlike every other row, so its hash cannot be verified. The
    next row still contains that hash, so that no row can be removed or inserted unnoticed. The
    receipt of the erasure lists the erased rows, and is signed.
    """
    for name, nothing in _BLANK.items():
        at = rows.schema.get_field_index(name)
        field = rows.schema.field(at)
        blank = pc.if_else(erased, pa.scalar(nothing, field.type), rows[name])
        rows = rows.set_column(at, field, blank)
    return rows


def _hash(document: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(document, order="sorted")).hexdigest()


def _record_batch(
    entries: Sequence[AuditEntry], rows: Sequence[_Row], policy: str, ingested_at: int
) -> pa.RecordBatch:
    count = len(rows)
    provenance = [
        pa.array([entry.topic for entry in entries], pa.string()),
        pa.array([entry.partition for entry in entries], pa.int32()),
        pa.array([entry.offset for entry in entries], pa.int64()),
        pa.repeat(pa.scalar(ingested_at, TIMESTAMP_US), count),
        pa.nulls(count, pa.string()),
        pa.repeat(pa.scalar(policy, pa.string()), count),
        pa.array([entry.item for entry in entries], pa.int32()),
    ]
    day = day_of_micros(ingested_at)
    dates = pa.repeat(pa.scalar(day, pa.date32()), count)
    columns = [*record_arrays("redaction", rows), *provenance, dates]
    return pa.RecordBatch.from_arrays(columns, schema=TABLES["redactions"].arrow)
