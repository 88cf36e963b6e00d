"""Where text stands in a record: the walk over a record that the contract's classes prescribe."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from redact.policy import FieldClass
from schemas.contract import CONTRACTS, Field, FieldType, Pii

PEOPLE_SAY = frozenset({"comment", "corrected_response"})
"""Fields in which people write freely; so they do in messages of the role `user`."""


class Slot(msgspec.Struct, frozen=True, gc=False):
    """A place in a record that holds text: ``getattr(owner, name)``.

    ``path`` is the field's path in the contract; ``free`` says that a person wrote it freely.
    """

    owner: Any
    name: str
    path: str
    text: str
    field_class: FieldClass
    free: bool


class MapSlot(msgspec.Struct, frozen=True, gc=False):
    """A map in a record. ``field_class`` is None for one whose class is `keep` (segments)."""

    owner: Any
    name: str
    path: str
    field_class: FieldClass | None


class IdSlot(msgspec.Struct, frozen=True, gc=False):
    """An identifier of a person in a record."""

    owner: Any
    name: str
    value: str


class Places(msgspec.Struct, gc=False):
    """All places of one record that redaction has to look at.

    ``kept`` are the values of fields that are stored as they are.
    """

    texts: list[Slot]
    maps: list[MapSlot]
    ids: list[IdSlot]
    kept: list[str]


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    path: str
    field_class: FieldClass | None
    inner: tuple["_Step", ...]
    field: Field
    kept: bool


class Walker:
    """Walks over the records of one contract."""

    def __init__(self, contract: str) -> None:
        self._steps = tuple(_steps(CONTRACTS[contract].fields))

    def places(self, record: Any) -> Places:
        """Return the places of a record; fields of the class `drop` are emptied at once."""
        places = Places([], [], [], [])
        self._walk(record, self._steps, places)
        return places

    def _walk(self, owner: Any, steps: tuple[_Step, ...], places: Places) -> None:
        for step in steps:
            value = getattr(owner, step.name)
            if not value:
                continue
            if step.inner:
                for item in value:
                    self._walk(item, step.inner, places)
            elif step.kept:
                places.kept.append(value)
            elif step.field.pii is Pii.DROP:
                setattr(owner, step.name, _empty(step.field))
            elif step.field.type is FieldType.MAP:
                places.maps.append(MapSlot(owner, step.name, step.path, step.field_class))
            elif step.field_class is None:
                places.ids.append(IdSlot(owner, step.name, value))
            else:
                free = step.name in PEOPLE_SAY or getattr(owner, "role", None) == "user"
                slot = Slot(owner, step.name, step.path, value, step.field_class, free)
                places.texts.append(slot)


def _steps(fields: tuple[Field, ...]) -> Iterator[_Step]:
    for field in fields:
        inner = tuple(_steps(field.fields))
        plain = field.pii is Pii.KEEP and field.type is not FieldType.MAP
        if field.fields:
            if not inner:
                continue
        elif plain and field.type is not FieldType.STRING:
            continue
        kept = plain and not inner
        yield _Step(field.name, field.path, _CLASS.get(field.pii), inner, field, kept)


_CLASS: dict[Pii, FieldClass] = {Pii.REDACT: "redact", Pii.REDACT_JSON: "redact_json"}


def _empty(field: Field) -> Any:
    if field.nullable:
        return None
    return {FieldType.MAP: {}, FieldType.STRING: ""}.get(field.type, [])
