"""A personal value that a record states, and the variants that it is searched for in."""

from typing import Final

from mypy_extensions import mypyc_attr


@mypyc_attr(acyclic=True)
class IdentityValue:
    """A personal value that a record states. For a PERSON ``value`` is the full name."""

    __slots__ = ("type", "value")

    def __init__(
        self,
        type: str,  # noqa: A002  # as in Presidio
        value: str,
    ) -> None:
        self.type: Final = type
        self.value: Final = value

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, IdentityValue)
            and self.type == other.type
            and self.value == other.value
        )

    def __hash__(self) -> int:
        return hash(
            (
                self.type,
                self.value,
            )
        )


NO_IDENTITIES: frozenset[IdentityValue] = frozenset()


@mypyc_attr(acyclic=True)
class NameVariant:
    """One variant of a value: its words in lower case, and unchanged if case matters."""

    __slots__ = ("exact", "words")

    def __init__(
        self,
        words: tuple[str, ...],
        exact: tuple[str, ...] | None,
    ) -> None:
        self.words: Final = words
        self.exact: Final = exact

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, NameVariant)
            and self.words == other.words
            and self.exact == other.exact
        )

    def __hash__(self) -> int:
        return hash(
            (
                self.words,
                self.exact,
            )
        )
