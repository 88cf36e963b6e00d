"""The places of a record that redaction processes: texts, maps, identifiers, stored fields."""

from typing import Any, NamedTuple

import msgspec

from redact.policies.policy import FieldClass
from redact.policies.writers import Writer


class TextSlot(msgspec.Struct, frozen=True, gc=False):
    """A field of a record that holds text: ``getattr(owner, name)``.

    ``path`` is the field's path in the contract.
    """

    owner: Any
    name: str
    path: str
    text: str
    field_class: FieldClass
    writer: Writer


class MapSlot(msgspec.Struct, frozen=True, gc=False):
    """A map in a record. ``field_class`` is None for a map of class `keep` (segments)."""

    owner: Any
    name: str
    path: str
    field_class: FieldClass | None


class IdSlot(msgspec.Struct, frozen=True, gc=False):
    """An identifier of a person in a record."""

    owner: Any
    name: str
    value: str


class StoredFields(NamedTuple):
    """The texts of class `keep` of one object in a record: ids of things, models, versions.

    ``fields`` holds the name and contract path of each; ``values`` has the same length.
    """

    owner: Any
    fields: tuple[tuple[str, str], ...]
    values: tuple[str | None, ...]


class RecordSlots(msgspec.Struct, gc=False):
    """All slots of one record that redaction processes."""

    texts: list[TextSlot]
    maps: list[MapSlot]
    ids: list[IdSlot]
    stored: list[StoredFields]
