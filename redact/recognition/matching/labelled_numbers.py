"""Recogniser for numbers that count only after their name: `SSN: 521438871`, `Steuer-ID 86 095`.

A table row lists the names of a number and its form. Between the name and the number there may be
usual fillers: a colon, `number is`, `Nr.`, quotation marks. Anything else between them makes it the
number of something else.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from redact.recognition.matching.edges import RIGHT
from redact.recognition.matching.judged_matches import JudgedRecogniser, JudgedSpan
from redact.recognition.matching.lazy_patterns import ScoredPattern

LABELLED_SCORE = 0.88
"""The score of a number after its own name."""

_FILLERS = (
    "number|numbers|num|no|nos|nr|nro|id|ids|code|is|was|are|it's|its|be|reads|of|for|on|under|the|"
    "my|his|her|their|our|your|a|an|new|old|current|us|u\\.s|file|card|records?|valid|value|called|"
    "holder|patient|person|customer|member|client|user|applicant|employee|driver|owner|wife|husband|"
    "son|daughter|mother|father|at|me|us|him|them|or|please|back|directly|text|nummer|nummern|lautet|lauten|ist|war|"
    "unter|der|die|das|von|meine?|ihre?|seine?|f\u00fcr|numero|num\u00e9ro|n\u00famero|n\u00fam|n[\u00b0\u00ba]|nº|es|era|"
    "est|de|del|du|della|di|do|da|la|le|el|il|mi|mon|ma|votre|son|sa|tu|su|meu|minha|mio|mia|"
    "am|den|op|\u00e8|\u00e9|al|au|jest|to|numer|numeru|m\u00f3j|moj|on|m\u00e4r|\u00e4r|er|det|mitt|min|mijn|het|van|met|op|is"
)
_GAP = (
    r"(?:[\s:=#.,()\[\]\"'*_`|<>/\u2010-\u2015\uff1a\u306f\u304c\u662f\u53f7\u865f-]"
    rf"|(?<![A-Za-z])(?:{_FILLERS})(?![A-Za-z])){{0,12}}?"
)


_OTHER = r"(?![\u00c0-\u024f])[^\x00-\x7f]"
"""A non-ASCII character that is not a Latin letter."""

_FAR = 40
"""Maximum characters between a name and the first digit of its number, on one or two lines."""


@dataclass(frozen=True, slots=True)
class LabelledNumber:
    """Names of a number in one or more languages, and its form.

    ``names`` and ``value`` are expressions. The number has at least ``digits`` digits. ``country``
    is the country of a policy that enables the row, empty for all; ``check`` validates a number.
    """

    kind: str
    names: str
    value: str
    digits: int = 5
    country: str = ""
    max_length: int = 24
    check: Callable[[str], bool] | None = None


_JOIN = r"[ .\-\u2010-\u2015/\u00a0\u202f]"
CODE_NUMBER = (
    r"(?:[A-Za-z]{1,4}[-/.])?[A-Za-z]{0,6}[0-9][A-Za-z0-9]{0,24}(?:[-/.][A-Za-z0-9]{1,12}){0,4}"
)
"""A code: letters and digits, a digit among the first seven, in groups joined by a dash."""

SPACED_NUMBER = (
    r"[A-Za-z]{0,3}[0-9]{1,6}(?:[ .\-/\u00a0\u202f][A-Za-z0-9]?[0-9]{1,7}[A-Za-z]?){1,6}"
)
"""Groups of digits, with at most a letter at their ends."""

ANY_NUMBER = rf"(?:{SPACED_NUMBER}|{CODE_NUMBER})"


def digits_expression(count: str) -> str:
    """Return an expression for ``count`` digits, with at most one sign between two."""
    return rf"[0-9](?:{_JOIN}?[0-9]){{{count}}}"


class LabelledNumberRecogniser(JudgedRecogniser):
    """Finds the numbers of some rows of a table, all of one type."""

    def __init__(self, kind: str, rows: Sequence[LabelledNumber]) -> None:
        self.rows = tuple(rows)
        self._rows = {name_expression(row): (row, _value_pattern(row)) for row in rows}
        super().__init__(
            supported_entity=kind,
            patterns=[
                ScoredPattern(f"{kind} {i}", form, LABELLED_SCORE)
                for i, form in enumerate(self._rows)
            ],
            name=f"Labelled {kind}",
        )

    def stretches(self, text: str) -> Iterable[tuple[int, int]]:
        """Return the lines with a digit, each with the line before it.

        A name is within one line, and its digit is on that line or on the next.
        """
        return lines_near_digits(text)

    def matches(self, pattern: Any, text: str, seconds_left: Callable[[], float]) -> Iterator[Any]:
        """Yield the matches of a row: its names are looked for in lower case first.

        That takes a tenth of the time, and the row's pattern runs only where a name is.
        """
        lowered = text.lower()
        if len(lowered) != len(text) or has_odd_case(text):
            yield from super().matches(pattern, text, seconds_left)
            return
        names = _names_pattern(self._rows[pattern.pattern][0].names)
        for free, end in self.stretches(text):
            start = free
            name = names.search(lowered, start, end)
            while name is not None:
                at = name.start()
                following = at + 1
                for begin in (at - 1, at) if at > start else (at,):  # a sign may precede the name
                    match = pattern.match(text, begin, end, timeout=seconds_left())
                    if match is not None:
                        yield match
                        start = following = match.end()
                        break
                name = names.search(lowered, following, end)

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Yield the number without its name."""
        row, follows = self._rows[match.re.pattern]
        number = follows.match(text, match.end("n"))
        if number is None:
            return
        value = number["v"]
        if sum(map(str.isdigit, value)) < row.digits or len(value) > row.max_length + value.count(
            " "
        ):
            return
        if _PERIOD.match(value) and text[number.start("v") - 1] == "-":
            return  # `RG-2024-03-1187` is the number of a thing
        if row.check is None or row.check(value):
            yield *number.span("v"), LABELLED_SCORE
            yield from _further_numbers(text, number.end("v"), value)


