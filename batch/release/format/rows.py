"""The rows of a release: what is in one, and the commitments that stand for it in the manifest.

A row has two parts. Its *content* is the trace with its label and where it came from; its *place*
is how it was drawn and the evidence for its label, which may differ between two versions that hold
the same content. For each row the manifest holds

    content = sha256(salt | "content" | content as canonical JSON)
    row     = sha256(salt | "row" | content | place as canonical JSON)

The salt lies with the row. So a row can be erased, salt and all, and what is left in the manifest
tells nothing of it, while every other row can still be proved.

The salt is an HMAC over the content, under a key of the builder: two who hold the key make the same
bytes, and nobody without it can try contents until one fits. Canonical JSON is that of RFC 8785 as
far as these values go: sorted keys, no spaces, UTF-8, the shortest text that gives back a number.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import pyarrow as pa

from schemas.arrow import EVENT_DATE, TABLES, TIMESTAMP_US

_TRACE: Final = [field for field in TABLES["traces"].arrow if field.name != EVENT_DATE]
_JUDGED: Final = [
    pa.field("label", pa.string(), nullable=False),
    pa.field("expected_response", pa.string()),
]
_PLACE: Final = [
    pa.field("drawn", pa.string(), nullable=False),
    pa.field("generator", pa.string()),
    pa.field("split", pa.string(), nullable=False),
    pa.field("stratum", pa.string()),
    pa.field("inclusion_probability", pa.float64()),
    pa.field("weight", pa.float64()),
    pa.field("near_duplicates", pa.int64(), nullable=False),
    pa.field("p_fail", pa.float64()),
    pa.field("confidence", pa.float64()),
    pa.field("route", pa.string()),
    pa.field("label_event_id", pa.string()),
    pa.field("label_revision", pa.int64()),
    pa.field("label_policy", pa.string()),
    pa.field("label_decided_at", TIMESTAMP_US),
]
SALT: Final = "salt"
GENERATOR: Final = "generator"
"""Is no part of the commitment where it is null: before there were synthetic rows it was not there.
"""
SALT_BYTES: Final = 16

CONTENT_COLUMNS: Final = tuple(field.name for field in [*_TRACE, *_JUDGED])
"""The columns of a row's content."""
METADATA_COLUMNS: Final = tuple(field.name for field in _PLACE)
"""The columns of a row's place."""
SCHEMA: Final = pa.schema([*_TRACE, *_JUDGED, *_PLACE, pa.field(SALT, pa.string(), nullable=False)])
"""The columns of a release, in order. Rows are in the order of ``trace_id``."""
TRACE_COLUMNS: Final = tuple(field.name for field in _TRACE)
"""The columns that come from table ``traces`` as they are."""

COLUMN_DESCRIPTIONS: Final[Mapping[str, str]] = {
    "label": "The label in force: pass, fail, unknown, or none where there is no label event.",
    "expected_response": "The answer as it should have been, where somebody gave one.",
    "drawn": "sample, the set that names the row (must_include, adversarial), or synthetic: such a "
    "row is not of production and counts for no estimate of it.",
    "generator": "Who made a synthetic row; null for what comes from production.",
    "split": "development or holdout; all rows of a conversation or user are on one side.",
    "stratum": "The stratum the row was drawn from; null where it was named.",
    "inclusion_probability": "Probability with which this trace was drawn; null unless sampled.",
    "weight": "How many traces the row stands for, of those that the release speaks for; null "
    "unless sampled.",
    "near_duplicates": "Drawn traces that were left out as near-duplicates of this one.",
    "p_fail": "Probability that the answer was bad, by the label event in force.",
    "confidence": "The larger of p_fail and 1 - p_fail.",
    "route": "Where the label event sent the trace: auto, review or audit.",
    "label_event_id": "The label event in force.",
    "label_revision": "Its revision.",
    "label_policy": "The version of the label policy that decided it.",
    "label_decided_at": "When it was decided.",
    SALT: "Random-looking text that the row's commitments are made with.",
}
"""What the columns mean that do not come from the contract of traces."""


class Commitment(NamedTuple):
    """What stands for a row in the manifest, as hex digits of SHA-256."""

    content: str
    row: str


def canonical_json(values: Mapping[str, Any]) -> bytes:
    """Return values of JSON as canonical JSON."""
    text = json.dumps(
        values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def json_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return rows as JSON has them: maps as objects, times as RFC 3339 with microseconds."""
    return [
        {name: _json(value) for name, value in row.items()}
        for row in table.to_pylist(maps_as_pydicts="strict")
    ]


def compute_salt(row: Mapping[str, Any], release: str, key: bytes) -> str:
    """Return the salt of a row (in JSON values) in a release, as hex digits."""
    content = canonical_json({name: row[name] for name in CONTENT_COLUMNS})
    message = b"\0".join((b"salt", release.encode(), content))
    return hmac.digest(key, message, "sha256")[:SALT_BYTES].hex()


def row_commitment(row: Mapping[str, Any]) -> Commitment:
    """Return what stands for a row (JSON values, salt and all); KeyError where a column lacks."""
    pinch = bytes.fromhex(row[SALT])
    content = hashlib.sha256(
        pinch + b"content" + canonical_json({name: row[name] for name in CONTENT_COLUMNS})
    ).hexdigest()
    place = canonical_json(
        {name: row[name] for name in METADATA_COLUMNS if name != GENERATOR or row.get(name)}
    )
    return Commitment(
        content, hashlib.sha256(pinch + b"row" + content.encode() + place).hexdigest()
    )


def rows_to_arrow(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows of Python values as a table with the columns of a release."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def add_salts(rows: pa.Table, release: str, key: bytes) -> pa.Table:
    """Return the rows with their salts, in the order of their trace ids."""
    ordered = rows.sort_by([("trace_id", "ascending")])
    salts = [compute_salt(row, release, key) for row in json_rows(ordered)]
    place = SCHEMA.get_field_index(SALT)
    return ordered.set_column(place, SCHEMA.field(SALT), pa.array(salts, pa.string()))


def row_commitments(rows: Iterable[Mapping[str, Any]]) -> list[Commitment]:
    """Return what stands for each row."""
    return [row_commitment(row) for row in rows]


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, dict):
        return {key: _json(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_json(one) for one in value]
    return value
