"""Scans fields that are stored unchanged (ids, models, versions); hashes values with personal data.

Some producers build a session or document id from a telephone number, an e-mail address or an
account. Such a value becomes a keyed pseudonym, the same in both topics, so that joins on it still
work. Ids that commands and other programs use to name a record stay unchanged: if one of these
contains something personal, the record is rejected.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from redact.crypto.pseudonyms import Pseudonyms
from redact.identities.identity_search import (
    IdentityFinder,
    RecordIdentities,
    SearchableText,
    find_identities,
)
from redact.lexical.findings import Detector, PiiFinding
from redact.pipeline.audit import AuditReplacement
from redact.pipeline.record_slots import RecordSlots, StoredFields
from redact.policies.data_types import NUMBER_LIKE

JOIN_KEYS: Final = frozenset({"trace_id", "feedback_id"})
"""Fields that identify a record, here and in other programs."""

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
"""A prefix before an address or a number (`chat-`, `user/`), and the rest."""
_GAP: Final = "\n\n"
_MOST_CLEAN: Final = 16_384
_LONGEST_CLEAN: Final = 256
_TOGETHER: Final = 2_000
"""Total length of values that are scanned as one text."""

_RANDOM: Final = re.compile(
    r"(?!\d+\Z)[0-9a-f]{32}(?:[0-9a-f]{8}|[0-9a-f]{32})?"
    r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
)
"""A UUID, or a hexadecimal number of that length or of a hash: these have no findings."""


class PersonalId(NamedTuple):
    """A stored field with a personal value: its position in the record, and the type."""

    owner: Any
    name: str
    path: str
    value: str
    type: str


class StoredFieldScanner:
    """Finds and hashes personal values in fields of class `keep`.

    ``counts`` returns whether the policy replaces a finding. With ``denied`` the policy has words
    of its own, which may occur anywhere, even in random numbers.
    """

    def __init__(
        self,
        detector: Detector,
        pseudonyms: Pseudonyms,
        counts: Callable[[PiiFinding], bool],
        *,
        denied: bool = False,
    ) -> None:
        self._detector = detector
        self._pseudonyms = pseudonyms
        self._counts = counts
        self._random = None if denied else _RANDOM
        self._clean: set[str] = set()
        self._random_values: set[str] = set()

    def groups(self, records: Iterable[RecordSlots]) -> list[list[str]]:
        """Return the values of many records that are not yet known to be clean, in groups."""
        groups: list[list[str]] = []
        room = 0
        values = _values(fields for record in records for fields in record.stored)
        clean, random = self._clean, self._random
        new = [value for value in dict.fromkeys(values) if value not in clean]
        self._random_values = {
            value for value in new if random is not None and random.fullmatch(value)
        }
        for value in new:
            if value in self._random_values:
                continue
            if len(value) > room:
                groups.append([])
                room = _TOGETHER
            groups[-1].append(value)
            room -= len(value)
        return groups

    def check_together(self, values: Sequence[str]) -> None:
        """Scan values together, which is cheaper, and remember which are clean.

        Raises TextTimeoutError.
        """
        if not self._detect(_join_values(values)):
            self._remember(values)
        elif len(values) > 1:
            half = len(values) // 2
            self.check_together(values[:half])
            self.check_together(values[half:])

    def personal(self, slots: RecordSlots, names: RecordIdentities) -> list[PersonalId]:
        """Return the stored fields of a record with a personal value.

        ``names`` are the identities that the record itself states. Raises TextTimeoutError.
        """
        values = _values(slots.stored)
        types = dict(self._types_by_pattern(values))
        if names.finders:
            types |= dict(_types_by_name(list(dict.fromkeys(values)), names))
        if not types:
            return []
        return [
            PersonalId(fields.owner, name, path, value, types[value])
            for fields in slots.stored
            for (name, path), value in zip(fields.fields, fields.values, strict=True)
            if value in types
        ]

    def replace(self, personal: Iterable[PersonalId]) -> list[AuditReplacement]:
        """Replace these values in place; return the replacements, for the audit."""
        replaced = []
        for each in personal:
            new = self._pseudonyms.identifier(_KIND, each.value)
            setattr(each.owner, each.name, new)
            replaced.append(AuditReplacement(each.path, each.type, "pseudonym", 0, len(new)))
        return replaced

    def _types_by_pattern(self, values: Iterable[str]) -> list[tuple[str, str]]:
        """Return the values with a finding of the detector, each with its type."""
        fresh = self._unchecked(values)
        if not fresh:
            return []
        if not self._detect(_join_values(fresh)):
            self._remember(fresh)
            return []
        alone = ((value, self._detect(_join_values([value]))) for value in fresh)
        return [(value, findings[0].type) for value, findings in alone if findings]

    def _unchecked(self, values: Iterable[str]) -> list[str]:
        """Return the distinct values that are not yet known to be clean."""
        clean, random_values, random = self._clean, self._random_values, self._random
        return [
            value
            for value in dict.fromkeys(values)
            if value not in clean
            and value not in random_values
            and not (random is not None and random.fullmatch(value))
        ]

    def _remember(self, clean: Iterable[str]) -> None:
        if len(self._clean) > _MOST_CLEAN:
            self._clean.clear()
        self._clean.update(value for value in clean if len(value) <= _LONGEST_CLEAN)

    def _detect(self, text: str) -> list[PiiFinding]:
        return [
            finding
            for finding in self._detector.find(text)
            if finding.type in _TYPES
            and self._counts(finding)
            and not (finding.type in NUMBER_LIKE and text[finding.start : finding.end].isdecimal())
        ]


def _join_values(values: Iterable[str]) -> str:
    """Return one text of all values, and of the rest of each value after a prefix."""
    texts = []
    for value in values:
        texts.append(value)
        prefixed = _PREFIX.match(value)
        if prefixed is not None:
            texts.append(prefixed[1])
    return _GAP.join(texts)


def _values(stored: Iterable[StoredFields]) -> list[str]:
    return [value for each in stored for value in each.values if value]


def _types_by_name(values: Sequence[str], names: RecordIdentities) -> Iterator[tuple[str, str]]:
    """Yield the values that contain an identity stated in the record, each with its type.

    A person's name must be more than one word: a tool or a model may have the name of a person.
    """
    occurrences = names.occurrences(SearchableText(_GAP.join(values)))
    finders: list[IdentityFinder] = [
        finder for finder in names.finders if finder.serial in occurrences
    ]
    if finders:
        for value in values:
            for finding in find_identities(value, finders):
                if finding.type != "PERSON" or " " in value[finding.start : finding.end].strip():
                    yield value, finding.type
