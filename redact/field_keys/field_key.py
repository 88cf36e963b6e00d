"""A key of a field with its meaning."""

from typing import Literal

import msgspec

from redact.field_keys.key_meaning import NamedHolder


class FieldKey(msgspec.Struct, frozen=True, gc=False):
    """A key and its meaning.

    ``name`` is the key, ``label`` its words before a colon, as context for the value below.
    ``rule`` is a type, ``HARMLESS``, or None if nothing is known. ``plain`` keys are words that
    contain nothing personal. With ``certain`` the key alone decides, otherwise the value must look
    like the type. ``part`` is the part of a name: `given`, `family`, or `name` for a key that says
    no more than that. ``below`` is the reach of the rule: objects below the key (`all`), or only
    values and lists (`values`). ``inherits`` is False if the rule of a key above does not apply.
    ``shows`` is what the key says about the object around it, ``holds`` about an object below.
    """

    name: str
    rule: str | None
    label: str
    plain: bool
    certain: bool = True
    part: str = ""
    below: Literal["all", "values"] = "all"
    inherits: bool = True
    shows: Literal["person", "thing", ""] = ""
    holds: NamedHolder = ""


NO_KEY = FieldKey("", None, "", plain=True)
