"""Looking into quarantine: a sealed payload is opened and searched, and never kept."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from batch.erase.search import Flags
from batch.erase.wanted import Wanted
from redact.quarantine import Sealer
from schemas.errors import UsageError

COLUMNS = ("_topic", "_partition", "_offset", "sealed_payload", "sealed_key_id")


class Aside(NamedTuple):
    """What is found of rows of quarantine: those that go, and those that nobody could look into.

    ``bare`` have no payload: nothing of the record is there but where it lay in its topic.
    """

    goes: Flags
    closed: Flags
    bare: Flags


def look_into(rows: pa.Table, wanted: Wanted, sealer: Sealer) -> Aside:
    """Search the payloads of rows of quarantine, one at a time."""
    goes = wanted.in_places(rows)
    closed, bare = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
    columns = (rows[name].to_pylist() for name in COLUMNS)
    for number, row in enumerate(map(_Row, *columns)):
        if row.sealed_payload is None:
            bare[number] = True
            continue
        payload = _opened(sealer, row)
        if payload is None:
            closed[number] = True
        else:
            goes[number] |= _holds(payload, wanted.payload_forms)
    return Aside(goes, closed & ~goes, bare & ~goes)


class _Row(NamedTuple):
    """A row of quarantine; names as `COLUMNS`, in that order."""

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


def _holds(payload: bytes, forms: Collection[bytes]) -> bool:
    return any(form in payload for form in forms)
