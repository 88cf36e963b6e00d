"""Redacts identifier fields: user ids, and the map ``segments``."""

import re
from collections.abc import Collection

from redact.crypto.pseudonyms import Pseudonyms
from redact.pipeline.record_slots import RecordSlots

_PSEUDONYM = re.compile(r"[A-Za-z0-9_-]{1,16}:[a-z2-7]{12}")
"""The form of a pseudonym, also of one under an older key."""

_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z_.-]{0,63}[0-9]{0,3}")


class IdentifierRedactor:
    """Replaces identifiers with pseudonyms; ``readable`` values of segments stay."""

    def __init__(self, pseudonyms: Pseudonyms, readable: Collection[str]) -> None:
        self._pseudonyms = pseudonyms
        self._readable = frozenset(readable)

    def replace(self, slots: RecordSlots, scope: str, *, redacted_before: bool = False) -> None:
        """Replace the identifiers of a record in place.

        With ``redacted_before`` they were replaced before; then those that are pseudonyms stay.
        """
        for slot in slots.maps:
            if slot.field_class is None:
                value = getattr(slot.owner, slot.name)
                new_values = self._hash_segments(value, scope, redacted_before=redacted_before)
                setattr(slot.owner, slot.name, new_values)
        for id_slot in slots.ids:
            if redacted_before and _PSEUDONYM.fullmatch(id_slot.value):
                continue
            new = self._pseudonyms.identifier("USER_ID", id_slot.value, scope)
            setattr(id_slot.owner, id_slot.name, new)

    def _hash_segments(
        self, segments: dict[str, str], scope: str, *, redacted_before: bool
    ) -> dict[str, str]:
        """Hash segment values that are not on the list, and keys that are not plain words."""
        return {
            key if _PLAIN_KEY.fullmatch(key) else self._hash(key, scope): value
            if value.casefold() in self._readable
            or (redacted_before and _PSEUDONYM.fullmatch(value))
            else self._hash(f"{key}={value}", scope)
            for key, value in segments.items()
        }

    def _hash(self, value: str, scope: str) -> str:
        return self._pseudonyms.identifier("SEGMENT", value, scope)
