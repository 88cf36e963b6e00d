"""Looking into quarantine: a sealed payload is opened and searched, and never kept.

One that is text is read as texts are (`batch.erase.text_search`): another id that begins alike is another.
In one of a binary format nobody knows where a value ends, so an id is found wherever it stands.
"""  # noqa: E501 - one line

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from batch.erase.scope import ErasureScope
from batch.erase.text_search import RowFlags
from redact.crypto.sealing import Sealer
from schemas.errors import UsageError

_TOGETHER: Final = 2**24  # bytes of payloads that are in memory at once
_UNITS: Final = 4
_BINARY: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ufffd]")

PAYLOAD_COLUMNS = ("_topic", "_partition", "_offset", "sealed_payload", "sealed_key_id")


class SealedMatches(NamedTuple):
    """What is found of rows of quarantine: those that go, and those that nobody could look into.

    ``bare`` have no payload: nothing of the record is there but where it lay in its topic.
    ``named`` are the persons' ids that stand in payloads.
    """

    goes: RowFlags
    closed: RowFlags
    bare: RowFlags
    named: frozenset[str]


def search_payloads(rows: pa.Table, wanted: ErasureScope, sealer: Sealer) -> SealedMatches:
    """Search the payloads of rows of quarantine, some at a time."""
    goes = wanted.in_places(rows)
    opened: dict[int, bytes] = {}
    named: set[str] = set()
    closed, bare = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
    columns = (rows[name].to_pylist() for name in PAYLOAD_COLUMNS)
    for number, row in enumerate(map(_Row, *columns)):
        if row.sealed_payload is None:
            bare[number] = True
            continue
        payload = _opened(sealer, row)
        if payload is None:
            closed[number] = True
        else:
            opened[number] = payload
        if sum(map(len, opened.values())) > _TOGETHER:
            named |= _search(opened, wanted, goes)
    named |= _search(opened, wanted, goes)
    return SealedMatches(goes, closed & ~goes, bare & ~goes, frozenset(named))


def open_payload_texts(rows: pa.Table, sealer: Sealer) -> Iterator[str]:
    """Yield the payloads of rows of quarantine that can be opened, as texts."""
    for row in map(_Row, *(rows[name].to_pylist() for name in PAYLOAD_COLUMNS)):
        payload = None if row.sealed_payload is None else _opened(sealer, row)
        if payload is not None:
            yield _text(payload)


class _Row(NamedTuple):
    """A row of quarantine; names as `PAYLOAD_COLUMNS`, in that order."""

    topic: str
    partition: int
    offset: int
    sealed_payload: bytes | None
    sealed_key_id: str | None


def _opened(sealer: Sealer, row: _Row) -> bytes | None:
    try:
        return sealer.open(
            topic=row.topic,
            partition=row.partition,
            offset=row.offset,
            sealed_payload=row.sealed_payload or b"",
            sealed_key_id=row.sealed_key_id or "",
        )
    except UsageError:
        return None


def _search(opened: dict[int, bytes], wanted: ErasureScope, goes: RowFlags) -> set[str]:
    """Flag the payloads that name somebody who is wanted, by number, and forget them.

    Return which of the persons' ids stand in them.
    """
    texts = {number: _text(payload) for number, payload in opened.items()}
    binary = [number for number, text in texts.items() if _BINARY.search(text)]
    plain = [number for number in texts if number not in set(binary)]
    for numbers, sought in ((plain, wanted.in_payloads), (binary, wanted.in_binary)):
        hits = sought.in_texts([texts[number] for number in numbers])
        goes[[number for number, hit in zip(numbers, hits, strict=True) if hit]] = True
    for number in binary:
        goes[number] |= any(form in opened[number] for form in wanted.payload_forms)
    opened.clear()
    return wanted.named_in_texts([texts[n] for n in texts if goes[n]], wanted.persons.raw)


def _text(payload: bytes) -> str:
    """Return a payload as text; what is none holds signs of control, or those of no character."""
    name = "utf-16" if payload[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
    if name == "utf-8" and len(payload) >= _UNITS:  # JSON may be of two bytes a sign, unmarked
        high, low = payload[0:_UNITS:2], payload[1:_UNITS:2]
        if not any(high) and all(low):
            name = "utf-16-be"
        elif all(high) and not any(low):
            name = "utf-16-le"
    return payload.decode(name, "replace")
