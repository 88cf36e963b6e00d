"""A lake with quarantined records, and redrives of them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path

from lake.ledger import Incarnation
from lake.tables import Lake
from lake.tombstones import open_tombstones
from redact.crypto.sealing import Sealer
from schemas.record_batches import RawRecord
from stream.applied_tombstones import AppliedTombstones
from stream.redrive import Redrive
from tests.lake.kit import (
    HERE,
    OTHER,
    SOURCE,
    START,
    TOPIC,
    append,
    commit_context,
    make_lake,
    offsets,
    set_aside,
)
from tests.redact.kit import KEYS
from tests.stream.protocol.world import Verdict

TOKENS = count(100)
NOW = int((START + timedelta(hours=1)).timestamp()) * 1_000_000
Coordinates = tuple[int, int]


class CrashError(Exception):
    """The process dies here."""


def fill_quarantine(folder: Path) -> Lake:
    """Return a lake of ten records of one partition and five of another, four of them set aside."""
    lake = make_lake(folder)
    for source, end, bad in ((SOURCE, 10, {2, 5, 7}), (OTHER, 5, {2})):
        set_aside(lake, None, end, bad, source=source)
        append(lake.table("feedback"), None, end, source=source, quarantined=bad)
    return lake


def kafka(_topic: str, wanted: Sequence[Coordinates]) -> Mapping[Coordinates, RawRecord]:
    """Return records that Kafka still has: all but those at offset 7."""
    return {(p, o): RawRecord(p, o, 0, None, b"") for p, o in wanted if o != 7}


def redrive(
    lake: Lake,
    *,
    bad: Callable[[int, int], bool] = lambda _partition, _offset: False,
    reached: Callable[[str], None] = lambda _step: None,
    incarnation: Incarnation = HERE,
    fetch: Callable[[str, Sequence[Coordinates]], Mapping[Coordinates, RawRecord]] = kafka,
) -> Redrive:
    """Return a redrive of the topic; ``bad`` says which records still fail."""
    verdict = Verdict(bad)
    return Redrive(
        topic=TOPIC,
        primary=lake.table("feedback"),
        quarantine=lake.table("quarantine"),
        decoder=verdict,
        redactor=verdict,
        unsealer=Sealer(KEYS.fingerprint, "p", None),
        fetch=fetch,
        incarnation=lambda _topic: incarnation,
        reached=reached,
        erasures=AppliedTombstones(open_tombstones(lake.location), [KEYS]),
        context=commit_context(now_us=lambda: NOW, new_token=lambda: next(TOKENS)),
    )


def quarantined_offsets(lake: Lake) -> tuple[list[int], list[int]]:
    """Return the quarantined offsets of both partitions."""
    table = lake.table("quarantine")
    return offsets(table), offsets(table, OTHER)
