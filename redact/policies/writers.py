"""The writer of a text: the author of a message, by its role, or the kind of another field.

A policy selects by these words the texts that the name model reads.
"""

from collections.abc import Mapping
from typing import Final, Literal, get_args

Writer = Literal["user", "assistant", "system", "tool", "retrieved", "error", "attributes"]
"""Origin of a text: the author of a message, or the kind of another field."""

WRITERS: Final[tuple[Writer, ...]] = get_args(Writer)

_ROLES: Final[Mapping[str, Writer]] = {
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
    "ipython": "tool",
}
"""Writers by the role of a message in lower case; any other role is a user."""

_FIELDS: Final[Mapping[str, Writer]] = {
    "response": "assistant",
    "arguments": "tool",
    "result": "tool",
    "error": "tool",
    "error_message": "error",
    "text": "retrieved",
    "attributes": "attributes",
}
"""Writers by the name of a field; any other field is a user's."""


def writer_of_role(role: str) -> Writer:
    """Return the writer of messages of a role; an unknown role is a user."""
    return _ROLES.get(role.lower(), "user")


def writer_of_field(name: str) -> Writer:
    """Return the writer of a field that is not part of a message."""
    return _FIELDS.get(name, "user")
