"""Combinations that are not promised, each with the reason; all others must hold."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from redact.lexical.given_names import is_given_name
from tests.redact.hunt.value import Value

if TYPE_CHECKING:
    from tests.redact.hunt.combine import Shape


class Exclusion(NamedTuple):
    """A reason, and which combinations it takes out."""

    reason: str
    holds: "Callable[[Value, Shape], bool]"


EXCLUSIONS = (
    Exclusion(
        "An encoding of the container stands on top of the disguise: two layers are not promised.",
        lambda v, s: s.container.encoded and s.disguise != "plain" and s.disguise not in v.forms,
    ),
    Exclusion(
        "A value over two lines is cut in two where a line is a record of its own.",
        lambda v, s: (
            ("lines" in s.disguise or "\n" in v.text)
            and (s.container.pairs is not None or s.container.one_line)
            and not s.container.json
        ),
    ),
    Exclusion(
        "A key file in a disguise is no key file that a program reads.",
        lambda v, s: "\n" in v.text and s.disguise != "plain",
    ),
    Exclusion(
        "A colon that touches an address of colons belongs to it.",
        lambda v, s: v.kind in {"IPv6", "MAC"} and s.neighbour.name == "colon",
    ),
    Exclusion(
        "Words for at and dot need spaces around them: touching letters make other words.",
        lambda _, s: s.disguise in {"at and dot", "spaced"} and s.neighbour.tight,
    ),
    Exclusion(
        "A number that passes as a card's under the key of an id stays (docs/redaction.md).",
        lambda v, s: v.kind == "card" and s.way == "in an id",
    ),
    Exclusion(
        "The bare key `name` is that of a step, a file or a column in all formats but JSON.",
        lambda _, s: s.way == "under its key" and s.key == "name" and not s.container.json,
    ),
    Exclusion(
        "After `it's` and `this is`, and after `I'm` in small letters, the rules know 20,000 given "
        "names; for others there is the model, whose recall is measured.",
        lambda v, s: (
            v.kind == "name introduced"
            and s.lead in {"it's ", "Hello, this is ", "hi, I'm "}
            and (s.lead != "hi, I'm " or v.text.islower())
            and not is_given_name(v.text.split()[0])
        ),
    ),
)


def why_not(value: Value, shape: "Shape") -> str | None:
    """Return why a combination is not promised, None if it is."""
    return next((one.reason for one in EXCLUSIONS if one.holds(value, shape)), None)
