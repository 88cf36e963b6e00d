"""The criteria by which an erasure selects rows of a release."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from batch.release.format.commitments import canonical_json
from batch.release.format.manifest import Manifest
from batch.release.format.rows import ReleaseRow

_DEPTH: Final = 3


class MatchReason(StrEnum):
    """Why a row is erased: it belongs to the person, or belongs to another and names the person."""

    OWN = "own"
    MENTION = "mention"


@dataclass(frozen=True, repr=False)
class ErasureCriteria:
    """The ids, marks and texts that select a row.

    ``trace_ids``, ``user_ids`` and ``label_events`` are compared with the columns ``trace_id``,
    ``user_id`` and ``label_event_id``. ``touched`` are traces of other persons that name the
    subject in some column of the lake. ``marks`` are texts that make a row a mention wherever they
    occur in it. ``mails`` are addresses in lower case, compared with ``user_id``. ``search``
    returns whether a text names the person in another way.
    """

    trace_ids: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    user_ids: frozenset[str] = frozenset()
    label_events: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()
    mails: frozenset[str] = frozenset()
    search: Callable[[str], bool] = lambda _text: False
    _pattern: re.Pattern[str] | None = field(init=False, default=None, compare=False)

    def __post_init__(self) -> None:
        if self.marks:
            forms = {form for mark in self.marks for form in _encoded_forms(mark)}
            pattern = "|".join(re.escape(form) for form in sorted(forms))
            object.__setattr__(self, "_pattern", re.compile(pattern))

    def match(self, row: ReleaseRow) -> MatchReason | None:
        """Return why a row is to be erased, None if it stays."""
        user = row["user_id"]
        if row["trace_id"] in self.trace_ids or user in self.user_ids:
            return MatchReason.OWN
        if user is not None and user.lower() in self.mails:
            return MatchReason.OWN
        named = row["trace_id"] in self.touched or row["label_event_id"] in self.label_events
        return MatchReason.MENTION if named or self.occur_in(canonical_json(row)) else None

    def occur_in(self, data: bytes) -> bool:
        """Return whether a mark, or a text that ``search`` finds, occurs in a file."""
        text = data.decode(errors="replace")
        return bool(self._pattern and self._pattern.search(text)) or self.search(text)

    def occur_in_manifest(self, manifest: Manifest, data: bytes) -> bool:
        """Return whether a manifest (as read, and its bytes) names a selected trace, or a mark."""
        spec = manifest["spec"]
        named = {*spec["must_include"], *spec["adversarial"]}
        return bool(named & (self.trace_ids | self.touched)) or self.occur_in(data)


def _encoded_forms(mark: str) -> set[str]:
    """Return the forms of a text in JSON, in JSON within JSON, and in JSON within that."""
    forms = {mark}
    for _ in range(_DEPTH):
        forms |= {json.dumps(f, ensure_ascii=plain)[1:-1] for f in forms for plain in (True, False)}
    return forms
