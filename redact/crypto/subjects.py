"""Data subjects of erasures: their identifiers in the lake, and their marks in tombstones.

A mark is the first 16 bytes, in hex, of an HMAC-SHA256 under a key derived for erasure: it
recognises a given value, but reveals none. Tombstones (`lake.tombstones`) hold marks by the *name*
of their key (`Keys.name`).
"""

import hmac
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from redact.crypto.canonical import canonical_form, former_canonical_forms
from redact.crypto.keys import Keys
from redact.crypto.pseudonyms import Pseudonyms
from redact.policies.policy import PRESETS, load_policy

_KIND: Final = "USER_ID"
_PHONE: Final = "PHONE_NUMBER"
_SHORTEST_DIALLED: Final = 9
"""Minimum digits of a number without a country code to be unambiguous."""
_MARK_DIGITS: Final = 32
PHONE_REGIONS: Final = tuple(load_policy(PRESETS[0]).regions)
"""The regions of the default preset, `strict`."""

LAKE_SCOPE: Final = ""
"""The scope of pseudonyms that are the same in all apps."""


class DataSubject:
    """A person, identified by the raw user id that producers write."""

    def __init__(
        self, user_id: str, keys: Sequence[Keys], regions: Sequence[str] = PHONE_REGIONS
    ) -> None:
        """Take the raw id and all ``keys`` that were ever used, as `load_all_keys` returns them.

        ``regions`` are those of the policy, for an id that is a telephone number.
        """
        self._user_id, self._keys, self._regions = user_id, tuple(keys), tuple(regions)

    def __repr__(self) -> str:
        return "DataSubject(...)"

    def identifiers(self, scopes: Iterable[str] = ()) -> frozenset[str]:
        """Return the values that a column of user ids may have for this person.

        ``scopes`` are the names of the apps whose policy has ``scope: app``; the scope of the lake
        is always included. So is the raw id, because the policy `off` keeps it.
        """
        makers = [Pseudonyms(keys) for keys in self._keys]
        made = {
            maker.identifier(_KIND, self._user_id, scope)
            for maker in makers
            for scope in {LAKE_SCOPE, *scopes}
        }
        return frozenset({*made, self._user_id})

    def placeholders(self, scopes: Iterable[str] = ()) -> frozenset[str]:
        """Return the stand-ins of this person's id in redacted text; ``scopes`` as above.

        An id that is an e-mail address or a telephone number is redacted as one, too. For a number
        the stand-ins that earlier versions gave to its spellings are included.
        """
        return frozenset(
            form
            for keys in self._keys
            for maker in (Pseudonyms(keys, self._regions),)
            for kind in self._kinds()
            for scope in {LAKE_SCOPE, *scopes}
            for token in {
                maker.token(kind, self._user_id, scope),
                *maker.former_tokens(kind, self._user_id, scope),
            }
            for form in (f"<{kind}:{token}>", f"{keys.key_id}:{token}", f"#{token}")
        )

    def marks(self, scopes: Iterable[str] = ()) -> Mapping[str, Sequence[str]]:
        """Return the marks of this person for a tombstone, by the name of the key.

        They cover the raw id and its stand-ins, for producers that send pseudonyms.
        """
        values = self.identifiers(scopes) | {
            form for form in self.placeholders(scopes) if form.startswith(f"<{_KIND}:")
        }
        return {keys.name: sorted({user_mark(keys, v) for v in values}) for keys in self._keys}

    def dialled(self) -> frozenset[str]:
        """Return the usual digit forms of this id if it is a telephone number."""
        if not self._is_phone() or canonical_form(_PHONE, self._user_id, self._regions)[0] != "+":
            return frozenset()
        forms = former_canonical_forms(_PHONE, self._user_id, self._regions)
        return frozenset(form for form in forms if len(form) >= _SHORTEST_DIALLED)

    def _is_phone(self) -> bool:
        digits = sum(letter.isdigit() for letter in self._user_id)
        return digits >= 7 and not any(letter.isalpha() for letter in self._user_id)

    def _kinds(self) -> list[str]:
        mail = "@" in self._user_id
        return [_KIND, *["EMAIL_ADDRESS"] * mail, *[_PHONE] * self._is_phone()]


def user_mark(keys: Keys, user_id: str) -> str:
    """Return the mark of a user id: the same for all spellings with the same pseudonym."""
    return _mark(keys, "user", canonical_form(_KIND, user_id))


def trace_mark(keys: Keys, trace_id: str) -> str:
    """Return the mark of a trace id."""
    return _mark(keys, "trace", trace_id)


def feedback_mark(keys: Keys, feedback_id: str) -> str:
    """Return the mark of a feedback id."""
    return _mark(keys, "feedback", feedback_id)


def event_mark(keys: Keys, label_event_id: str) -> str:
    """Return the mark of a label event."""
    return _mark(keys, "label event", label_event_id)


def marks_of_events(keys: Sequence[Keys], event_ids: Collection[str]) -> dict[str, list[str]]:
    """Return the marks of label events for the log of their table, by the name of the key."""
    return {key.name: sorted(event_mark(key, i) for i in event_ids) for key in keys}


def marks_of_traces(keys: Sequence[Keys], trace_ids: Collection[str]) -> dict[str, list[str]]:
    """Return the marks of traces for a tombstone, by the name of the key."""
    return {key.name: sorted(trace_mark(key, trace_id) for trace_id in trace_ids) for key in keys}


def marks_of_feedback(keys: Sequence[Keys], feedback_ids: Collection[str]) -> dict[str, list[str]]:
    """Return the marks of feedback for a tombstone, by the name of the key."""
    return {key.name: sorted(feedback_mark(key, i) for i in feedback_ids) for key in keys}


def _mark(keys: Keys, kind: str, value: str) -> str:
    message = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
    return hmac.digest(keys.erasure, message, "sha256").hex()[:_MARK_DIGITS]
