"""What redaction did to each record, for who has to prove it: never a value, never a plain hash.

A row holds the coordinates, the policy, what was replaced by type and operator, where in the
output, how much was scanned, and a keyed fingerprint of the record as it came. Each row carries
the hash of the row before it, so that none can be changed or taken out without breaking the chain.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from redact.render import Replaced
from schemas.arrow import EVENT_DATE, TABLES
from schemas.redacted import Redacted

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
    def counts(self) -> list[dict[str, object]]:
        """Return how many replacements there were, by type and operator, in their order."""
        found = Counter((replaced.type, replaced.operator) for _, replaced in self.positions)
        return [
            {"type": kind, "operator": operator, "count": count}
            for (kind, operator), count in sorted(found.items())
        ]


def audit_rows(
    entries: Sequence[AuditEntry], *, policy: str, ingested_at: int, previous: str
) -> tuple[Redacted[pa.RecordBatch], str]:
    """Return rows of ``redactions`` and the hash that the next batch has to go on from.

    ``previous`` is the ``chain`` of the last row before, or what `beginning` gives;
    ``ingested_at`` in microseconds since 1970 (UTC).
    """
    rows: list[dict[str, object]] = []
    day = (_EPOCH + timedelta(microseconds=ingested_at)).date()
    for entry in entries:
        row = _row(entry, policy, ingested_at)
        chain = chained(row, previous)
        rows.append({**row, "previous": previous, "chain": chain, EVENT_DATE: day})
        previous = chain
    batch = pa.RecordBatch.from_pylist(rows, schema=TABLES["redactions"].arrow)
    return Redacted(batch, policy), previous


def beginning(topic: str, starts: Mapping[int, int]) -> str:
    """Return the hash that a chain begins with: where it begins, as offsets by partition."""
    document = json.dumps([topic, sorted(starts.items())], separators=(",", ":"))
    return hashlib.sha256(document.encode()).hexdigest()


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
        "counts": entry.counts,
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
