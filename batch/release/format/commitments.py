"""The salted commitments to the rows of a release, as listed in the manifest.

A row has two parts (`batch.release.format.rows`): its content and its metadata. For each row the
manifest holds

    content = sha256(salt | "content" | content as canonical JSON)
    row     = sha256(salt | "row" | content | metadata as canonical JSON)

The salt is stored in the row. When a row is erased, its salt goes with it: the commitments left in
the manifest reveal nothing, and every other row can still be proved.

The salt is an HMAC over the content under a key of the builder. Two builders with the same key
produce the same bytes; nobody without the key can guess contents until one matches. Canonical JSON
follows RFC 8785 as far as these values need it: sorted keys, no spaces, UTF-8, the shortest text
that restores a number.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import pyarrow as pa

from batch.release.format.rows import (
    GENERATOR,
    METADATA_COLUMNS,
    SALT,
    ReleaseRow,
    content_values,
    json_rows,
)

SALT_BYTES: Final = 16


class Commitment(NamedTuple):
    """The two hashes that commit the manifest to a row, as hex digits of SHA-256."""

    content: str
    row: str


def canonical_json(values: Mapping[str, object]) -> bytes:
    """Return JSON values as canonical JSON."""
    text = json.dumps(
        values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def compute_salt(row: Mapping[str, object], release: str, key: bytes) -> str:
    """Return the salt of a row (JSON values) in a release, as hex digits."""
    content = canonical_json(content_values(row))
    message = b"\0".join((b"salt", release.encode(), content))
    return hmac.digest(key, message, "sha256")[:SALT_BYTES].hex()


def row_commitment(row: ReleaseRow) -> Commitment:
    """Return the commitment to a row, from its salt; KeyError if a column is missing."""
    values: Mapping[str, object] = row
    salt = bytes.fromhex(row["salt"])
    content = hashlib.sha256(salt + b"content" + canonical_json(content_values(values))).hexdigest()
    metadata = canonical_json(
        {name: values[name] for name in METADATA_COLUMNS if name != GENERATOR or values.get(name)}
    )
    return Commitment(
        content, hashlib.sha256(salt + b"row" + content.encode() + metadata).hexdigest()
    )


def row_commitments(rows: Iterable[ReleaseRow]) -> list[Commitment]:
    """Return the commitment to each row."""
    return [row_commitment(row) for row in rows]


def add_salts(rows: pa.Table, release: str, key: bytes) -> pa.Table:
    """Return the rows with their salts, sorted by trace id."""
    ordered = rows.sort_by([("trace_id", "ascending")])
    salts = [compute_salt(row, release, key) for row in json_rows(ordered)]
    index = ordered.schema.get_field_index(SALT)
    return ordered.set_column(index, ordered.schema.field(SALT), pa.array(salts, pa.string()))
