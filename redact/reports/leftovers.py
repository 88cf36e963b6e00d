"""Counts by type what a policy would still replace in stored records.

The redactor itself scans, with every operator of the policy replaced by `placeholder`: a new
placeholder in a record is a leftover. Stand-ins from an earlier pass, under whatever key or
operator, are first rewritten as placeholders under the current key, so that none is a finding.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from redact.crypto.keys import Keys
from redact.crypto.pseudonyms import PLACEHOLDER, Pseudonyms
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.data_types import DATA_TYPES
from redact.policies.policy import PolicyOverride, RedactionPolicy, RedactionRule
from schemas.errors import UsageError
from schemas.record_batches import RecordKind, batch_records

USER_ID: Final = "USER_ID"
SEGMENT: Final = "SEGMENT"
"""The type of values of the map ``segments`` that the policy would hash."""

_MASK: Final = re.compile(rf"<({'|'.join(DATA_TYPES)})>")
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_-]{1,16}:[a-z2-7]{12}")
_HASH: Final = re.compile(r"#([a-z2-7]{12})(?![A-Za-z0-9])")
_IDS: Final = ("user_id", "segments")
"""Fields that redaction replaces entirely, by pseudonyms."""
_STAND_IN: Final = ("<", "#", ":")


@dataclass(frozen=True, slots=True)
class RecordLeftovers:
    """The leftovers in one record: number of values by type.

    ``refused`` is the reason why the worker would reject the record today, None if it would not.
    """

    types: Mapping[str, int]
    refused: str | None = None

    @property
    def nothing(self) -> bool:
        """Return whether the record may stay unchanged."""
        return not self.types and self.refused is None


class LeftoverFinder:
    """Finds leftovers in stored records, under one policy.

    ``all_keys`` are the keys of existing stand-ins, the current one first. Raises UsageError if the
    policy is `off`, which replaces nothing.
    """

    def __init__(self, policy: RedactionPolicy, all_keys: Sequence[Keys]) -> None:
        if policy.off:
            raise UsageError("The policy `off` replaces nothing: choose another one with --policy.")
        self._engine = PolicyRedactor(_with_placeholders(policy), all_keys[0])
        self._stand_ins = _StandIns([Pseudonyms(keys) for keys in all_keys])
        self.policy_hash = policy.hash_with(self._engine.model)

    def find(self, kind: RecordKind, records: Sequence[Any]) -> list[RecordLeftovers]:
        """Return the leftovers of each record. The records are changed and must not be used."""
        for record in records:
            for name in record.__struct_fields__:
                own = self._stand_ins.own_id if name in _IDS else self._stand_ins.own
                setattr(record, name, _rewrite(getattr(record, name), own))
        before = [_texts(record) for record in records]
        redacted = self._engine.in_place(batch_records(kind, "#scan", records))
        refused = {rejection.raw.offset: rejection.reason for rejection in redacted.rejected}
        return [
            RecordLeftovers({}, refused[row])
            if row in refused
            else RecordLeftovers(self._count_new(before[row], record))
            for row, record in enumerate(records)
        ]

    def _count_new(self, before: Mapping[str, Sequence[str]], record: Any) -> dict[str, int]:
        """Return the number of new stand-ins in a record, by type."""
        counts: Counter[str] = Counter()
        for name, new in _texts(record).items():
            old = before[name]
            if new != old:
                counts += self._stand_ins.count(name, new) - self._stand_ins.count(name, old)
        return dict(sorted(counts.items()))


class _StandIns:
    """Recognises the stand-ins of redaction under any of several keys."""

    def __init__(self, pseudonyms: Sequence[Pseudonyms]) -> None:
        self._first, self._pseudonyms = pseudonyms[0], pseudonyms
        names = "|".join(sorted({re.escape(each.key_id) for each in pseudonyms}))
        self._pseudonym = re.compile(rf"(?<![\w-])((?:{names}):[a-z2-7]{{12}})(?![A-Za-z0-9])")

    def own_id(self, value: str) -> str:
        """Return an id unchanged, or if it is a pseudonym, as a pseudonym of the first key."""
        return self._first.identifier(USER_ID, value) if self.is_identifier(value) else value

    def own(self, text: str) -> str:
        """Return a text with each stand-in replaced by one of the first key."""
        if not any(sign in text for sign in _STAND_IN):
            return text
        text = PLACEHOLDER.sub(self._placeholder, text)
        text = _MASK.sub(lambda match: self._first.placeholder(match[1], ""), text)
        text = self._pseudonym.sub(self._in_prose, text)
        return _HASH.sub(self._hash, text)

    def is_identifier(self, text: str) -> bool:
        """Return whether a value is a pseudonym of a user id.

        A destroyed key cannot verify anything, so an unknown key name is accepted.
        """
        if not _IDENTIFIER.fullmatch(text):
            return False
        key_id = text.partition(":")[0]
        asked = [pseudonyms for pseudonyms in self._pseudonyms if pseudonyms.key_id == key_id]
        return not asked or any(pseudonyms.is_identifier(text) for pseudonyms in asked)

    def count(self, field: str, texts: Iterable[str]) -> Counter[str]:
        """Return the number of stand-ins of the first key, by type."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text[a + 1 : b - 14] for a, b in self._first.own_placeholders(text))
            if self._first.is_identifier(text):
                counts[SEGMENT if field == "segments" else USER_ID] += 1
        return counts

    def _placeholder(self, match: re.Match[str]) -> str:
        if match[1] not in DATA_TYPES or self._first.is_token(match[2]):
            return match[0]
        return self._first.placeholder(match[1], match[2])

    def _in_prose(self, match: re.Match[str]) -> str:
        if not self.is_identifier(match[1]):
            return match[0]
        return self._first.placeholder(USER_ID, match[1])

    def _hash(self, match: re.Match[str]) -> str:
        is_own = any(pseudonyms.is_token(match[1]) for pseudonyms in self._pseudonyms)
        return self._first.placeholder("SECRET", match[1]) if is_own else match[0]


def _with_placeholders(policy: RedactionPolicy) -> RedactionPolicy:
    """Return the policy with the operator `placeholder` for every type that it replaces."""
    return policy.model_copy(
        update={
            "entities": _rules(policy.entities),
            "fields": {name: _override(override) for name, override in policy.fields.items()},
            "apps": {name: _override(override) for name, override in policy.apps.items()},
        }
    )


def _override(part: PolicyOverride) -> PolicyOverride:
    return part.model_copy(update={"entities": _rules(part.entities)})


def _rules(rules: Mapping[str, RedactionRule]) -> dict[str, RedactionRule]:
    return {
        kind: rule
        if rule.operator == "keep"
        else rule.model_copy(update={"operator": "placeholder"})
        for kind, rule in rules.items()
    }


def _texts(record: Any) -> dict[str, list[str]]:
    """Return all texts below each field of a record, including keys of maps."""
    return {name: list(_strings(getattr(record, name))) for name in record.__struct_fields__}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _strings(getattr(value, name))


def _rewrite(value: Any, change: Callable[[str], str]) -> Any:
    """Return a value with each text in it changed; records in it are changed in place."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _rewrite(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_rewrite(item, change) for item in value]
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            setattr(value, name, _rewrite(getattr(value, name), change))
    return value
