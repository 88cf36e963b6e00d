"""Walks over a record, and collects its text by the contract's classes."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

from redact.pipeline.record_slots import IdSlot, MapSlot, RecordSlots, StoredFields, TextSlot
from redact.policies.policy import FieldClass
from redact.policies.writers import writer_of_field, writer_of_role
from schemas.contract import CONTRACTS, ContractField, FieldType, Pii


class _Step:
    """How to process a field: ``treat`` adds its value to the slots; None is for texts."""

    def __init__(
        self, field: ContractField, inner: "_Level | None", treat: "_Treat | None"
    ) -> None:
        self.name: Final = field.name
        self.path: Final = field.path
        self.field_class: Final = _CLASS.get(field.pii)
        self.inner: Final = inner
        self.empty: Final = _empty(field)
        self.writer: Final = writer_of_field(field.name)
        self.treat: Final = treat


_Treat = Callable[[_Step, Any, Any, RecordSlots], None]


class _Level:
    """The relevant fields of one kind of record, read in one call."""

    def __init__(
        self, steps: tuple[_Step, ...], stored: tuple[tuple[str, str], ...], *, has_role: bool
    ) -> None:
        self.steps: Final = steps
        self.values: Final = _getter([step.name for step in steps])
        self.stored: Final = stored
        self.stored_values: Final = _getter([name for name, _ in stored])
        self.has_role: Final = has_role

    def walk(self, owner: Any, slots: RecordSlots) -> None:
        """Collect the slots of a record and of the records in it."""
        role = writer_of_role(owner.role) if self.has_role else None
        slots.stored.append(StoredFields(owner, self.stored, self.stored_values(owner)))
        for step, value in zip(self.steps, self.values(owner), strict=True):
            if not value:
                continue
            if step.treat is not None:
                step.treat(step, owner, value, slots)
            elif step.field_class is not None:
                writer = role or step.writer
                slot = TextSlot(owner, step.name, step.path, value, step.field_class, writer)
                slots.texts.append(slot)


class FieldWalker:
    """Walks over the records of one contract."""

    def __init__(self, contract: str) -> None:
        self._level = _level(CONTRACTS[contract].fields)

    def slots(self, record: Any) -> RecordSlots:
        """Return the slots of a record; fields of class `drop` are emptied at once."""
        slots = RecordSlots([], [], [], [])
        if self._level is not None:
            self._level.walk(record, slots)
        return slots


def _add_map(step: _Step, owner: Any, _value: Any, slots: RecordSlots) -> None:
    slots.maps.append(MapSlot(owner, step.name, step.path, step.field_class))


def _add_identifier(step: _Step, owner: Any, value: Any, slots: RecordSlots) -> None:
    slots.ids.append(IdSlot(owner, step.name, value))


def _empty_field(step: _Step, owner: Any, _value: Any, _slots: RecordSlots) -> None:
    setattr(owner, step.name, step.empty)


def _walk_records(step: _Step, _owner: Any, value: Any, slots: RecordSlots) -> None:
    if step.inner is not None:
        for item in value:
            step.inner.walk(item, slots)


_CLASS: dict[Pii, FieldClass] = {Pii.REDACT: "redact", Pii.REDACT_JSON: "redact_json"}


def _level(fields: tuple[ContractField, ...]) -> _Level | None:
    stored = tuple((field.name, field.path) for field in fields if _is_stored_text(field))
    steps = tuple(step for field in fields if (step := _step(field)) is not None)
    if not steps and not stored:
        return None
    return _Level(steps, stored, has_role=any(field.name == "role" for field in fields))


def _getter(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a getter of the named fields that returns a tuple, even for a single name."""
    if not names:
        return lambda _owner: ()
    if len(names) > 1:
        return attrgetter(*names)
    get = attrgetter(names[0])
    return lambda owner: (get(owner),)


def _is_stored_text(field: ContractField) -> bool:
    """Return whether a field is stored unchanged and could hold text."""
    return not field.fields and field.pii is Pii.KEEP and field.type is FieldType.STRING


def _step(field: ContractField) -> _Step | None:
    """Return how to process a field, None if it is never personal."""
    if not field.fields and field.pii is Pii.KEEP and field.type is not FieldType.MAP:
        return None
    inner = _level(field.fields) if field.fields else None
    treat: _Treat | None = _add_identifier
    if field.fields:
        treat = _walk_records
    elif field.pii is Pii.DROP:
        treat = _empty_field
    elif field.type is FieldType.MAP:
        treat = _add_map
    elif field.pii in _CLASS:
        treat = None
    if treat is _walk_records and inner is None:
        return None
    return _Step(field, inner, treat)


def _empty(field: ContractField) -> Any:
    if field.nullable:
        return None
    return {FieldType.MAP: {}, FieldType.STRING: ""}.get(field.type, [])
