"""The files of a release as bytes: the same rows give the same bytes, on any machine."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from batch.release.format.rows import GENERATOR, SCHEMA, canonical_json
from batch.release.sampling.holdout_split import HOLDOUT
from schemas.json_lines import escape_line_ends

DATA: Final = "data.parquet"
STARTER: Final = "starter.jsonl"
MANIFEST: Final = "manifest.json"
DATASHEET: Final = "datasheet.md"
DATASHEET_HTML: Final = "datasheet.html"
CONTRACT: Final = "contract.yaml"
LINEAGE: Final = "lineage.json"
CHECKSUMS: Final = "SHA256SUMS"
WITHDRAWAL: Final = "WITHDRAWN.json"
ERASURE_NOTE: Final = "erased.json"
SIGNATURE_PREFIX: Final = "SIGNED-"  # and the first digits of the key

ROW_FILES: Final = (DATA, STARTER)
"""The files that hold rows; all others hold numbers, names of columns and of strata."""

ROWS_PER_GROUP: Final = 1_000
_LEVEL: Final = 9  # of zstd: releases are written once and read often


def encode_parquet(rows: pa.Table) -> bytes:
    """Return rows as Parquet: one file, zstd, with statistics."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink, SCHEMA, version="2.6", compression="zstd", compression_level=_LEVEL
    ) as writer:
        writer.write_table(rows.combine_chunks(), row_group_size=ROWS_PER_GROUP)
    return bytes(sink.getvalue())


def encode_jsonl(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows (JSON values) as one canonical JSON object a line, as `escape_line_ends` writes it."""
    return b"".join(escape_line_ends(canonical_json(row)) + b"\n" for row in rows)


def choose_starter_rows(rows: Sequence[Mapping[str, Any]], size: int) -> list[int]:
    """Return the places of a few rows to begin with: of each stratum in turn, none of the holdout.

    In a stratum those of the highest weight come first, ties by trace id. Synthetic rows are left
    out: a beginning should show what production is like.
    """
    groups: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        if row["split"] != HOLDOUT and not row[GENERATOR]:
            groups.setdefault(row["stratum"] or "", []).append(place)
    for group in groups.values():
        group.sort(key=lambda i: (-(rows[i]["weight"] or 0.0), rows[i]["trace_id"]))
    turns = max((len(group) for group in groups.values()), default=0)
    chosen = [
        groups[name][turn]
        for turn in range(turns)
        for name in sorted(groups)
        if turn < len(groups[name])
    ]
    return sorted(chosen[:size])


def sha256(data: bytes) -> str:
    """Return the SHA-256 of bytes as hex digits."""
    return hashlib.sha256(data).hexdigest()


def checksum_file(files: Mapping[str, bytes]) -> bytes:
    """Return the list that ``sha256sum --check SHA256SUMS`` reads."""
    return encode_checksums({name: sha256(data) for name, data in files.items()})


def encode_checksums(hashes: Mapping[str, str]) -> bytes:
    """Return the same list for files of which the hashes are known."""
    return "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)).encode()


def parse_checksums(data: bytes) -> dict[str, str]:
    """Read such a list: hashes by name."""
    lines = [line.partition("  ") for line in data.decode(errors="replace").splitlines()]
    return {name: digest for digest, _, name in lines}


def pretty_json(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON that a person can read; keys in the order given."""
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
