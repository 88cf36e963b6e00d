"""The places of a record that redaction processes: texts, maps, identifiers, stored fields."""

from typing import Any, Final

from mypy_extensions import mypyc_attr

from redact.policies.policy import FieldClass
from redact.policies.writers import Writer


@mypyc_attr(acyclic=True)
class TextSlot:
    """A field of a record that holds text: ``getattr(owner, name)``.

    ``path`` is the field's path in the contract.
    """

    __slots__ = ("field_class", "name", "owner", "path", "text", "writer")

    def __init__(  # noqa: PLR0913, PLR0917  # a plain record
        self,
        owner: Any,
        name: str,
        path: str,
        text: str,
        field_class: FieldClass,
        writer: Writer,
    ) -> None:
        self.owner: Final = owner
        self.name: Final = name
        self.path: Final = path
        self.text: Final = text
        self.field_class: Final = field_class
        self.writer: Final = writer


@mypyc_attr(acyclic=True)
class MapSlot:
    """A map in a record. ``field_class`` is None for a map of class `keep` (segments)."""

    __slots__ = ("field_class", "name", "owner", "path")

    def __init__(
        self,
        owner: Any,
        name: str,
        path: str,
        field_class: FieldClass | None,
    ) -> None:
        self.owner: Final = owner
        self.name: Final = name
        self.path: Final = path
        self.field_class: Final = field_class


@mypyc_attr(acyclic=True)
class IdSlot:
    """An identifier of a person in a record."""

    __slots__ = ("name", "owner", "value")

    def __init__(
        self,
        owner: Any,
        name: str,
        value: str,
    ) -> None:
        self.owner: Final = owner
        self.name: Final = name
        self.value: Final = value


@mypyc_attr(acyclic=True)
class StoredFields:
    """The texts of class `keep` of one object in a record: ids of things, models, versions.

    ``fields`` holds the name and contract path of each; ``values`` has the same length.
    """

    __slots__ = ("fields", "owner", "values")

    def __init__(
        self, owner: Any, fields: tuple[tuple[str, str], ...], values: tuple[str | None, ...]
    ) -> None:
        self.owner: Final = owner
        self.fields: Final = fields
        self.values: Final = values


@mypyc_attr(acyclic=True)
class RecordSlots:
    """All slots of one record that redaction processes."""

    __slots__ = ("ids", "maps", "stored", "texts")

    def __init__(
        self,
        texts: list[TextSlot],
        maps: list[MapSlot],
        ids: list[IdSlot],
        stored: list[StoredFields],
    ) -> None:
        self.texts = texts
        self.maps = maps
        self.ids = ids
        self.stored = stored
