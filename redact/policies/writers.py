"""Whose text a field holds: who wrote a message, by its role, or which other field it is.

A policy says by these words which texts the model for names reads.
"""

from collections.abc import Mapping
from typing import Final, Literal, get_args

Writer = Literal["user", "assistant", "system", "tool", "retrieved", "error", "attributes"]
"""Where a text comes from: who wrote a message, or which other field holds the text."""

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
"""Writers by the role of a message in lower case; any other role is taken for a user's."""

_FIELDS: Final[Mapping[str, Writer]] = {
    "response": "assistant",
    "arguments": "tool",
    "result": "tool",
    "error": "tool",
    "error_message": "error",
    "text": "retrieved",
    "attributes": "attributes",
}
"""Writers by the name of a field; a field that is not here is a user's."""


def writer_of_role(role: str) -> Writer:
    """Return who writes the messages of a role; a role that nobody knows is a user's."""
    return _ROLES.get(role.lower(), "user")


def writer_of_field(name: str) -> Writer:
    """Return whose text a field holds that is no part of a message."""
    return _FIELDS.get(name, "user")
