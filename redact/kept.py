"""Fields that are stored as they are (ids, models, versions): looked at, and hashed where personal.

Some producers make the id of a session or a document of a telephone number, an e-mail address or an
account. Such a value becomes a keyed pseudonym, the same in both topics, so what is joined by it
still joins. The ids that commands and other programs name a record by stay as they are sent: if one
of these holds something personal, the record is refused.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from redact.audit import Replacement
from redact.fields import Kept, Places
from redact.findings import Detector, Finding
from redact.kinds import NUMBER_LIKE
from redact.names import NameFinder, found_in
from redact.pseudonyms import Pseudonyms

JOIN_KEYS: Final = frozenset({"trace_id", "feedback_id"})
"""Fields that name a record, here and in other programs."""

_KIND: Final = "ID"
_TYPES: Final = NUMBER_LIKE | {
    "EMAIL_ADDRESS",
    "IBAN_CODE",
    "IP_ADDRESS",
    "MAC_ADDRESS",
    "HOST",
    "SECRET",
    "USER_ID",
    "VEHICLE_ID",
    "MEDICAL_RECORD",
    "HEALTH_PLAN_ID",
}
_PREFIX: Final = re.compile(r"[A-Za-z]\w{0,20}[:/#-](.{7,80})\Z")
"""What some producers put before an address or a number (`chat-`, `user/`), and what follows."""
_GAP: Final = "\n\n"
_MOST_CLEAN: Final = 50_000


class PersonalId(NamedTuple):
    """A kept field that holds something personal: where it stands, and of which type that is."""

    owner: Any
    name: str
    path: str
    value: str
    type: str


class KeptFields:
    """Finds and hashes what is personal in fields of the class `keep`.

    ``counts`` says of a finding whether the policy replaces it.
    """

    def __init__(
        self, detector: Detector, pseudonyms: Pseudonyms, counts: Callable[[Finding], bool]
    ) -> None:
        self._detector = detector
        self._pseudonyms = pseudonyms
        self._counts = counts
        self._clean: set[tuple[str, ...]] = set()

    def personal(self, places: Places, finders: Sequence[NameFinder]) -> list[PersonalId]:
        """Return the kept fields of a record that hold something personal.

        ``finders`` look for what the record itself says of persons. Raises TextTimeoutError.
        """
        found = dict(self._by_pattern(places.kept))
        if finders:
            found |= dict(_by_name(_values(places.kept), finders))
        if not found:
            return []
        return [
            PersonalId(kept.owner, name, path, value, found[value])
            for kept in places.kept
            for (name, path), value in zip(kept.fields, kept.values, strict=True)
            if value in found
        ]

    def put(self, personal: Iterable[PersonalId]) -> list[Replacement]:
        """Replace such values where they are; return what was done, for the audit."""
        done = []
        for each in personal:
            new = self._pseudonyms.identifier(_KIND, each.value)
            setattr(each.owner, each.name, new)
            done.append(Replacement(each.path, each.type, "pseudonym", 0, len(new)))
        return done

    def _by_pattern(self, kept: Iterable[Kept]) -> list[tuple[str, str]]:
        """Return the values in which the detector finds something, each with its type."""
        fresh = [each for each in _texts(kept) if each not in self._clean]
        if not fresh:
            return []
        if not self._found(_GAP.join([text for texts in fresh for text in texts])):
            if len(self._clean) > _MOST_CLEAN:
                self._clean.clear()
            self._clean.update(fresh)
            return []
        alone = ((texts[0], self._found(_GAP.join(texts))) for texts in fresh)
        return [(value, findings[0].type) for value, findings in alone if findings]

    def _found(self, text: str) -> list[Finding]:
        return [
            finding
            for finding in self._detector.find(text)
            if finding.type in _TYPES
            and self._counts(finding)
            and not (finding.type in NUMBER_LIKE and text[finding.start : finding.end].isdecimal())
        ]


def _texts(kept: Iterable[Kept]) -> Iterator[tuple[str, ...]]:
    """Yield each value, and what stands behind a prefix in one that is an id."""
    for each in kept:
        for (name, _), value in zip(each.fields, each.values, strict=True):
            if value:
                prefixed = _PREFIX.match(value) if name.endswith("id") else None
                yield (value, prefixed[1]) if prefixed else (value,)


def _values(kept: Iterable[Kept]) -> list[str]:
    return [value for each in kept for value in each.values if value]


def _by_name(values: Iterable[str], finders: Sequence[NameFinder]) -> list[tuple[str, str]]:
    """Return the values in which something stands that the record taught, each with its type.

    Of a person it must be more than one word: a tool or a model may be called like somebody.
    """
    return [
        (value, finding.type)
        for value in values
        for finding in found_in(value, finders)
        if finding.type != "PERSON" or " " in value[finding.start : finding.end].strip()
    ]