def lines_near_digits(text: str) -> list[tuple[int, int]]:
    """Return the stretches of lines that have a digit (0 to 9), or that precede such a line."""
    stretches: list[tuple[int, int]] = []
    digit = _DIGIT.search(text)
    while digit is not None:
        line = text.rfind("\n", 0, digit.start())
        start = text.rfind("\n", 0, line) + 1 if line > 0 else 0
        end = text.find("\n", digit.start()) + 1 or len(text)
        if stretches and start < stretches[-1][1]:
            start = stretches.pop()[0]
        stretches.append((start, end))
        digit = _DIGIT.search(text, end)
    return stretches


_DIGIT = re.compile("[0-9]")


def _further_numbers(text: str, position: int, first: str) -> Iterator[JudgedSpan]:
    """Yield the further numbers of a list with as many digits: `SSNs: 521..., 521...`."""
    if not first.isalnum():
        return
    for _ in range(_MOST_LISTED):
        more = _LISTED.match(text, position)
        if more is None or len(more[1]) != len(first) or more[1].isalpha():
            return
        yield *more.span(1), LABELLED_SCORE
        position = more.end()


_LISTED = re.compile(
    r"[ ]?(?:[,;/]|(?:,[ ]?)?[ ]?(?:and|or|und|oder|et|ou|y|o|e|en|i|oraz)(?=[ ]))\s{0,4}"
    r"(?:(?:(?:my|his|her|their|your|our|the|mine|hers|other|second|one|number"
    r"|[a-z]{2,20}['\u2019]s)[ ]){1,4}(?:is|are|was)[ ])?"
    r"([0-9A-Za-z]{5,24})(?![0-9A-Za-z])"
)
_MOST_LISTED = 50
_PERIOD = re.compile(r"(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-[0-9]{3,6}\Z")


def name_expression(row: LabelledNumber) -> str:
    """Return an expression for a name with a digit not far after it."""
    return (
        rf"(?:\b|_|{_OTHER})(?P<n>(?:{row.names})(?:'?s)?)(?:\b|[_0-9]|(?<=[#.])|{_OTHER})"
        rf"(?=[^0-9\n]{{0,{_FAR}}}\n?[^0-9\n]{{0,{_FAR}}}[0-9])"
    )


def has_odd_case(text: str) -> bool:
    """Return whether a letter is one of a name in another case, but not when it is lowered."""
    return _ODD_CASE.search(text) is not None


_ODD_CASE = re.compile("[\u0130\u0131\u017f\u1c81-\u1c85]")


@lru_cache(maxsize=256)
def _names_pattern(names: str) -> re.Pattern[str]:
    """Return the pattern of a row's names in text that is in lower case."""
    return re.compile(names.lower())  # some count in capitals only


def _value_pattern(row: LabelledNumber) -> re.Pattern[str]:
    """Return the pattern of the fillers after a name, and the number."""
    return re.compile(
        rf"(?:{_GAP}(?<![0-9A-Za-z])|(?=[+0-9]))(?P<v>{row.value}){RIGHT}", re.IGNORECASE
    )


def build_labelled_recognisers(
    rows: Sequence[LabelledNumber], countries: Sequence[str]
) -> list[LabelledNumberRecogniser]:
    """Return a recogniser for each type in the rows of some countries, in order."""
    kinds: dict[str, list[LabelledNumber]] = {}
    for row in rows:
        if not row.country or row.country in countries:
            kinds.setdefault(row.kind, []).append(row)
    return [LabelledNumberRecogniser(kind, rows_of_kind) for kind, rows_of_kind in kinds.items()]
