"""Generates the written variants of an identity: order of names, initials, date formats."""

import calendar
import json
import re
from collections.abc import Iterator
from importlib import resources

from redact.identities.identity import IdentityValue, NameVariant
from redact.lexical.scripts import strip_diacritics

BIRTH_DATE = "DATE_OF_BIRTH"
_WORD = re.compile(r"[^\W\d_][^\W\d_'\u2019.-]*(?:['\u2019-][^\W\d_]+)*\.?")
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_MONTHS = tuple(calendar.month_name)

_ORDINARY = frozenset(
    json.loads((resources.files("redact") / "ordinary_words.json").read_text(encoding="utf-8"))
)
"""Names that are also words: they count as names only with a capital."""

_PARTICLES = """
    de del della der den di da do dos das du des van von vom zu zur ter ten la le les el al bin ibn
    ben y e i und et and of st san
    mr mrs ms miss mx dr prof sir dame lord lady rev fr sr sra srta don dona herr frau hr fru m mme
    mlle sig signor signora pan pani jr snr ii iii iv phd md esq
"""
_NO_NAMES_ALONE = frozenset(_PARTICLES.split())
"""Parts of a name that are not names by themselves: particles, forms of address, degrees."""


def list_variants(learnt: IdentityValue) -> list[NameVariant]:
    """Return the variants of an identity; for a date, only its original form."""
    if learnt.type != "PERSON":
        return [_any_case(learnt.value)]
    variants: dict[NameVariant, None] = {}
    for full in dict.fromkeys((learnt.value, strip_diacritics(learnt.value))):
        variants.update(dict.fromkeys(_of_person(full)))
    return list(variants)


def list_date_variants(value: str) -> list[NameVariant]:
    """Return the other usual forms of a date such as 1990-04-05."""
    match = _ISO.fullmatch(value)
    if match is None or not 1 <= int(match[2]) <= 12:
        return []
    year, month, day = match[1], int(match[2]), int(match[3])
    name = _MONTHS[month]
    written = [f"{day:02}.{month:02}.{year}", f"{year}/{month:02}/{day:02}"]
    for spelt in (str(day), f"{day:02}", f"{day}{_ordinal(day)}"):
        for word in (name, name[:3]):
            written += (f"{word} {spelt} {year}", f"{spelt} {word} {year}")
            written.append(f"{spelt} of {word} {year}")
    for first, second in ((month, day), (day, month)):
        written += (f"{first:02}/{second:02}/{year}", f"{first}/{second}/{year}")
        written += (f"{first:02}-{second:02}-{year}", f"{first}-{second}-{year}")
    return [_any_case(spelling) for spelling in dict.fromkeys(written)]


def _of_person(full: str) -> Iterator[NameVariant]:
    words = [word for word in _WORD.findall(full) if len(word.rstrip(".")) > 1]
    if len(words) > 1:
        first, last = words[0], words[-1]
        for names in (words, [first, last], [last, first]):
            yield _any_case(" ".join(names))
        for initial in (f"{first[0]}. {last}", f"{first[0]} {last}", f"{first} {last[0]}."):
            yield _as_is(initial)
    if len(words) == 1:
        # A single word may be a false finding: only the identical form counts.
        yield from map(_as_is, dict.fromkeys((full, words[0].capitalize(), words[0].upper())))
        return
    for word in words:
        if word.lower().rstrip(".") in _NO_NAMES_ALONE:
            continue
        if len(word) >= 3 and word.lower() not in _ORDINARY:
            yield _any_case(word)
        else:
            yield _as_is(word.capitalize())
            if len(word) >= 3:
                yield _as_is(word.upper())


def _any_case(text: str) -> NameVariant:
    return NameVariant(tuple(text.lower().split()), None)


def _as_is(text: str) -> NameVariant:
    return NameVariant(tuple(text.lower().split()), tuple(text.split()))


def _ordinal(day: int) -> str:
    return "th" if 4 <= day <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
