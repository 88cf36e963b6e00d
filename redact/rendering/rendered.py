"""A redacted segment, and the replacements in it."""

from typing import Final

from mypy_extensions import mypyc_attr


@mypyc_attr(acyclic=True)
class RenderedReplacement:
    """One replacement: its type, operator and position in the output (in characters)."""

    __slots__ = ("end", "operator", "start", "type")

    def __init__(
        self,
        type: str,  # noqa: A002  # as in Presidio
        operator: str,
        start: int,
        end: int,
    ) -> None:
        self.type: Final = type
        self.operator: Final = operator
        self.start: Final = start
        self.end: Final = end

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, RenderedReplacement)
            and self.type == other.type
            and self.operator == other.operator
            and self.start == other.start
            and self.end == other.end
        )

    def __hash__(self) -> int:
        return hash(
            (
                self.type,
                self.operator,
                self.start,
                self.end,
            )
        )


def shift_replacement(replaced: RenderedReplacement, by: int) -> RenderedReplacement:
    """Return the same replacement ``by`` characters further on."""
    return RenderedReplacement(
        replaced.type, replaced.operator, replaced.start + by, replaced.end + by
    )


@mypyc_attr(acyclic=True)
class RenderedSegment:
    """A redacted segment and its replacements."""

    __slots__ = ("replaced", "text")

    def __init__(
        self,
        text: str,
        replaced: tuple[RenderedReplacement, ...],
    ) -> None:
        self.text: Final = text
        self.replaced: Final = replaced
