"""Scans the output for residual personal data, by other means than the detectors.

The checks are few and strict, and share neither expressions nor caches with the detectors. None of
the identities that the record states may occur in the output. The context of a value (its key, the
word for a thing before it) is judged as in the detectors, so that both agree on what is an id and
not a card.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from mypy_extensions import mypyc_attr

from redact.analysis.json_leaves import is_json_document, read_leaves
from redact.analysis.segment_cache import SegmentCache, segment_key
from redact.crypto.pseudonyms import PLACEHOLDER
from redact.field_keys.key_book import KeyBook
from redact.field_keys.key_meaning import HARMLESS
from redact.identities.identity import NO_IDENTITIES, IdentityValue
from redact.lexical.normalisation import normalise
from redact.lexical.scripts import are_joined
from redact.lexical.thing_numbers import belongs_to_thing
from redact.pairs import read_pairs
from redact.policies.data_types import NUMBER_LIKE
from redact.policies.policy import RedactionPolicy, RedactionRule
from redact.recognition.numbers.cards import has_card_brand, passes_luhn

_MAIL = re.compile(
    r"[\w.+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,8}\.[a-z]{2,24}(?![a-z0-9-])", re.I
)
_VERSIONED = re.compile(r"@[0-9]+(?:\.[0-9]+)+\.[a-z]+\Z", re.I)
"""A package version in a file name: `lodash@7.19.17.csv`."""
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9.+-])(?<![0-9],)[0-9](?:[ -]?[0-9]){12,18}(?![A-Za-z0-9]|[.,][0-9])"
)
_SSN = re.compile(
    r"(?<![A-Za-z0-9-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![A-Za-z0-9-])"
)
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?:[ ]?[A-Z0-9]{4}){2,7}[ ]?[A-Z0-9]{0,4}(?![A-Za-z0-9])"
)
_SECRET = re.compile(
    r"(?:(?:AKIA|ASIA)[A-Z2-7]{16}|gh[pousr]_[A-Za-z0-9]{30}|xox[abp]-[0-9A-Za-z-]{10}"
    r"|eyJ[\w-]{10,2000}\.eyJ[\w-]{5})(?:\.?[A-Za-z0-9_-]){0,4000}"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
)
_IBAN_SHAPE = re.compile(rb"AA00[A0]{8}")
_GITHUB = ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")
_SHAPE = bytes.maketrans(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"0" * len("0123456789") + b"A" * 26
)
"""Each digit becomes 0, each capital A, so that the shape of a number can be searched for."""
_CHECKS: Final[Mapping[str, re.Pattern[str]]] = {
    "EMAIL_ADDRESS": _MAIL,
    "CREDIT_CARD": _NUMBER,
    "US_SSN": _SSN,
    "IBAN_CODE": _IBAN,
    "SECRET": _SECRET,
}
RESIDUAL_SCAN_BYTES = 8 * 1024 * 1024
_WEIGHT = 320
"""Approximate size in bytes of a cache entry for a clean output."""

_SHORTEST = 6
_MAX_DEPTH = 6
_NOTHING: Final[tuple[IdentityValue, ...]] = ()


class _Match(NamedTuple):
    """A value in a text that matches one of the expressions here."""

    type: str
    start: int
    end: int


@mypyc_attr(acyclic=True)
class _ScannedText:
    """What the scan has found in an output, and identities that do not occur in it.

    A conversation repeats its history, and states the same identities in each of its records.
    """

    __slots__ = ("absent", "values")

    def __init__(self, values: tuple[IdentityValue, ...]) -> None:
        self.values = values
        self.absent = NO_IDENTITIES


class ResidualScanner:
    """Scans outputs under one policy; ``book`` gives the meaning of keys in them."""

    def __init__(self, policy: RedactionPolicy, secret: bytes, book: KeyBook) -> None:
        self._secret = secret
        self._book = book
        self._allowed = frozenset(word.casefold() for word in policy.allow)
        self._cache: SegmentCache[_ScannedText] = SegmentCache(RESIDUAL_SCAN_BYTES)
        self._kinds = frozenset(kind for kind in _CHECKS if _replaced_everywhere(policy, kind))

    def left(
        self,
        outputs: Iterable[str],
        learnt: Iterable[IdentityValue],
        rules: Mapping[str, RedactionRule],
    ) -> frozenset[IdentityValue]:
        """Return the personal values that remain in the outputs of a record.

        ``learnt`` are the identities that the record states; ``rules`` are those of its texts.
        """
        forbidden = frozenset([each for each in learnt if _is_forbidden(each, rules)])
        residual: set[IdentityValue] = set()
        for text in outputs:
            scanned = self._scanned(text)
            residual.update(scanned.values)
            if forbidden == scanned.absent:
                forbidden = scanned.absent  # outputs of a conversation share one set
            elif not forbidden <= scanned.absent:
                occurring = self._occurring(forbidden - scanned.absent, text)
                residual.update(occurring)
                scanned.absent = forbidden.difference(occurring) if occurring else forbidden
        return frozenset(residual)

    def _scanned(self, text: str) -> _ScannedText:
        key = segment_key(self._secret, text, b"proof")
        scanned = self._cache.get(key)
        if scanned is None:
            normal = normalise(text)
            values = self._scan(text) or (self._scan(normal.text) if normal else _NOTHING)
            scanned = _ScannedText(values)
            self._cache.store(key, scanned, _WEIGHT)
        return scanned

    def _occurring(self, identities: Iterable[IdentityValue], text: str) -> list[IdentityValue]:
        """Return the identities that occur in a text."""
        lowered = text.lower()
        return [
            identity
            for identity in identities
            if identity.value.lower() in lowered and self._occurs(identity.value, text)
        ]

    def _scan(self, text: str) -> tuple[IdentityValue, ...]:
        may = [kind for kind in _possible_types(text) if kind in self._kinds]
        if not may:
            return _NOTHING
        bare = PLACEHOLDER.sub(lambda match: " " * len(match[0]), text)
        return tuple(
            IdentityValue(match.type, bare[match.start : match.end])
            for match in _matches(bare, may)
            if bare[match.start : match.end].casefold() not in self._allowed
            and not self._is_of_a_thing(text, match)
        )

    def _is_of_a_thing(self, text: str, match: _Match) -> bool:
        """Return whether a number belongs to a thing by the word or the key before it."""
        if match.type not in NUMBER_LIKE:
            return False
        value = text[match.start : match.end]
        return belongs_to_thing(text, match.start, match.end, match.type) or (
            not any(mark in value for mark in "+( ")
            and self._under_harmless_key(text, match.start, value, 0)
        )

    def _under_harmless_key(self, text: str, start: int, value: str, depth: int) -> bool:
        if depth >= _MAX_DEPTH:
            return False
        if not is_json_document(text):
            return any(
                pair.start <= start and start + len(value) <= pair.end
                for pair in read_pairs(text)
                if self._book.read(pair.key).rule == HARMLESS
            )
        for leaf in read_leaves(text, self._book):
            if leaf.start <= start < leaf.end and leaf.kind != "key":
                if leaf.rule == HARMLESS:
                    return True
                inner = leaf.text.find(value)
                return inner >= 0 and self._under_harmless_key(leaf.text, inner, value, depth + 1)
        return False

    def _occurs(self, value: str, text: str) -> bool:
        """Return whether a value occurs in a text, not as part of a longer word."""
        if value.casefold() in self._allowed:
            return False
        bare = PLACEHOLDER.sub(" ", text)
        return any(
            not are_joined(bare[match.start() - 1 : match.start()], match[0][0])
            and not are_joined(match[0][-1], bare[match.end() : match.end() + 1])
            for match in re.finditer(re.escape(value), bare, re.IGNORECASE)
        )


def _matches(text: str, kinds: Iterable[str]) -> Iterator[_Match]:
    for kind in kinds:
        for match in _CHECKS[kind].finditer(text):
            if _has_valid_check(kind, match[0]):
                yield _Match(kind, *match.span())


def _possible_types(text: str) -> list[str]:
    """Return the types that a text may contain, by a sign that each type requires."""
    kinds: list[str] = []
    if "@" in text:
        kinds.append("EMAIL_ADDRESS")
    shape = text.encode("utf-8", "surrogatepass").translate(_SHAPE)
    if b"000-00-0000" in shape:
        kinds.append("US_SSN")
    closed = shape.translate(None, b" -")
    if b"0000000000000" in closed:
        kinds.append("CREDIT_CARD")
    if b"AA00" in closed and _IBAN_SHAPE.search(closed):
        kinds.append("IBAN_CODE")
    if _may_hold_secret(text):
        kinds.append("SECRET")
    return kinds


def _may_hold_secret(text: str) -> bool:
    # One character is found several times as fast as a word.
    return (
        ("K" in text and "AKIA" in text)
        or ("I" in text and "ASIA" in text)
        or ("-" in text and "-----B" in text)
        or ("J" in text and "eyJ" in text)
        or ("x" in text and "xox" in text)
        or ("gh" in text and any(begin in text for begin in _GITHUB))
    )


def _is_forbidden(learnt: IdentityValue, rules: Mapping[str, RedactionRule]) -> bool:
    """Return whether an identity must not occur in the output; a first name may be a word."""
    rule = rules.get(learnt.type)
    if rule is None or rule.operator == "keep" or len(learnt.value) < _SHORTEST:
        return False
    return learnt.type != "PERSON" or " " in learnt.value


def _has_valid_check(kind: str, value: str) -> bool:
    """Return whether a match has valid check digits."""
    if kind == "CREDIT_CARD":
        digits = re.sub(r"\D", "", value)
        return passes_luhn(digits) and has_card_brand(digits) and len(set(digits)) > 1
    if kind == "IBAN_CODE":
        return _is_iban(value.replace(" ", ""))
    return kind != "EMAIL_ADDRESS" or _VERSIONED.search(value) is None


def _is_iban(code: str) -> bool:
    """Check an IBAN by ISO 7064, modulo 97 (ISO 13616)."""
    if not 15 <= len(code) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in code[4:] + code[:4])) % 97 == 1


def _replaced_everywhere(policy: RedactionPolicy, kind: str) -> bool:
    """Return whether a type is replaced in every class of fields and every app."""
    everywhere = [policy.rules(None)]
    everywhere += [policy.rules(field_class) for field_class in policy.fields]
    everywhere += [policy.rules(None, app) for app in policy.apps]
    rules = [part.get(kind) for part in everywhere]
    return all(rule is not None and rule.operator != "keep" and rule.score < 1 for rule in rules)
