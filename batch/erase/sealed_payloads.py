"""Searches sealed payloads in quarantine, opening each in memory only.

A payload in a text format is searched like any text (`batch.erase.text_search`): an id that begins
like another is a different id. In a binary format the ends of values are unknown, so an id matches
anywhere.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from batch.erase.scope import ErasureScope
from batch.erase.text_search import RowFlags
from redact.crypto.sealing import Sealer
from schemas.errors import UsageError

_MAX_BYTES: Final = 2**24  # of opened payloads in memory at once
_BYTES_TO_GUESS: Final = 4
_BINARY: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ufffd]")

PAYLOAD_COLUMNS = (
    "_topic",
    "_partition",
    "_offset",
    "_index",
    "sealed_payload",
    "sealed_key_id",
)


class SealedMatches(NamedTuple):
    """Which rows of quarantine match, and which could not be searched, one flag per row.

    Rows ``without_payload`` hold only the coordinates of their record. ``found_ids`` are the
    persons' ids that occur in payloads.
    """

    matched: RowFlags
    unopened: RowFlags
    without_payload: RowFlags
    found_ids: frozenset[str]


def search_payloads(rows: pa.Table, scope: ErasureScope, sealer: Sealer) -> SealedMatches:
    """Search the payloads of rows of quarantine, a limited amount at a time."""
    matched = scope.match_coordinates(rows)
    opened: dict[int, bytes] = {}
    found_ids: set[str] = set()
    unopened, without_payload = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
    columns = (rows[name].to_pylist() for name in PAYLOAD_COLUMNS)
    for index, row in enumerate(map(_PayloadRow, *columns)):
        if row.sealed_payload is None:
            without_payload[index] = True
            continue
        payload = _open(sealer, row)
        if payload is None:
            unopened[index] = True
        else:
            opened[index] = payload
        if sum(map(len, opened.values())) > _MAX_BYTES:
            found_ids |= flag_opened(opened, scope, matched)
            opened.clear()
    found_ids |= flag_opened(opened, scope, matched)
    return SealedMatches(
        matched, unopened & ~matched, without_payload & ~matched, frozenset(found_ids)
    )


def open_payload_texts(rows: pa.Table, sealer: Sealer) -> Iterator[str]:
    """Yield the payloads of rows of quarantine that can be opened, as texts."""
    for row in map(_PayloadRow, *(rows[name].to_pylist() for name in PAYLOAD_COLUMNS)):
        payload = None if row.sealed_payload is None else _open(sealer, row)
        if payload is not None:
            yield _decode(payload)


class _PayloadRow(NamedTuple):
    """A row of quarantine, with the columns of `PAYLOAD_COLUMNS`, in that order."""

    topic: str
    partition: int
    offset: int
    item: int | None
    sealed_payload: bytes | None
    sealed_key_id: str | None


def _open(sealer: Sealer, row: _PayloadRow) -> bytes | None:
    try:
        return sealer.open(
            topic=row.topic,
            partition=row.partition,
            offset=row.offset,
            item=row.item,
            sealed_payload=row.sealed_payload or b"",
            sealed_key_id=row.sealed_key_id or "",
        )
    except UsageError:
        return None


def flag_opened(opened: dict[int, bytes], scope: ErasureScope, matched: RowFlags) -> set[str]:
    """Set the flags of the opened payloads, by row, that are in scope.

    Return which of the persons' ids occur in them.
    """
    texts = {index: _decode(payload) for index, payload in opened.items()}
    binary = [index for index, text in texts.items() if _BINARY.search(text)]
    plain = [index for index in texts if index not in set(binary)]
    for indices, search in (
        (plain, scope.payload_search),
        (binary, scope.binary_payload_search),
    ):
        hits = search.match_texts([texts[index] for index in indices])
        matched[[index for index, hit in zip(indices, hits, strict=True) if hit]] = True
    for index in binary:
        matched[index] |= any(form in opened[index] for form in scope.byte_forms)
    return scope.ids_in_payloads([texts[i] for i in texts if matched[i]], scope.persons.ids)


def _decode(payload: bytes) -> str:
    """Return a payload as text; one in a binary format has control or replacement characters."""
    encoding = "utf-16" if payload[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
    if encoding == "utf-8" and len(payload) >= _BYTES_TO_GUESS:
        # JSON may be in UTF-16 without a byte order mark.
        high, low = payload[0:_BYTES_TO_GUESS:2], payload[1:_BYTES_TO_GUESS:2]
        if not any(high) and all(low):
            encoding = "utf-16-be"
        elif all(high) and not any(low):
            encoding = "utf-16-le"
    return payload.decode(encoding, "replace")
