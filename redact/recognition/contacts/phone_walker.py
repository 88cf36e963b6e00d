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

FEWEST_ABROAD = 6
"""The digits of the shortest valid number of any country, with its country code."""

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
        self._may_be_dialled = tuple(map(_ways_of_dialling if leniency else _any_way, regions))
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
        fewest = self._fewest
        if "+" in candidate or "\uff0b" in candidate:
            fewest = tuple([min(own, FEWEST_ABROAD) for own in fewest])
            if candidate.startswith("+") and digits >= FEWEST_ABROAD:
                # With its country code a number is the same in every region.
                first = self._in_region(self._regions[0], before, candidate, after)
                if first == (0, len(candidate)):
                    return length, (first,) * len(self._regions)
        number = "".join(_DIGIT.findall(candidate)) if _is_one_number(candidate) else ""
        per_region = tuple(
            self._in_region(region, before, candidate, after)
            if digits >= least and (not number or may_be_dialled(number))
            else None
            for region, least, may_be_dialled in zip(
                self._regions, fewest, self._may_be_dialled, strict=True
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


def _is_one_number(candidate: str) -> bool:
    """Return whether a candidate is one number or none, and no part of it can be another."""
    inner = vars(phonenumbermatcher)["_INNER_MATCHES"]
    return _PLAIN.fullmatch(candidate) is not None and not any(
        part.search(candidate) for part in inner
    )


def _fewest_digits(region: str) -> int:
    """Return the minimum number of digits of a valid number, as dialled in a region."""
    lengths = [
        length
        for kind in _kinds(region, ("general_desc", *_KINDS))
        for length in kind.possible_length
        if length > 0
    ]
    metadata = PhoneMetadata.metadata_for_region(region)
    rule = (metadata and metadata.national_prefix_transform_rule) or ""
    added = re.findall(r"(?<!\\)[0-9]", rule)  # `20\1` puts the area before the local number
    return max(min(lengths, default=1) - len(added), 1)


def _any_way(region: str) -> Callable[[str], bool]:
    """Return a function that is true for all digits."""
    del region
    return bool


def _ways_of_dialling(region: str) -> Callable[[str], bool]:
    """Return a function that is true for the digits of each valid number, as dialled in a region.

    That is the number itself, of this region or of another with its country code, after that code
    and the prefix within the country, as ``phonenumbers.parse`` removes them. Where the prefix
    changes what follows it, and after the prefix for other countries, anything may be a number.
    Where the prefix is required a number alone is none.
    """
    metadata = PhoneMetadata.metadata_for_region(region)
    code = phonenumbers.country_code_for_region(region)
    patterns = {kind.national_number_pattern for kind in _kinds(region, _KINDS)} - {None}
    valid = "|".join(f"(?:{pattern})" for pattern in sorted(patterns))
    prefix = (metadata and metadata.national_prefix_for_parsing) or ""
    forms = [f"(?:{code}(?:{prefix})?|(?:{prefix}))(?:{prefix})?(?:{valid})"]
    if metadata and metadata.international_prefix:
        forms.append(f"(?:{metadata.international_prefix}).*")
    if metadata and metadata.national_prefix_transform_rule:
        forms.append(f"(?:{code})?(?:{prefix}).*")
    with_prefix, alone = re.compile("|".join(forms)), re.compile(valid)

    def may_be_dialled(digits: str) -> bool:
        if with_prefix.fullmatch(digits):
            return True
        return alone.fullmatch(digits) is not None and _may_stand_alone(code, digits)

    return may_be_dialled


def _may_stand_alone(code: int, digits: str) -> bool:
    """Return whether a valid number may be dialled without a prefix within the country."""
    if digits.startswith("0"):
        return True
    number = phonenumbers.PhoneNumber(
        country_code=code,
        national_number=int(digits),
        raw_input=digits,
        country_code_source=phonenumbers.CountryCodeSource.FROM_DEFAULT_COUNTRY,
    )
    is_present: Callable[[phonenumbers.PhoneNumber], bool]
    is_present = vars(phonenumbermatcher)["_is_national_prefix_present_if_required"]
    return is_present(number)


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
