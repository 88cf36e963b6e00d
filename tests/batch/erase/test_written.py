"""An id is found in every form in which programs and people write it, and only that id."""

import html
import json
import random
import string
import unicodedata
from collections.abc import Callable, Sequence
from urllib.parse import quote, quote_plus

import numpy as np
import pyarrow as pa
import pytest

from batch.erase.sealed import _search
from batch.erase.wanted import Marks, Persons, Wanted
from batch.erase.written import levels
from tests.batch.erase.world import KEYS
from tests.labels.kit import rows, trace

IDS = (
    "mia+4711",
    'o\'neil "x"/4711',
    "a\\b&c<d>4711",
    "mía-größe-4711",
    "名前-4711",
    "mia%41-4711",
    "ann.lee+tag@example.com",
    "user 4711 (sales)",
)
SEED = 20_261_130


def escaped_all(text: str) -> str:
    """Every sign as JSON may escape it, in pairs where it must."""
    data = text.encode("utf-16-be")
    return "".join(f"\\u{data[n]:02x}{data[n + 1]:02X}" for n in range(0, len(data), 2))


def escaped_some(text: str) -> str:
    """As writers do that are careful with pages: all that is no letter or digit."""
    return "".join(c if c.isalnum() and c.isascii() else escaped_all(c) for c in text)


WRITERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": lambda t: json.dumps(t)[1:-1],
    "json, unicode": lambda t: json.dumps(t, ensure_ascii=False)[1:-1],
    "json, slashes": lambda t: json.dumps(t)[1:-1].replace("/", "\\/"),
    "json, all": escaped_all,
    "json, careful": escaped_some,
    "json in json": lambda t: json.dumps(json.dumps(t))[1:-1],
    "json in json in json": lambda t: json.dumps(json.dumps(json.dumps(t)))[1:-1],
    "csv": lambda t: '"' + t.replace('"', '""') + '"',
    "sql": lambda t: "'" + t.replace("'", "''") + "'",
    "url": lambda t: f"https://example.com/u/{quote(t, safe='')}?x=1",
    "url, small": lambda t: "".join(f"%{b:02x}" for b in t.encode()),
    "url twice": lambda t: quote(quote(t, safe=""), safe=""),
    "form": lambda t: f"user={quote_plus(t)}&x=1",
    "page": html.escape,
    "page, numbers": lambda t: "".join(f"&#{ord(c)};" for c in t),
    "page, hex": lambda t: "".join(f"&#x{ord(c):X};" for c in t),
    "bytes": lambda t: "".join(f"\\x{b:02x}" for b in t.encode()),
    "markdown": lambda t: "".join(f"\\{c}" if c in string.punctuation else c for c in t),
    "decomposed": lambda t: unicodedata.normalize("NFD", t),
    "wide": lambda t: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in t),
    "invisible": "\u200b".join,
    "dashes and quotes": lambda t: t.translate(str.maketrans("-'", "\u2011\u2019")),
    "url in json": lambda t: json.dumps(f"/x?u={quote(t)}")[1:-1].replace("/", "\\/"),
    "json in csv": lambda t: '"' + json.dumps({"u": t}).replace('"', '""') + '"',
    "json in url": lambda t: quote(json.dumps({"u": t})),
    "page in json": lambda t: json.dumps(f"<b>{html.escape(t)}</b>")[1:-1],
}
AROUND = (
    "{}",
    "by\n{}, who",
    "({})",
    '{{"a": "x", "who": "{}"}}',
    "x\\n{}\\ty",
    "Von {} \u2013 ja",
)


def drawn(count: int) -> list[tuple[str, str, str]]:
    """Ids, ways to write them, and what stands around, all pairs of the first two first."""
    chance = random.Random(SEED)  # noqa: S311 - no secret
    pairs = [(one, way) for one in IDS for way in WRITERS]
    return [(*pair, chance.choice(AROUND)) for pair in pairs] + [
        (chance.choice(IDS), chance.choice(list(WRITERS)), chance.choice(AROUND))
        for _ in range(count)
    ]


def wanted_of(ids: Sequence[str]) -> Wanted:
    """What an erasure looks for."""
    return Wanted(Persons.of(ids, [KEYS], []), Marks([KEYS]))


def mentioned(wanted: Wanted, texts: Sequence[str]) -> list[bool]:
    """Which texts of others go."""
    made = [trace(f"t{n}", error_message=text) for n, text in enumerate(texts)]
    found = wanted.chosen("traces", pa.Table.from_batches([rows(made)]))
    return [bool(flag) for flag in found.mention]


def in_payloads(wanted: Wanted, payloads: Sequence[bytes]) -> list[bool]:
    """Which payloads go."""
    goes = np.zeros(len(payloads), np.bool_)
    _search(dict(enumerate(payloads)), wanted, goes)
    return [bool(flag) for flag in goes]


@pytest.mark.parametrize("one", IDS)
def test_every_way_to_write_an_id_is_found(one: str) -> None:
    """In texts of others and in payloads, whatever stands around it."""
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
        assert len(levels(text)) <= 16
