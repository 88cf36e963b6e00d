"""Recognisers for birth dates: a date in any usual form after words about birth."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from redact.recognition.matching.edges import LEFT, RIGHT
from redact.recognition.matching.judged_matches import GatedRecogniser
from redact.recognition.matching.labelled_numbers import LabelledNumber
from redact.recognition.matching.lazy_patterns import ScoredPattern
from redact.recognition.matching.pattern_recogniser import PatternRecogniser

_MONTHS = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"(?:0?[1-9]|[12][0-9]|3[01])"
_YEAR = r"(?:19|20)[0-9]{2}"

DATE_FORMS = (
    rf"(?<![A-Za-z0-9-]){_YEAR}[-/.](?:0?[1-9]|1[0-2])[-/.]{_DAY}(?![A-Za-z0-9-])",
    rf"(?<![A-Za-z0-9/-])[0-3]?[0-9][-/.][0-3]?[0-9][-/.](?:{_YEAR}|[0-9]{{2}})(?![A-Za-z0-9/-])",
    rf"{LEFT}{_MONTHS}\.?[ ]{{1,2}}{_DAY}(?:st|nd|rd|th)?,?[ ]{{1,2}}{_YEAR}{RIGHT}",
    rf"{LEFT}{_DAY}(?:st|nd|rd|th)?[ ]{{1,2}}(?:of[ ])?{_MONTHS}\.?,?[ ]{{1,2}}{_YEAR}{RIGHT}",
)
_NUMERIC = 2
"""How many of them have numbers only."""
_RUN = re.compile(r"[0-9][0-9/.-]{5,}")


class BirthDateRecogniser(GatedRecogniser):
    """Finds birth dates: dates after a word such as `born` or `dob`."""

    def __init__(self) -> None:
        super().__init__(
            supported_entity="DATE_OF_BIRTH",
            patterns=[ScoredPattern(f"Date {i}", form, 0.1) for i, form in enumerate(DATE_FORMS)],
            context=["born", "birth", "dob", "d.o.b", "birthday", "birthdate"],
        )

    def matches(self, pattern: Any, text: str, seconds_left: Callable[[], float]) -> Iterator[Any]:
        """Yield the matches of a pattern: those of numbers alone are in runs of digits and signs.

        A run is as long as the shortest date or longer. Most of the time of such a pattern passes
        at the other characters of a text.
        """
        if pattern.pattern not in DATE_FORMS[:_NUMERIC]:
            yield from super().matches(pattern, text, seconds_left)
            return
        for run in _RUN.finditer(text):
            yield from pattern.finditer(text, run.start(), run.end() + 1, timeout=seconds_left())


class WrittenDateRecogniser(PatternRecogniser):
    """Finds dates with the month in words, which Presidio's recogniser does not cover."""

    def __init__(self) -> None:
        super().__init__(
            supported_entity="DATE_TIME",
            patterns=[
                ScoredPattern(f"Written {i}", form, 0.6) for i, form in enumerate(DATE_FORMS[2:])
            ],
            name="WrittenDate",
        )


_SIGN = r"[ ]?[-/. ][ ]?"
_NUMBERS = (
    rf"{_YEAR}{_SIGN}(?:0?[1-9]|1[0-2]){_SIGN}{_DAY}|[0-3]?[0-9]{_SIGN}[0-3]?[0-9]{_SIGN}"
    rf"(?:{_YEAR}|[0-9]{{2}})|{_YEAR}[\u5e74]?[01][0-9][\u6708]?[0-3][0-9]|"
    r"(?:19|20)[0-9]{2}[\u5e74\ub144][ ]?[01]?[0-9][\u6708\uc6d4][ ]?[0-3]?[0-9]"
)
_IN_WORDS = (
    rf"{_DAY}(?:st|nd|rd|th|\.|er)?[ ](?:of[ ]|de[ ])?[^\W\d_]{{3,12}}\.?,?[ ](?:de[ ])?{_YEAR}|"
    rf"[^\W\d_]{{3,12}}\.?[ ]{_DAY}(?:st|nd|rd|th)?,?[ ]{_YEAR}"
)
BIRTH_ROWS = (
    LabelledNumber(
        "DATE_OF_BIRTH",
        r"born|d\.?o\.?b\.?|date[ _-]?of[ _-]?birth|birth[ _-]?(?:date|day)|bday|"
        r"geburtsdatum|geburtstag|geboren|geb\.?|date[ ]de[ ]naissance|n\u00e9e?|naissance|"
        r"fecha[ ]de[ ]nacimiento|nacid[oa]|naci\u00f3|data[ ]di[ ]nascita|nat[oa]|"
        r"data[ ]de[ ]nascimento|nascid[oa]|nasceu|data[ ]urodzenia|urodzon[ya]|"
        r"geboortedatum|geboren[ ]op|f\u00f6delsedatum|f\u00f6dd|syntym\u00e4aika|syntynyt|"
        r"\u0434\u0430\u0442\u0430[ ]\u0440\u043e\u0436\u0434\u0435\u043d\u0438\u044f|"
        r"\u0440\u043e\u0434\u0438\u043b(?:\u0441\u044f|\u0430\u0441\u044c)|"
        r"\u751f\u5e74\u6708\u65e5|\u51fa\u751f\u65e5\u671f|"
        r"\u751f\u65e5|\uc0dd\ub144\uc6d4\uc77c|\uc0dd\uc77c",
        rf"{_NUMBERS}|{_IN_WORDS}",
        digits=4,
        max_length=30,
    ),
)
"""Birth dates after the words for birth, in the languages of the policies' countries."""
