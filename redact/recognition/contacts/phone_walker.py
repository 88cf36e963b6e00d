"""Finds telephone numbers of all regions of a policy in one walk over the text.

``phonenumbers`` finds candidates by one pattern and then tries each in one region; Presidio repeats
both for every region. The result for a candidate depends only on its characters and its immediate
neighbours, so it is computed once for all regions and cached. The findings are those of Presidio's
recogniser.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import phonenumbers
import regex
from phonenumbers import (
    PhoneMetadata,
    PhoneNumberMatcher,
    phonenumbermatcher,
    phonenumberutil,
)

from redact.lexical.findings import TextTimeoutError

_DIGIT = re.compile(r"\d")
_AFTER = 3
"""Characters after a candidate that decide whether it is a time of day."""
_EXTENSION = "extinao="
"""Letters of `ext`, `int`, `anexo` and `;ext=`, which phonenumbers reads before an extension."""

_MEMORY = 4_096
"""Candidates whose numbers are remembered: one record in seven has a new one."""
_NEUTRAL = frozenset(" \t\n\r!\"#&'()*+,-./;<=>?@[\\]^_`{|}~")
"""Neighbours equivalent to none: not a letter, a currency sign or part of a time of day."""

PhoneSpan = tuple[int, int]
SpanPerRegion = tuple[PhoneSpan | None, ...]


class PhoneWalker:
    """Finds what ``PhoneNumberMatcher`` finds in each of some regions.

    ``expression`` matches every text that can contain a number. ``max_digits`` returns the most
    digits that any accepted part of a candidate can have: if these are too few for a region, the
    candidate is not tried there.
    """

    def __init__(
        self,
        regions: tuple[str, ...],
        leniency: int,
        clock: Callable[[], float],
        max_digits: Callable[[str], int] = len,
    ) -> None:
        self._regions = regions
        self._leniency = leniency
        self._clock = clock
        self._max_digits = max_digits
        self._none: SpanPerRegion = (None,) * len(regions)
        self._fewest = tuple(map(_fewest_digits, regions))
        self._lengths = tuple(map(_lengths, regions))
        self._leading = tuple(map(_leading_digits, regions))
        self._valid = tuple(_valid(region) if leniency else _ANY for region in regions)
        self._pattern = phonenumbermatcher._PATTERN
        self._shortest = min(4, *self._fewest)
        self._first = re.compile(rf"[{vars(phonenumbermatcher)['_LEAD_CLASS_CHARS']}]|\d")
        self._first_ascii = _first_ascii(self._shortest)
        self._second: re.Pattern[str] = vars(phonenumbermatcher)["_SECOND_NUMBER_START_PATTERN"]
        digits = min(self._fewest) - 1
        gap = f"[{vars(phonenumberutil)['_VALID_PUNCTUATION']}xX]{{0,4}}"
        lead = f"[+\uff0b](?:{gap}[{vars(phonenumbermatcher)['_LEAD_CLASS_CHARS']}])?"
        self.expression = rf"\d(?:{gap}\d){{{digits}}}|{lead}{gap}\d(?:{gap}\d){{2}}"
        self._results: dict[tuple[str, str, str], tuple[int, SpanPerRegion]] = {}

    def spans(self, text: str, deadline: float) -> set[PhoneSpan]:
        """Return start and end of each number, in any region.

        Raises:
            TextTimeoutError: ``deadline`` on the clock has passed.
        """
        numbers: set[PhoneSpan] = set()
        pending: list[tuple[int, frozenset[int]]] = [(0, frozenset(range(len(self._regions))))]
        while pending:
            index, regions = pending.pop()
            for start, length, spans in self._candidates(text, index, deadline):
                onward: dict[int, set[int]] = {}
                for region in regions:
                    span = spans[region]
                    if span is not None:
                        numbers.add((start + span[0], start + span[1]))
                        if span[1] != length:
                            onward.setdefault(start + span[1], set()).add(region)
                if onward:
                    # These regions continue after their own number, the others after all of it.
                    moved = frozenset().union(*onward.values())
                    pending += ((at, frozenset(who)) for at, who in onward.items())
                    regions -= moved
                if not regions:
                    break
        return numbers

    def _candidates(
        self, text: str, index: int, deadline: float
    ) -> Iterator[tuple[int, int, SpanPerRegion]]:
        match_at = self._pattern.match
        first = (self._first_ascii if text.isascii() else self._first).search
        while (begin := first(text, index)) is not None:
            if self._clock() > deadline:
                raise TextTimeoutError
            start = begin.start()
            match = match_at(text, start)
            if match is None:
                index = start + 1
                continue
            if match.end() - start < self._shortest:
                index = match.end()
                continue
            before, after = text[start - 1 : start], text[match.end() : match.end() + _AFTER]
            key = (
                "" if before in _NEUTRAL else before,
                match[0],
                "" if after[:1] in _NEUTRAL else after,
            )
            cached = self._results.get(key)
            if cached is None:
                cached = self._search_regions(*key)
                if len(self._results) >= _MEMORY:
                    self._results.clear()
                self._results[key] = cached
            length, spans = cached
            if spans is not self._none:
                yield start, length, spans
            index = start + length

    def _search_regions(
        self, before: str, full_candidate: str, after: str
    ) -> tuple[int, SpanPerRegion]:
        trimmed = self._second.search(full_candidate)
        candidate = full_candidate[: trimmed.start()] if trimmed else full_candidate
        if trimmed:
            after = (full_candidate[trimmed.start() :] + after)[:_AFTER]
        length = max(len(candidate), 1)
        digits = len(_DIGIT.findall(candidate))
        if not trimmed:
            # After a part that does not count the walk finds other parts of the same candidate.
            digits = min(digits, self._max_digits(candidate))
        abroad = "+" in candidate or "\uff0b" in candidate
        if candidate.startswith("+"):
            # With its country code a number is the same in every region.
            first = self._in_region(self._regions[0], before, candidate, after)
            if first == (0, len(candidate)):
                return length, (first,) * len(self._regions)
        lead = _lead_of_one_number(candidate)
        bare = "".join(_DIGIT.findall(candidate)) if lead else ""
        per_region = tuple(
            self._in_region(region, before, candidate, after)
            if abroad
            or (
                digits >= fewest
                and (not lead or lead in leading or (digits in lengths and valid.fullmatch(bare)))
            )
            else None
            for region, fewest, lengths, leading, valid in zip(
                self._regions, self._fewest, self._lengths, self._leading, self._valid, strict=True
            )
        )
        return length, per_region if any(per_region) else self._none

    def _in_region(self, region: str, before: str, candidate: str, after: str) -> PhoneSpan | None:
        text = before + candidate + after
        matcher = PhoneNumberMatcher(text, region, leniency=self._leniency)
        match = matcher._extract_match(candidate, len(before))
        return None if match is None else (match.start - len(before), match.end - len(before))


def _first_ascii(shortest: int) -> re.Pattern[str]:
    """Return a pattern for the start of a candidate of a minimum length in an ASCII text.

    All of its characters are digits, signs between them, or of the word before an extension.
    """
    ascii_ = "".join(map(chr, range(128)))
    marks = re.findall(f"[{vars(phonenumberutil)['_VALID_PUNCTUATION']}]", ascii_)
    within = re.escape("".join(marks) + "+;,:\t#" + _EXTENSION + _EXTENSION.upper())
    return re.compile(rf"[+(\[0-9][0-9{within}]{{{shortest - 1}}}")


_PLAIN = re.compile(r"[0-9() ./-]+")


def _lead_of_one_number(candidate: str) -> str:
    """Return the first digit of a candidate that can only be one number, else an empty string."""
    inner = vars(phonenumbermatcher)["_INNER_MATCHES"]
    if _PLAIN.fullmatch(candidate) is None or any(part.search(candidate) for part in inner):
        return ""
    first = _DIGIT.search(candidate)
    return first[0] if first else ""


def _fewest_digits(region: str) -> int:
    """Return the minimum number of digits of a valid number in a region."""
    lengths = _lengths(region)
    return min(lengths) if lengths else 1


def _lengths(region: str) -> frozenset[int]:
    """Return the possible numbers of digits of a valid number in a region or its siblings.

    Prefixes for dialling within the country or from abroad do not count.
    """
    return frozenset(
        length
        for kind in _kinds(region, ("general_desc", *_KINDS))
        for length in kind.possible_length
        if length > 0
    )


_ANY = re.compile(r".*")


def _valid(region: str) -> re.Pattern[str]:
    """Return a pattern for each valid number of a region or its siblings, and few others.

    Prefixes for dialling within the country or from abroad are not included.
    """
    patterns = {kind.national_number_pattern for kind in _kinds(region, _KINDS)} - {None}
    return re.compile("|".join(f"(?:{pattern})" for pattern in sorted(patterns)))


def _kinds(region: str, names: Iterable[str]) -> list[Any]:
    """Return the metadata for kinds of numbers in a region and in those that share its code."""
    code = phonenumbers.country_code_for_region(region)
    kinds = [
        getattr(metadata, name, None)
        for sibling in phonenumbers.region_codes_for_country_code(code)
        if (metadata := PhoneMetadata.metadata_for_region(sibling)) is not None
        for name in names
    ]
    return [kind for kind in kinds if kind is not None]


_KINDS = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)


def _leading_digits(region: str) -> frozenset[str]:
    """Return the first digits of the dialling prefixes of a region."""
    metadata = PhoneMetadata.metadata_for_region(region)
    code = str(phonenumbers.country_code_for_region(region))
    prefixes = (
        metadata and metadata.national_prefix_for_parsing,
        metadata and metadata.national_prefix,
        metadata and metadata.international_prefix,
    )
    return frozenset(
        digit
        for digit in "0123456789"
        if code.startswith(digit)
        or any(prefix and regex.match(prefix, digit, partial=True) for prefix in prefixes)
    )
