"""Strings at random that a regular expression matches, from a seed."""

import random
import re
import string
from typing import Any

_PRINTABLE = string.ascii_letters + string.digits + "-_.+"
_LONGEST = 12
"""Most repetitions beyond the minimum of an open repeat."""


def sample(expression: str, rng: random.Random) -> str:
    """Return a string that the expression matches; assertions are left to the caller."""
    parsed = re._parser.parse(expression)  # type: ignore[attr-defined]
    return "".join(_each(parsed, rng, folded=False))


def _each(items: Any, rng: random.Random, *, folded: bool) -> list[str]:
    return [_of(str(operator), value, rng, folded=folded) for operator, value in items]


def _of(  # noqa: PLR0911  # one return for each kind of part
    operator: str, value: Any, rng: random.Random, *, folded: bool
) -> str:
    if operator == "LITERAL":
        return _cased(chr(value), rng, folded=folded)
    if operator == "IN":
        return _cased(rng.choice(_members(value)), rng, folded=folded)
    if operator == "ANY":
        return rng.choice(_PRINTABLE)
    if operator == "BRANCH":
        return "".join(_each(rng.choice(value[1]), rng, folded=folded))
    if operator == "SUBPATTERN":
        _, add, remove, inner = value
        folded = (folded or bool(add & re.IGNORECASE)) and not remove & re.IGNORECASE
        return "".join(_each(inner, rng, folded=folded))
    if operator in ("MAX_REPEAT", "MIN_REPEAT"):
        least, most, inner = value
        times = rng.randint(least, min(int(most), least + _LONGEST))
        return "".join("".join(_each(inner, rng, folded=folded)) for _ in range(times))
    if operator in ("ASSERT", "ASSERT_NOT", "AT"):
        return ""
    raise ValueError(f"no sample of {operator}")


def _cased(character: str, rng: random.Random, *, folded: bool) -> str:
    return rng.choice((character.lower(), character.upper())) if folded else character


def _members(items: Any) -> str:
    members = ""
    for operator, value in items:
        if str(operator) == "LITERAL":
            members += chr(value)
        elif str(operator) == "RANGE":
            members += "".join(map(chr, range(value[0], value[1] + 1)))
        elif str(operator) == "CATEGORY":
            members += "\n" if str(value) == "CATEGORY_SPACE" else _PRINTABLE
        elif str(operator) == "NEGATE":
            return _PRINTABLE
    return members
