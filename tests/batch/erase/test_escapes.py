"""An id is found in every form in which programs and people write it, and only that id."""

import json
import random
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from batch.erase.escapes import unescape_levels
from batch.erase.persons import Persons
from batch.erase.scope import ErasureScope
from batch.erase.sealed_payloads import flag_opened
from batch.erase.tombstone_store import TombstoneMarks
from tests.batch.erase.world import KEYS
from tests.batch.erase.writers import AROUND, IDS, SEED, WRITERS
from tests.labels.kit import rows, trace


def drawn(count: int) -> list[tuple[str, str, str]]:
    """Return ids, ways to write them, and surroundings; all pairs of the first two come first."""
    chance = random.Random(SEED)  # noqa: S311 - no secret
    pairs = [(one, way) for one in IDS for way in WRITERS]
    return [(*pair, chance.choice(AROUND)) for pair in pairs] + [
        (chance.choice(IDS), chance.choice(list(WRITERS)), chance.choice(AROUND))
        for _ in range(count)
    ]


def wanted_of(ids: Sequence[str]) -> ErasureScope:
    """What an erasure looks for."""
    return ErasureScope(Persons.of(ids, [KEYS], []), TombstoneMarks([KEYS]))


def mentioned(wanted: ErasureScope, texts: Sequence[str]) -> list[bool]:
    """Which texts of others go."""
    made = [trace(f"t{n}", error_message=text) for n, text in enumerate(texts)]
    found = wanted.match_rows("traces", pa.Table.from_batches([rows(made)]))
    return [bool(flag) for flag in found.mention]


def in_payloads(wanted: ErasureScope, payloads: Sequence[bytes]) -> list[bool]:
    """Which payloads go."""
    goes = np.zeros(len(payloads), np.bool_)
    flag_opened(dict(enumerate(payloads)), wanted, goes)
    return [bool(flag) for flag in goes]


@pytest.mark.parametrize("one", IDS)
def test_every_way_to_write_an_id_is_found(one: str) -> None:
    """In texts of others and in payloads, in any surroundings."""
    cases = [(way, around) for name, way, around in drawn(200) if name == one]
    texts = [around.format(WRITERS[way](one)) for way, around in cases]
    wanted = wanted_of([one])
    for found in (mentioned(wanted, texts), in_payloads(wanted, [t.encode() for t in texts])):
        assert [case for case, hit in zip(cases, found, strict=True) if not hit] == []


@pytest.mark.parametrize("one", IDS)
def test_another_id_is_not_found_however_it_is_written(one: str) -> None:
    """One that begins or ends alike, is shorter, or differs in a sign or in case."""
    others = [
        f"{one}2",
        f"9{one}",
        one[:-2],
        one.replace("4711", "4712"),
        one.replace("ann", "anne"),
    ]
    others += [] if "@" in one else [one.upper()]
    wanted = wanted_of([one])
    texts = [
        around.format(WRITERS[way](other))
        for other in others
        if other != one
        for way in WRITERS
        for around in AROUND[:4]
    ]
    for found in (mentioned(wanted, texts), in_payloads(wanted, [t.encode() for t in texts])):
        assert [text for text, hit in zip(texts, found, strict=True) if hit] == []


@pytest.mark.parametrize(
    ("one", "text", "hit"),
    [
        ("ann.lee@example.com", "write to Ann.Lee@Example.COM today", True),
        ("Ann.Lee@example.com", "ann.lee@example.com", True),
        ("ann.lee@example.com", "ann.lee [at] example [dot] com", True),
        ("ann.lee@example.com", "annxlee@example.com", False),
        ("ann.lee@example.com", "joann.lee@example.com", False),
        ("+49 30 901820", "call (030) 90-18-20 at six", True),
        ("+49 30 901820", "tel:0049 30 90 1820", True),
        ("+4930901820", "10309018200", False),
        ("Mia-4711", "mia-4711", False),
        ("Mia-4711", "\\u004dia\\u002d4711", True),
        ("user 4711", "user\u00a04711", True),
    ],
)
def test_what_people_make_of_an_id(one: str, text: str, hit: bool) -> None:
    """Addresses in any capitals, numbers in any groups; all else exactly."""
    wanted = wanted_of([one])
    assert mentioned(wanted, [text]) == [hit]
    assert in_payloads(wanted, [f'{{"comment": "{text}"}}'.encode()]) == [hit]


def test_payloads_of_other_formats() -> None:
    """JSON of two bytes a sign, Avro between what looks like letters, a number without quotes."""
    wanted = wanted_of(["mia-4711", "42"])
    said = json.dumps({"user_id": "mia-4711"})
    other = json.dumps({"user_id": "mia-47112", "n": 42})
    payloads = [
        *(said.encode(name) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-8-sig")),
        b"\0\0\0\0\x070mia-4711zz\x02",
        b'{"user_id": 42}',
        b"GET /?user_id=42&x=1",
        *(other.encode(name) for name in ("utf-8", "utf-16", "utf-16-le", "utf-8-sig")),
    ]
    assert in_payloads(wanted, payloads) == [True] * 7 + [False] * 4


def test_no_text_is_too_odd_to_be_read() -> None:
    """Broken escapes stay as they are; reading ends."""
    chance = random.Random(SEED)  # noqa: S311 - no secret
    parts = ["\\", "u", "0", "41", "%", "&", "#", "x", ";", '"', "'", "\ud83d", "é", "\n", "{", "}"]
    for _ in range(3000):
        text = "".join(chance.choices(parts, k=chance.randrange(40)))
        assert len(unescape_levels(text)) <= 16
