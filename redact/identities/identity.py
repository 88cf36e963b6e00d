"""A personal value that a record states, and the variants that it is searched for in."""

import msgspec


class IdentityValue(msgspec.Struct, frozen=True, gc=False):
    """A personal value that a record states. For a PERSON ``value`` is the full name."""

    type: str
    value: str


NO_IDENTITIES: frozenset[IdentityValue] = frozenset()


class NameVariant(msgspec.Struct, frozen=True, gc=False):
    """One variant of a value: its words in lower case, and unchanged if case matters."""

    words: tuple[str, ...]
    exact: tuple[str, ...] | None
