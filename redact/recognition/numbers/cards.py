"""Recogniser for payment cards: 12 to 19 digits, grouped or not, that pass the Luhn check."""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from redact.lexical.thing_numbers import is_within_code
from redact.recognition.matching.judged_matches import JudgedRecogniser, JudgedSpan
from redact.recognition.matching.lazy_patterns import ScoredPattern

SHORTEST_CARD, LONGEST_CARD = 12, 19

CARD_CONTEXT = [
    "card",
    "visa",
    "mastercard",
    "amex",
    "jcb",
    "diners",
    "maestro",
    "credit",
    "debit",
]


_GAP = (
    r"(?:[ \t]?[-./_\u2010-\u2015\u2212\u00b7][ \t]?|[ \u00a0\u2000-\u200a\u202f]{1,4}"
    r"|[ ]?\r?\n[ >\t]{0,8})"
)
CARD_CHAIN = rf"(?<![0-9])[0-9](?:{_GAP}?[0-9]){{11,120}}"
"""Groups of digits with what people and programs put between the groups of one number."""

_GROUP = re.compile(r"[0-9]+")
_USUAL = frozenset(
    {
        (4, 4, 4, 4),
        (4, 6, 5),
        (4, 6, 4),
        (4, 4, 4, 4, 3),
        (4, 4, 4, 3),
        (4, 4, 5),
        (4, 3, 3, 3),
        (4, 5, 4),
        (6, 13),
        (6, 10),
        (6, 9),
        (8, 8),
        (4, 4, 8),
        (4, 8, 4),
        (4, 12),
        (12, 4),
        (8, 4, 4),
        (4, 4, 4, 4, 2),
        (4, 4, 4, 4, 1),
    }
)
"""Lengths of the groups in printed, dictated and stored card numbers."""

_MOST_GROUPS = 19
_UNSURE = 0.3


class CardRecogniser(JudgedRecogniser):
    """Finds card numbers. Without the first digits of a card brand a context word is required.

    Stock Presidio requires 4-4-4-5 grouping and first digits 1, 3, 4, 5 or 6, so it misses every
    fourth card of its own evaluation set; here any usual grouping counts. A comma ends a number: it
    separates the fields of a line, or the thousands of an amount.
    """

    def __init__(self) -> None:
        super().__init__(
            supported_entity="CREDIT_CARD",
            patterns=[ScoredPattern("Digits", CARD_CHAIN, _UNSURE)],
            context=CARD_CONTEXT,
            name="CardRecogniser",
        )

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Yield the spans of complete groups that form a card number."""
        first = match.start()
        groups = [m.span() for m in _GROUP.finditer(text, first, match.end())]
        index = 0
        while index < len(groups):
            card = _card_at(text, groups, index)
            if card:
                end, score = card
                yield groups[index][0], groups[end - 1][1], score
                index = end
            else:
                index += 1


def _card_at(text: str, groups: Sequence[tuple[int, int]], index: int) -> tuple[int, float] | None:
    """Return the end group (exclusive) of a card that begins at group ``index``, and its score."""
    start = groups[index][0]
    best: tuple[int, float] | None = None
    digits = ""
    lengths: list[int] = []
    for last in range(index, min(index + _MOST_GROUPS, len(groups))):
        begin, end = groups[last]
        digits += text[begin:end]
        lengths.append(end - begin)
        if len(digits) > LONGEST_CARD:
            break
        if len(digits) < SHORTEST_CARD or not passes_luhn(digits) or len(set(digits)) < 2:
            continue
        gaps = {text[groups[n][1] : groups[n + 1][0]].strip(" \t") for n in range(index, last)}
        if not _is_grouped(lengths, gaps) or not _stands_free(text, start, end):
            continue
        score = 1.0 if has_card_brand(digits) else _UNSURE
        if best is None or score >= best[1]:
            best = last + 1, score
    return best


def _is_grouped(lengths: Sequence[int], gaps: Collection[str]) -> bool:
    """Return whether groups of digits can belong to one number."""
    if len(lengths) == 1:
        return True
    if "." in gaps and len(lengths) == 2:
        return False  # a decimal
    if tuple(lengths) in _USUAL:
        return True
    # Digit by digit, or in pairs.
    return len(gaps) == 1 and max(lengths) <= 2 and len(set(lengths[:-1])) == 1


_AMOUNT_LEFT = re.compile(r"(?:[0-9][.]|[$\u20ac\u00a3\u00a5]|0[xX]|[0-9],[0-9]{3},)\Z")
_AMOUNT_RIGHT = re.compile(r"[.][0-9]|[eE][+-]?[0-9]")


def _stands_free(text: str, start: int, end: int) -> bool:
    """Return whether digits are part of neither an amount nor a longer code."""
    if _AMOUNT_LEFT.search(text, max(start - 6, 0), start) or _AMOUNT_RIGHT.match(text, end):
        return False
    return not text[end : end + 1].isdecimal() and not is_within_code(text, start, end)


def passes_luhn(digits: str) -> bool:
    """Return whether ASCII digits pass the Luhn check (ISO/IEC 7812-1, annex B)."""
    odd = sum(map(int, digits[-1::-2]))
    even = sum((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[int(d)] for d in digits[-2::-2])
    return (odd + even) % 10 == 0


_BRANDS = (
    ("4", {16, 19}),
    ("51 52 53 54 55 222 223 224 225 226 227 228 229 23 24 25 26 270 271 2720", {16}),
    ("2200 2201 2202 2203 2204", {16}),
    ("34 37", {15}),
    ("300 301 302 303 304 305 36 38 39", {14, 16, 19}),
    ("6011 644 645 646 647 648 649 65 60 62 81 82", {16, 17, 18, 19}),
    ("3528 3529 353 354 355 356 357 358", {16, 17, 18, 19}),
    ("2131 1800", {15}),
    ("50 56 57 58 61 63 66 67 68 69", {16, 18, 19}),
)
"""First digits and lengths of Visa, Mastercard, Mir, American Express, Diners Club, Discover (with
RuPay and UnionPay), JCB and Maestro. A Visa of 13 digits and a Maestro of fewer than 16 require a
context word: one in a hundred numbers of things looks like one."""


def has_card_brand(digits: str) -> bool:
    """Return whether first digits and length match a card brand."""
    return any(
        len(digits) in lengths and digits.startswith(tuple(prefixes.split()))
        for prefixes, lengths in _BRANDS
    )
