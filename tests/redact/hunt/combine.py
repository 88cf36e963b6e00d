"""One combination: a value, a disguise, its neighbours, a container and a field.

``draw`` takes them at random from a seed and the number of the combination; the same two give the
same combination. ``build`` makes the record of a value and a :class:`Shape`.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.redact.hunt import contacts, credentials, health, national, numbers, phones
from tests.redact.hunt.containers import PAIRS, PROSE, Container, Pair
from tests.redact.hunt.disguises import DISGUISES
from tests.redact.hunt.exclusions import why_not
from tests.redact.hunt.fields import (
    ID_FIELDS,
    TEXT,
    Record,
    field_names,
    record_with,
    schema_of,
    with_echo,
)
from tests.redact.hunt.harmless import HARMLESS
from tests.redact.hunt.judge import left
from tests.redact.hunt.neighbours import BY_NAME, NEIGHBOURS, OPEN, WORDS, Neighbour
from tests.redact.hunt.value import Maker, Value
from tests.redact.lines import LineSchema

PERSONAL: tuple[Maker, ...] = (
    contacts.name_under_key, contacts.name_under_key, contacts.name_in_two_fields,
    contacts.name_in_two_fields, contacts.name_introduced, contacts.name_introduced,
    contacts.email, contacts.email, contacts.internal_mail, phones.phone_international,
    phones.phone_international, phones.phone_national, phones.phone_us,
    contacts.street_address, contacts.address_under_key, contacts.zip_code, contacts.birth_date,
    contacts.user_id, contacts.ip_address, contacts.ipv6_address, contacts.mac_address,
    contacts.host, numbers.card, numbers.card, numbers.security_code, numbers.iban, numbers.iban,
    numbers.wallet, numbers.bank_account, national.ssn, national.ssn_announced, national.itin,
    national.passport, national.driving_licence, national.national_id, national.national_id,
    health.health_number, credentials.password_said, credentials.password_word,
    credentials.token_under_key, credentials.secret_in_header, credentials.vendor_key,
    credentials.vendor_key,
)  # fmt: skip
_NEUTRAL_KEYS = ("note", "remark", "value", "field 3", "content", "text")
_BESIDE: tuple[Pair, ...] = (
    ("order id", "48213375"), ("status", "open"), ("lines", 3), ("total", "49.90"),
    ("city", "Lisbon"), ("updated", "2026-03-14"), ("plan", "basic"), ("seats", 2),
    ("currency", "EUR"), ("shipped", "yes"),
)  # fmt: skip
_ID_PREFIXES = ("", "whatsapp:", "user/", "chat-", "s#")
_MARK = "\u2603"
"""Replaces a value when only the rest of a record is checked."""


@dataclass(frozen=True)
class Shape:
    """All of a combination but its value.

    ``way`` is how the value is made known: `said` in a text, `under its key`, `under another key`,
    `in an id`. ``key`` and ``lead`` are those that announce it; ``seed`` drives the container.
    """

    way: str
    container: Container
    neighbour: Neighbour
    field: str
    disguise: str = "plain"
    key: str = ""
    lead: str = ""
    number: bool = False
    echo: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Combination:
    """A record to redact, with what must be gone from it; harmless if nothing must."""

    identity: str
    value: Value
    shape: Shape
    record: Record

    @property
    def schema(self) -> LineSchema:
        """Return the schema of the record."""
        return schema_of(self.shape.field)

    @property
    def harmless(self) -> bool:
        """Return whether the record must come out as it is."""
        return not (self.value.gone or self.value.words)

    def axes(self) -> dict[str, str]:
        """Return the position of the combination on each axis, by the name of the axis."""
        shape = self.shape
        return {
            "type": self.value.kind,
            "disguise": shape.disguise,
            "way": shape.way,
            "container": shape.container.name,
            "neighbour": shape.neighbour.name,
            "field": shape.field,
            "policy": self.value.policy,
        }


def draw(seed: int, number: int) -> tuple[Combination, Combination]:
    """Return a combination and its harmless twin, of the same container, neighbour and field."""
    rng = Random(f"{seed}:{number}")  # noqa: S311
    while True:
        value, shape = candidate(rng)
        if why_not(value, shape) is None and not _says_it_anyway(value, shape):
            break
    personal = build(f"{seed}:{number}", value, shape)
    return personal, _twin(f"{seed}:{number}t", shape, rng)


def candidate(rng: Random) -> tuple[Value, Shape]:
    """Return a personal value and a shape, whether or not the two are promised together."""
    value = rng.choice(PERSONAL)(rng)
    return value, _shape(value, rng)


def build(identity: str, value: Value, shape: Shape) -> Combination:
    """Return the combination of a value and a shape."""
    text = _text(value, shape, Random(shape.seed))  # noqa: S311
    record = record_with(shape.field, text)
    if shape.echo and value.echo:
        record = with_echo(shape.field, record, value.echo)
    return Combination(identity, value, shape, record)


def _shape(value: Value, rng: Random) -> Shape:
    way = rng.choice(_ways(value, rng))
    container = rng.choice(PROSE if way == "said" and rng.random() < 0.6 else PAIRS)
    lead = rng.choice(value.leads) if way == "said" and value.leads else ""
    fields = list(ID_FIELDS) if way == "in an id" else field_names()
    field = rng.choice([one for one in fields if value.policy == "strict" or one != TEXT])
    if value.parts:
        key = ""
    else:
        key = rng.choice(value.keys) if way == "under its key" else rng.choice(_NEUTRAL_KEYS)
    shape = Shape(
        way=way,
        container=container if way != "in an id" else PROSE[0],
        neighbour=_neighbour(value, way, lead, rng),
        field=field,
        key=key if way != "in an id" else rng.choice(_ID_PREFIXES),
        lead=lead,
        echo=way != "in an id" and rng.random() < 0.3,
        seed=rng.getrandbits(32),
    )
    return dataclasses.replace(shape, **_spelling(value, shape, rng))


def _ways(value: Value, rng: Random) -> list[str]:
    if value.parts:
        return ["under its key"]
    ways = ["under its key"] if value.keys else []
    if value.leads or value.alone:
        ways += ["said"] * 2
    if value.alone:
        ways.append("under another key")
        if rng.random() < 0.15 and "\n" not in value.text and " " not in value.text:
            ways = ["in an id"]
    return ways


def _neighbour(value: Value, way: str, lead: str, rng: Random) -> Neighbour:
    if way != "said":
        return BY_NAME["alone"]
    if value.ends_open:
        return rng.choice(OPEN)
    return rng.choice(WORDS if lead or not value.alone else NEIGHBOURS)


def _spelling(value: Value, shape: Shape, rng: Random) -> dict[str, Any]:
    """Return the disguise of a value, and whether it is a number in JSON."""
    if rng.random() < 0.5 or shape.way == "in an id":
        number = (
            value.number and shape.way != "said" and value.text.isdigit() and rng.random() < 0.4
        )
        return {"number": number}
    return {"disguise": rng.choice([*DISGUISES, *value.forms, *value.forms])}


def _written(value: Value, shape: Shape) -> str:
    if shape.disguise == "plain":
        return value.text
    if shape.disguise in value.forms:
        return value.forms[shape.disguise]
    return DISGUISES[shape.disguise](value.text)


def _text(value: Value, shape: Shape, rng: Random) -> str:
    written = _written(value, shape)
    if shape.way == "in an id":
        return shape.key + written
    said = written
    if shape.way == "said":
        said = f"{shape.neighbour.before}{shape.lead}{written}{shape.neighbour.after}"
    if shape.container.prose is not None:
        return shape.container.prose(said)
    pairs = _pairs(value, shape, said)
    assert shape.container.pairs is not None
    return shape.container.pairs(_among(pairs, rng), rng)


def _pairs(value: Value, shape: Shape, said: str) -> list[Pair]:
    if not value.parts or shape.way != "under its key":
        return [(shape.key, int(said) if shape.number and len(said) < 19 else said)]
    spell = DISGUISES.get(shape.disguise, str)
    return [(key, spell(part)) for key, part in value.parts]


def _among(pairs: Sequence[Pair], rng: Random) -> list[Pair]:
    """Return the pairs in their order, between some harmless ones."""
    beside = rng.sample(_BESIDE, rng.randrange(1, 4))
    at = rng.randrange(len(beside) + 1)
    return [*beside[:at], *pairs, *beside[at:]]


def _says_it_anyway(value: Value, shape: Shape) -> bool:
    """Return whether the rest of the record holds what must be gone, by chance."""
    parts = tuple((key, _MARK) for key, _ in value.parts)
    blank = dataclasses.replace(value, text=_MARK, forms={}, parts=parts, echo="")
    plain = dataclasses.replace(shape, disguise="plain", number=False)
    return bool(left(build("", blank, plain).record, value.gone, value.words))


def _twin(identity: str, shape: Shape, rng: Random) -> Combination:
    while True:
        value = rng.choice(HARMLESS)(rng)
        twin = _twin_shape(value, shape, rng)
        if twin is not None and why_not(value, twin) is None:
            return build(identity, value, twin)


def _twin_shape(value: Value, shape: Shape, rng: Random) -> Shape | None:
    """Return the shape with the announcement of a harmless value; None if they do not combine."""
    plain = dataclasses.replace(shape, echo=False, lead="", number=False, disguise="plain")
    if shape.way == "in an id":
        return plain if value.kind in {"UUID", "id of 13 to 19 digits", "epoch"} else None
    if shape.way == "said":
        if not (value.alone or value.leads):
            return None
        lead = "" if value.alone else rng.choice(value.leads)
        touching = shape.neighbour in NEIGHBOURS and (
            not value.alone or value.kind == "ordinary words"
        )
        neighbour = (
            rng.choice(WORDS) if touching and shape.neighbour not in WORDS else shape.neighbour
        )
        return dataclasses.replace(
            plain, lead=lead, neighbour=neighbour, key=rng.choice(_NEUTRAL_KEYS)
        )
    if not value.keys:
        return None
    number = value.number and rng.random() < 0.4
    return dataclasses.replace(
        plain, way="under its key", key=rng.choice(value.keys), number=number
    )
