"""What redaction did to each record, for who has to prove it: never a value, never a plain hash.

A row holds the coordinates, the policy, what was replaced by type and operator, where in the
output, how much was scanned, and a keyed fingerprint of the record as it came. Each row carries
the hash of the row before it, so that none can be changed or taken out without breaking the chain.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from redact.render import Replaced
from schemas.arrow import EVENT_DATE, MICROS
from schemas.redacted import Redacted

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POSITION = pa.struct(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("operator", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
    ]
)
REDACTIONS = pa.schema(
    [
        pa.field("_topic", pa.string(), nullable=False),
        pa.field("_partition", pa.int32(), nullable=False),
        pa.field("_offset", pa.int64(), nullable=False),
        pa.field("_ingested_at", MICROS, nullable=False),
        pa.field("_policy", pa.string(), nullable=False),
        pa.field("fingerprint", pa.string(), nullable=True),
        pa.field("characters_scanned", pa.int64(), nullable=False),
        pa.field("counts", pa.map_(pa.string(), pa.field("value", pa.int64(), nullable=False))),
        pa.field("positions", pa.list_(pa.field("element", _POSITION, nullable=False))),
        pa.field("previous", pa.string(), nullable=False),
        pa.field("chain", pa.string(), nullable=False),
        pa.field(EVENT_DATE, pa.date32(), nullable=False),
    ]
)
"""Columns of the table ``redactions``. The keys of ``counts`` are ``TYPE/operator``; positions
count characters of the field of the output that ``path`` names."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What was done to one record. ``positions`` pairs the path of a field with a replacement."""

    topic: str
    partition: int
    offset: int
    fingerprint: str | None
    characters: int
    positions: tuple[tuple[str, Replaced], ...]

    @property
    def counts(self) -> dict[str, int]:
        """Return how many replacements there were, by ``TYPE/operator``."""
        counts: dict[str, int] = {}
        for _, replaced in self.positions:
            key = f"{replaced.type}/{replaced.operator}"
            counts[key] = counts.get(key, 0) + 1
        return dict(sorted(counts.items()))


def audit_rows(
    entries: Sequence[AuditEntry], *, policy: str, ingested_at: int, previous: str
) -> tuple[Redacted[pa.RecordBatch], str]:
    """Return rows of ``redactions`` and the hash that the next batch has to go on from.

    ``previous`` is the ``chain`` of the last row before (empty for the first of all);
    ``ingested_at`` in microseconds since 1970 (UTC).
    """
    rows: list[dict[str, object]] = []
    day = (_EPOCH + timedelta(microseconds=ingested_at)).date()
    for entry in entries:
        row = _row(entry, policy, ingested_at)
        chain = chained(row, previous)
        rows.append({**row, "previous": previous, "chain": chain, EVENT_DATE: day})
        previous = chain
    return Redacted(pa.RecordBatch.from_pylist(rows, schema=REDACTIONS), policy), previous


def chained(row: dict[str, object], previous: str) -> str:
    """Return the hash of a row (without `previous`, `chain` and the date) and the one before."""
    document = json.dumps([previous, row], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(document.encode()).hexdigest()


def _row(entry: AuditEntry, policy: str, ingested_at: int) -> dict[str, object]:
    return {
        "_topic": entry.topic,
        "_partition": entry.partition,
        "_offset": entry.offset,
        "_ingested_at": ingested_at,
        "_policy": policy,
        "fingerprint": entry.fingerprint,
        "characters_scanned": entry.characters,
        "counts": sorted(entry.counts.items()),
        "positions": [
            {
                "path": path,
                "type": replaced.type,
                "operator": replaced.operator,
                "start": replaced.start,
                "end": replaced.end,
            }
            for path, replaced in entry.positions
        ],
    }
