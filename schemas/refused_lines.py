"""Says which rule a line of JSON breaks, without its content."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

_FIELD: Final = re.compile(r"`\$\.(\w+)`|field `(\w+)`")


def broken_rule(
    error: msgspec.ValidationError, form: type[msgspec.Struct], rules: Mapping[str, str]
) -> str:
    """Return the rule of the field that ``error`` names; ``rules`` has one for each field."""
    match = _FIELD.search(str(error))
    name = (match[1] or match[2]) if match else None
    if name in form.__struct_fields__:
        return rules[name]
    known = ", ".join(form.__struct_fields__)
    return f"the line has an unknown field; known fields are {known}"
