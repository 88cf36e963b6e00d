"""A redacted segment, and the replacements in it."""

import msgspec


class RenderedReplacement(msgspec.Struct, frozen=True, gc=False):
    """One replacement: its type, operator and position in the output (in characters)."""

    type: str
    operator: str
    start: int
    end: int


def shift_replacement(replaced: RenderedReplacement, by: int) -> RenderedReplacement:
    """Return the same replacement ``by`` characters further on."""
    return RenderedReplacement(
        replaced.type, replaced.operator, replaced.start + by, replaced.end + by
    )


class RenderedSegment(msgspec.Struct, frozen=True, gc=False):
    """A redacted segment and its replacements."""

    text: str
    replaced: tuple[RenderedReplacement, ...]
