"""Encodes the files of a release: the same rows give the same bytes on any machine."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from batch.release.format.commitments import canonical_json
from batch.release.format.rows import HOLDOUT, ReleaseRow
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
SIGNATURE_PREFIX: Final = "SIGNED-"  # followed by the first digits of the key

ROW_FILES: Final = (DATA, STARTER)
"""The files that hold rows; all others hold counts and the names of columns and strata."""

ROWS_PER_GROUP: Final = 1_000
_COMPRESSION_LEVEL: Final = 9  # of zstd: a release is written once and read often


def encode_parquet(rows: pa.Table) -> bytes:
    """Return rows as one Parquet file, compressed with zstd, with statistics."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink, rows.schema, version="2.6", compression="zstd", compression_level=_COMPRESSION_LEVEL
    ) as writer:
        writer.write_table(rows.combine_chunks(), row_group_size=ROWS_PER_GROUP)
    return bytes(sink.getvalue())


def encode_jsonl(rows: Sequence[Mapping[str, object]]) -> bytes:
    """Return rows (JSON values) as JSON lines, one canonical object per line."""
    return b"".join(escape_line_ends(canonical_json(row)) + b"\n" for row in rows)


def choose_starter_rows(rows: Sequence[ReleaseRow], size: int) -> list[int]:
    """Return the indices of a few rows to begin with, from each stratum in turn.

    Within a stratum the rows of the highest weight come first, ties by trace id. Rows of the
    holdout are left out, and so are synthetic rows: a starter set shows what production is like.
    """
    groups: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        if row["split"] != HOLDOUT and not row["generator"]:
            groups.setdefault(row["stratum"] or "", []).append(index)
    for group in groups.values():
        group.sort(key=lambda i: (-(rows[i]["weight"] or 0.0), rows[i]["trace_id"]))
    rounds = max((len(group) for group in groups.values()), default=0)
    chosen = [
        groups[name][turn]
        for turn in range(rounds)
        for name in sorted(groups)
        if turn < len(groups[name])
    ]
    return sorted(chosen[:size])


def sha256(data: bytes) -> str:
    """Return the SHA-256 of bytes as hex digits."""
    return hashlib.sha256(data).hexdigest()


def checksum_file(files: Mapping[str, bytes]) -> bytes:
    """Return the list that ``sha256sum --check SHA256SUMS`` reads, for these files."""
    return encode_checksums({name: sha256(data) for name, data in files.items()})


def encode_checksums(hashes: Mapping[str, str]) -> bytes:
    """Return the same list for files whose hashes are known."""
    return "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)).encode()


def parse_checksums(data: bytes) -> dict[str, str]:
    """Read such a list: hashes by file name."""
    lines = [line.partition("  ") for line in data.decode(errors="replace").splitlines()]
    return {name: digest for digest, _, name in lines}


def pretty_json(document: Mapping[str, object]) -> bytes:
    """Return a document as JSON that people can read; keys stay in their order."""
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
