"""The contract: the Avro schemas in ``avro/``, with each field's class of personal data.

Everything else about a record (its type, Arrow schema, documentation) is derived from here or
tested equal to it. Loading fails closed: a field with an unknown or missing class of personal data,
or with an undefined property, raises ``ContractError``.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final, TypeAlias

from fastavro import parse_schema
from fastavro.schema import (
    SchemaParseException,
    UnknownType,
    fingerprint,
    to_parsing_canonical_form,
)

from schemas.errors import FatalError

Avsc: TypeAlias = Mapping[str, Any]

CONTRACT_NAMES: Final = (
    "trace",
    "feedback",
    "label_event",
    "quarantine",
    "redaction",
    "review",
    "judgement",
    "answer_review",
    "otel_span",
)
"""Names of the contracts, which are the names of their files."""


class ContractError(FatalError):
    """A schema file is invalid. The message names the file and the field."""


class Pii(StrEnum):
    """The class of personal data of a field: how its content is treated (``meaning``)."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> "Pii":
        """Create a member from its value and its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    KEEP = "keep", "Never personal: stored as it is."
    REDACT = "redact", "Free text: personal data in it is replaced."
    REDACT_JSON = (
        "redact_json",
        "Text that may hold JSON: redacted leaf by leaf if it does, as free text if not.",
    )
    PSEUDONYMIZE = "pseudonymize", "Identifies a person: replaced by a keyed hash."
    DROP = "drop", "Never stored."


class FieldType(StrEnum):
    """The types that a field may have. ``records`` is an array of records, ``map`` is of text."""

    STRING = "string"
    LONG = "long"
    DOUBLE = "double"
    BYTES = "bytes"
    TIMESTAMP = "timestamp-micros"
    ENUM = "enum"
    MAP = "map"
    RECORDS = "records"


@dataclass(frozen=True, slots=True)
class FieldLimits:
    """The range of a number (inclusive), or of the length of a text in characters."""

    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class ContractField:
    """One field. ``path`` is its path in the record, as in ``messages[].tool_calls[].name``.

    ``has_default``: a producer may leave the field out. ``record`` is the Avro name of the records
    in an array and ``fields`` are their fields; ``symbols`` are the values of an enumeration.
    """

    name: str
    path: str
    type: FieldType
    nullable: bool
    has_default: bool
    pii: Pii
    doc: str
    limits: FieldLimits = FieldLimits()
    aliases: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    record: str | None = None
    fields: tuple["ContractField", ...] = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """One record of the contract.

    ``avro`` is the schema in the file, ``fingerprint`` its CRC-64-AVRO as 16 hex digits in the byte
    order of a single-object header. ``released`` holds every released version, by number.
    """

    name: str
    doc: str
    fields: tuple[ContractField, ...]
    avro: Avsc
    fingerprint: str
    released: Mapping[int, Avsc]

    def walk(self) -> Iterator[ContractField]:
        """Yield every field, a field before those within it."""
        return _walk(self.fields)

    def leaves(self) -> Iterator[ContractField]:
        """Yield the fields that hold values: all but the arrays of records."""
        return (field for field in self.walk() if field.type is not FieldType.RECORDS)


def parse_contract(name: str, avsc: Avsc, released: Mapping[int, Avsc] | None = None) -> Contract:
    """Return the contract that ``avsc`` describes, or raise ``ContractError``."""
    try:
        parse_schema(dict(avsc))
    except (SchemaParseException, UnknownType, LookupError, ValueError, TypeError) as error:
        raise ContractError(f"{name}.avsc is not a valid Avro schema: {error}") from error
    if avsc["type"] != "record":
        raise ContractError(f"{name}.avsc must hold one record")
    return Contract(
        name=name,
        doc=avsc.get("doc", ""),
        fields=_fields(name, avsc, ""),
        avro=avsc,
        fingerprint=schema_fingerprint(avsc),
        released=released or {},
    )


def schema_fingerprint(avsc: Avsc) -> str:
    """Return the CRC-64-AVRO of the parsing canonical form of a schema, as 16 hex digits.

    The digits are in the byte order of a single-object header (Avro specification 1.12,
    "Single-object encoding"). Raises fastavro's errors for an invalid schema.
    """
    return str(fingerprint(to_parsing_canonical_form(dict(avsc)), "CRC-64-AVRO"))


def load_contract(name: str) -> Contract:
    """Read a contract and its released versions from the package."""
    folder = files("schemas") / "avro"
    released = {
        int(entry.name.removesuffix(".avsc")): _read(entry)
        for entry in (folder / "released" / name).iterdir()
        if entry.name.endswith(".avsc")
    }
    return parse_contract(name, _read(folder / f"{name}.avsc"), dict(sorted(released.items())))


_PII_CLASSES: Final[Mapping[str, Pii]] = {pii.value: pii for pii in Pii}
_LIMITS: Final = ("minimum", "maximum", "min_length", "max_length")
_PROPERTIES: Final = frozenset({"name", "type", "default", "aliases", "pii", "doc", *_LIMITS})
_ALLOWED_LIMITS: Final = {
    FieldType.STRING: {"min_length", "max_length"},
    FieldType.LONG: {"minimum", "maximum"},
    FieldType.DOUBLE: {"minimum", "maximum"},
    FieldType.TIMESTAMP: {"minimum", "maximum"},
}


def _read(file: Traversable) -> Avsc:
    try:
        loaded = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ContractError(f"{file.name} is not valid JSON: {error}") from error
    if not isinstance(loaded, dict):
        raise ContractError(f"{file.name} must hold one record")
    return loaded


def _walk(fields: tuple[ContractField, ...]) -> Iterator[ContractField]:
    for field in fields:
        yield field
        yield from _walk(field.fields)


def _fields(contract: str, record: Avsc, prefix: str) -> tuple[ContractField, ...]:
    return tuple(_field(contract, entry, prefix) for entry in record["fields"])


def _field(contract: str, entry: Avsc, prefix: str) -> ContractField:
    name = entry["name"]
    where = f"{contract}.avsc, field `{prefix}{name}`"
    if unknown := entry.keys() - _PROPERTIES:
        raise ContractError(f"{where}: unknown property {', '.join(sorted(unknown))}")
    nullable, plain = _split_null(where, entry)
    kind = _type(where, plain)
    path = prefix + name
    inner: tuple[ContractField, ...] = ()
    if kind is FieldType.RECORDS:
        inner = _fields(contract, plain["items"], f"{path}[].")
    pii = _pii(where, entry, inner)
    return ContractField(
        name=name,
        path=path,
        type=kind,
        nullable=nullable,
        has_default="default" in entry,
        pii=pii,
        doc=_doc(where, entry),
        limits=_limits(where, kind, entry),
        aliases=tuple(entry.get("aliases", ())),
        symbols=tuple(plain["symbols"]) if kind is FieldType.ENUM else (),
        record=plain["items"]["name"] if kind is FieldType.RECORDS else None,
        fields=inner,
    )


def _split_null(where: str, entry: Avsc) -> tuple[bool, Any]:
    """Return whether a field is nullable (``["null", T]`` with default null), and ``T``."""
    declared = entry["type"]
    if not isinstance(declared, list):
        return False, declared
    if len(declared) != 2 or declared[0] != "null" or entry.get("default", ...) is not None:
        raise ContractError(f'{where}: an optional field is ["null", T] with the default null')
    return True, declared[1]


def _type(where: str, plain: Any) -> FieldType:
    match plain:
        case "string" | "long" | "double" | "bytes":
            return FieldType(plain)
        case {"type": "long", "logicalType": "timestamp-micros"}:
            return FieldType.TIMESTAMP
        case {"type": "enum"}:
            return FieldType.ENUM
        case {"type": "map", "values": "string"}:
            return FieldType.MAP
        case {"type": "array", "items": {"type": "record"}}:
            return FieldType.RECORDS
        case _:
            raise ContractError(f"{where}: goldpan has no column for a field of this type")


def _pii(where: str, entry: Avsc, inner: tuple[ContractField, ...]) -> Pii:
    pii = _PII_CLASSES.get(str(entry.get("pii")))
    if pii is None:
        raise ContractError(f"{where}: `pii` must be one of {', '.join(_PII_CLASSES)}")
    if pii is Pii.KEEP and any(field.pii is not Pii.KEEP for field in inner):
        raise ContractError(f"{where}: holds fields that are not `keep`, so it cannot be `keep`")
    return pii


def _doc(where: str, entry: Avsc) -> str:
    doc = entry.get("doc")
    if not isinstance(doc, str) or not doc:
        raise ContractError(f"{where}: `doc` must say what the field holds")
    return doc


def _limits(where: str, kind: FieldType, entry: Avsc) -> FieldLimits:
    given = {name: entry[name] for name in _LIMITS if name in entry}
    if wrong := given.keys() - _ALLOWED_LIMITS.get(kind, set()):
        raise ContractError(f"{where}: {', '.join(sorted(wrong))} means nothing for {kind}")
    return FieldLimits(**given)


CONTRACTS: Final[Mapping[str, Contract]] = {name: load_contract(name) for name in CONTRACT_NAMES}
"""Every contract by name, as the installed package holds them."""
