"""A string, a number or a key of a JSON text."""

from typing import Literal

import msgspec


class JsonLeaf(msgspec.Struct, frozen=True, gc=False):
    """A string or number of a JSON text, or a key that could contain personal data.

    ``start`` and ``end`` are the span of the literal in the text, including quotation marks.
    ``text`` is its value, ``key`` its key and ``label`` that key in words. ``rule`` is a type,
    ``HARMLESS``, or None if no rule applies. ``owner`` is the number of the object around it. With
    ``certain`` the rule applies to any value; ``part`` is the part of a name, as in
    :class:`redact.field_keys.key_book.FieldKey`.
    """

    start: int
    end: int
    text: str
    key: str
    label: str
    rule: str | None
    owner: int
    kind: Literal["string", "number", "key"]
    certain: bool = True
    part: str = ""
