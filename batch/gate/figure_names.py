"""Names of a run's figures in other tools: each is valid there, and no two figures share one.

A part of a name that a tool allows stays as it is. Of any other part the letters and digits stay,
and a digest of all of it follows.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, NamedTuple, TypeAlias

FigureParts: TypeAlias = tuple[str, ...]
"""What a name is made of, such as a segment, its value and a metric. Any text may stand in it."""

_DIGITS: Final = 12
_LONGEST: Final = 64
_KEPT: Final = 40
_LOOKS_CUT: Final = re.compile(r"(?:.*_)?[0-9a-f]{12}")
_OTHER: Final = re.compile(r"[^A-Za-z0-9]+")


class NameStyle(NamedTuple):
    """What a tool allows: the form of a part, and what stands between parts and for a dot."""

    part: re.Pattern[str]
    joint: str
    dot: str

    def spell(self, parts: FigureParts) -> str:
        """Return the parts as one name."""
        return self.joint.join(map(self._spell_part, parts))

    def _spell_part(self, text: str) -> str:
        is_short = len(text) <= _LONGEST
        if is_short and self.part.fullmatch(text) and not _LOOKS_CUT.fullmatch(text):
            return text.replace(".", self.dot)
        kept = _OTHER.sub("_", text)[:_KEPT].strip("_")
        return "_".join(filter(None, (kept, _digest(text))))


PATHS: Final = NameStyle(re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*"), joint="/", dot=".")
"""``retrieval.hit_rate/low``: MLflow puts what stands under one path into one group."""
PLAIN: Final = NameStyle(re.compile(r"[A-Za-z0-9]+(?:[_.][A-Za-z0-9]+)*"), joint="__", dot="__")
"""``retrieval__hit_rate__low``: letters, digits and underscores, which W&B can sort and filter."""


@dataclass(slots=True)
class FigureNames:
    """Gives out names in one style. The same parts have the same name, and others another."""

    style: NameStyle
    _taken: dict[str, FigureParts] = field(default_factory=dict)

    def name(self, parts: FigureParts, identity: Iterable[str] = ()) -> str:
        """Return the name of parts; with ``identity`` the same parts can be two things."""
        whole = (*parts, *identity)
        name = self.style.spell(parts)
        if self._taken.setdefault(name, whole) != whole:
            name = self.style.spell((*parts[:-1], f"{parts[-1]} {_digest(*whole)}"))
            self._taken[name] = whole
        return name


def _digest(*texts: str) -> str:
    return sha256("\0".join(texts).encode()).hexdigest()[:_DIGITS]
