"""What redaction did to each record, for who has to prove it: never a value, never a plain hash.

A row holds the coordinates, the policy, what was replaced by type and operator, where in the
output, how much was scanned, and a keyed fingerprint of the record as it came. Each row carries
the hash of the row before it, so that none can be changed or taken out without breaking the chain.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from schemas.arrow import TABLES, TIMESTAMP_US
from schemas.columns import record_arrays
from schemas.redacted import Redacted

_BLANK: Final[Mapping[str, Any]] = {
    "fingerprint": None,
    "characters_scanned": 0,
    "counts": [],
    "positions": [],
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AuditReplacement(msgspec.Struct, frozen=True, gc=False):
    """One replacement: the path of its field, and its place in the output (in characters)."""

    path: str
    type: str
    operator: str
    start: int
    end: int


class AuditCount(msgspec.Struct, frozen=True, gc=False):
    """How often a type was replaced by an operator; by `keep`: found, and left as it was."""

    type: str
    operator: str
    count: int


class AuditEntry(msgspec.Struct, frozen=True, gc=False):
    """What was done to one record. ``kept`` counts what was found and left, where one looked."""

    topic: str
    partition: int
    offset: int
    fingerprint: str | None
    characters: int
    positions: tuple[AuditReplacement, ...]
    kept: tuple[AuditCount, ...] = ()

    @property
    def counts(self) -> list[AuditCount]:
        """Return how many findings there were, by type and operator, in their order."""
        found = Counter([(one.type, one.operator) for one in self.positions])
        replaced = [AuditCount(*what, count) for what, count in sorted(found.items())]
        if not self.kept:
            return replaced
        return sorted([*replaced, *self.kept], key=lambda one: (one.type, one.operator))


class _Row(msgspec.Struct, frozen=True, gc=False):
    """A row of ``redactions`` as the contract has it."""

    fingerprint: str | None
    characters_scanned: int
    counts: list[AuditCount]
    positions: tuple[AuditReplacement, ...]
    previous: str
    chain: str


def build_audit_rows(
    entries: Sequence[AuditEntry], *, policy: str, ingested_at: int, previous: str
) -> tuple[Redacted[pa.RecordBatch], str]:
    """Return rows of ``redactions`` and the hash that the next batch has to go on from.

    ``previous`` is the ``chain`` of the last row before, or what `chain_start` gives;
    ``ingested_at`` in microseconds since 1970 (UTC).
    """
    rows: list[_Row] = []
    for entry in entries:
        counts = entry.counts
        told = {
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
        chain = chain_hash(told, previous)
        rows.append(
            _Row(entry.fingerprint, entry.characters, counts, entry.positions, previous, chain)
        )
        previous = chain
    return Redacted(_batch(entries, rows, policy, ingested_at), policy), previous


def chain_start(topic: str, starts: Mapping[int, int]) -> str:
    """Return the hash that a chain begins with: where it begins, as offsets by partition."""
    return _hash([topic, sorted(starts.items())])


def chain_hash(row: Mapping[str, Any], previous: str) -> str:
    """Return the hash of a row (without `previous`, `chain` and the date) and the one before.

    It is SHA-256 over both as JSON, names in the order of the alphabet, without white space.
    """
    return _hash([previous, row])


def blank_erased_rows(rows: pa.Table, erased: pa.Array) -> pa.Table:
    """Return rows of which the ``erased`` say nothing any more, but for their links in the chain.

    Without a fingerprint, as no other row is, they cannot be hashed again; the row after each still
    names it, so none can be taken out or put in unnoticed. Which ones were erased, and that nobody
    else blanked them, is what the receipt of the erasure says.
    """
    for name, nothing in _BLANK.items():
        at = rows.schema.get_field_index(name)
        field = rows.schema.field(at)
        blank = pc.if_else(erased, pa.scalar(nothing, field.type), rows[name])
        rows = rows.set_column(at, field, blank)
    return rows


def _hash(document: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(document, order="sorted")).hexdigest()


def _batch(
    entries: Sequence[AuditEntry], rows: Sequence[_Row], policy: str, ingested_at: int
) -> pa.RecordBatch:
    many = len(rows)
    provenance = [
        pa.array([entry.topic for entry in entries], pa.string()),
        pa.array([entry.partition for entry in entries], pa.int32()),
        pa.array([entry.offset for entry in entries], pa.int64()),
        pa.repeat(pa.scalar(ingested_at, TIMESTAMP_US), many),
        pa.nulls(many, pa.string()),
        pa.repeat(pa.scalar(policy, pa.string()), many),
    ]
    day = (_EPOCH + timedelta(microseconds=ingested_at)).date()
    dates = pa.repeat(pa.scalar(day, pa.date32()), many)
    columns = [*record_arrays("redaction", rows), *provenance, dates]
    return pa.RecordBatch.from_arrays(columns, schema=TABLES["redactions"].arrow)
