"""The output looked through once more, by other means than those that made it.

The detectors here are few and strict, share neither expressions nor memory with the first ones,
and know in addition what the record itself taught: none of these values may stand in the output.
What is still found sends the record to quarantine.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from redact.cache import SegmentCache, segment_key
from redact.cards import known_brand, luhn
from redact.learn import Learnt
from redact.normalise import normalise
from redact.policy import Policy, Rule
from redact.pseudonyms import PLACEHOLDER

_MAIL = re.compile(
    r"[\w.+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,8}\.[a-z]{2,24}(?![\w-])", re.I
)
_NUMBER = re.compile(r"(?<![\w.,+-])[0-9](?:[ -]?[0-9]){12,18}(?![\w]|[.,][0-9])")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![\w-])")
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?:[ ]?[A-Z0-9]{4}){2,7}[ ]?[A-Z0-9]{0,4}(?![A-Za-z0-9])"
)
_SECRET = re.compile(
    r"(?:AKIA|ASIA)[A-Z2-7]{16}|gh[pousr]_[A-Za-z0-9]{30}|xox[abp]-[0-9A-Za-z-]{10}"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----|eyJ[\w-]{10,2000}\.eyJ[\w-]{5}"
)
_IBAN_SHAPE = re.compile(rb"AA00[A0]{8}")
_GITHUB = ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")
_SHAPE = bytes.maketrans(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"0" * len("0123456789") + b"A" * 26
)
"""Each digit is 0, each capital is A: so that the shape of a number can be searched for."""
_CHECKS = {
    "EMAIL_ADDRESS": _MAIL,
    "CREDIT_CARD": _NUMBER,
    "US_SSN": _SSN,
    "IBAN_CODE": _IBAN,
    "SECRET": _SECRET,
}
PROOF_BYTES = 16 * 1024 * 1024
_WEIGHT = 240
"""About what it takes to remember of one output that nothing is left in it, in bytes."""

_SHORTEST = 6


class Prover:
    """Looks through outputs under one policy."""

    def __init__(self, policy: Policy, secret: bytes) -> None:
        self._secret = secret
        self._allowed = frozenset(word.casefold() for word in policy.allow)
        self._seen: SegmentCache[str] = SegmentCache(PROOF_BYTES)
        self._kinds = frozenset(kind for kind in _CHECKS if _replaced_everywhere(policy, kind))

    def residual(
        self, outputs: Iterable[str], learnt: Iterable[Learnt], rules: Mapping[str, Rule]
    ) -> str | None:
        """Return a type of which something is left in the outputs, None if nothing is."""
        whole = list(outputs)
        for text in whole:
            kind = self._segment(text)
            if kind:
                return kind
        due = [one for one in learnt if _is_due(one, rules)]
        if not due:
            return None
        lowered = "\n".join(whole).lower()
        for one in due:
            if one.value.lower() in lowered and self._stands(one.value, whole):
                return one.type
        return None

    def kept(self, values: Sequence[str]) -> str | None:
        """Return a type found in values of fields that nobody redacts, None if nothing is."""
        together = "\n".join(values)
        if "@" in together and any(map(_MAIL.search, values)):
            return "EMAIL_ADDRESS"
        if _may_hold_secret(together) and any(map(_SECRET.search, values)):
            return "SECRET"
        return None

    def _segment(self, text: str) -> str:
        key = segment_key(self._secret, text, b"proof")
        kind = self._seen.get(key)
        if kind is None:
            normal = normalise(text)
            kind = self._look(text) or (self._look(normal.text) if normal else "")
            self._seen.put(key, kind, _WEIGHT)
        return kind

    def _look(self, text: str) -> str:
        may = self._kinds.intersection(_possible(text))
        if not may:
            return ""
        bare = PLACEHOLDER.sub(" ", text)
        for kind, pattern in _CHECKS.items():
            if kind not in may:
                continue
            for match in pattern.finditer(bare):
                if _holds(kind, match[0]) and match[0].casefold() not in self._allowed:
                    return kind
        return ""

    def _stands(self, value: str, outputs: Sequence[str]) -> bool:
        """Tell whether a value stands by itself in the outputs, not as a part of a longer word."""
        if value.casefold() in self._allowed:
            return False
        pattern = re.compile(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])", re.IGNORECASE)
        return any(pattern.search(PLACEHOLDER.sub(" ", output)) for output in outputs)


def _possible(text: str) -> Iterator[str]:
    """Yield the types that a text may hold at all, by what each of them cannot do without."""
    if "@" in text:
        yield "EMAIL_ADDRESS"
    shape = text.encode("utf-8", "surrogatepass").translate(_SHAPE)
    if b"000-00-0000" in shape:
        yield "US_SSN"
    closed = shape.translate(None, b" -")
    if b"0000000000000" in closed:
        yield "CREDIT_CARD"
    if b"AA00" in closed and _IBAN_SHAPE.search(closed):
        yield "IBAN_CODE"
    if _may_hold_secret(text):
        yield "SECRET"


def _may_hold_secret(text: str) -> bool:
    return (
        "AKIA" in text
        or "ASIA" in text
        or "-----B" in text
        or "eyJ" in text
        or "xox" in text
        or ("gh" in text and any([begin in text for begin in _GITHUB]))  # noqa: C419  # faster so
    )


def _is_due(learnt: Learnt, rules: Mapping[str, Rule]) -> bool:
    """Tell whether a learnt value may not stand in the output; a first name may be a word."""
    rule = rules.get(learnt.type)
    if rule is None or rule.operator == "keep" or len(learnt.value) < _SHORTEST:
        return False
    return learnt.type != "PERSON" or " " in learnt.value


def _holds(kind: str, value: str) -> bool:
    """Tell whether a match stands up to its check digits."""
    if kind == "CREDIT_CARD":
        digits = re.sub(r"\D", "", value)
        return luhn(digits) and known_brand(digits) and len(set(digits)) > 1
    if kind == "IBAN_CODE":
        return _iban(value.replace(" ", ""))
    return True


def _iban(code: str) -> bool:
    """Check an IBAN by ISO 7064, modulo 97 (ISO 13616)."""
    if not 15 <= len(code) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in code[4:] + code[:4])) % 97 == 1


def _replaced_everywhere(policy: Policy, kind: str) -> bool:
    """Tell whether a type is replaced whatever the class of fields and the app."""
    everywhere = [policy.rules(None)]
    everywhere += [policy.rules(field_class) for field_class in policy.fields]
    everywhere += [policy.rules(None, app) for app in policy.apps]
    rules = [part.get(kind) for part in everywhere]
    return all(rule is not None and rule.operator != "keep" and rule.score < 1 for rule in rules)
