"""Which rows of a release an erasure wants gone."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from batch.release.format.rows import canonical_json

_DEPTH: Final = 3


class MatchReason(StrEnum):
    """Why a row goes: it is the person's own, or it is of somebody else and names the person."""

    OWN = "own"
    MENTION = "mention"


@dataclass(frozen=True, repr=False)
class ErasureCriteria:
    """What makes a row one that has to go.

    ``trace_ids``, ``user_ids`` and ``label_events`` are compared with the columns ``trace_id``,
    ``user_id`` and ``label_event_id``; ``touched`` are traces of others of which something names
    the person, in whatever column of the lake; ``marks`` are texts that make a row a mention
    wherever in it they stand; ``mails`` are addresses in small letters, for ``user_id``. ``search``
    tells whether a text names the person in another way.
    """

    trace_ids: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    user_ids: frozenset[str] = frozenset()
    label_events: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()
    mails: frozenset[str] = frozenset()
    search: Callable[[str], bool] = lambda _text: False
    _marked: re.Pattern[str] | None = field(init=False, default=None, compare=False)

    def __post_init__(self) -> None:
        if self.marks:
            forms = {form for mark in self.marks for form in _forms(mark)}
            pattern = "|".join(re.escape(form) for form in sorted(forms))
            object.__setattr__(self, "_marked", re.compile(pattern))

    def why(self, row: Mapping[str, Any]) -> MatchReason | None:
        """Return why a row (JSON values) has to go, None if it may stay."""
        user = row["user_id"]
        if row["trace_id"] in self.trace_ids or user in self.user_ids:
            return MatchReason.OWN
        if user is not None and user.lower() in self.mails:
            return MatchReason.OWN
        named = row["trace_id"] in self.touched or row["label_event_id"] in self.label_events
        return MatchReason.MENTION if named or self.stands_in(canonical_json(row)) else None

    def stands_in(self, data: bytes) -> bool:
        """Tell whether a mark stands in a text."""
        text = data.decode(errors="replace")
        return bool(self._marked and self._marked.search(text)) or self.search(text)

    def names(self, document: Mapping[str, Any], data: bytes) -> bool:
        """Tell whether a manifest (as read, and its bytes) names a trace of these, or a mark."""
        spec = document["spec"]
        named = {*spec["must_include"], *spec["adversarial"]}
        return bool(named & (self.trace_ids | self.touched)) or self.stands_in(data)


def _forms(mark: str) -> set[str]:
    """Return how a text may stand in JSON, in JSON within JSON, and in that within JSON."""
    forms = {mark}
    for _ in range(_DEPTH):
        forms |= {json.dumps(f, ensure_ascii=plain)[1:-1] for f in forms for plain in (True, False)}
    return forms
