"""Birth dates: a date in any usual form counts when the words before it speak of birth."""

from presidio_analyzer import Pattern, PatternRecognizer

_MONTHS = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"(?:0?[1-9]|[12][0-9]|3[01])"
_YEAR = r"(?:19|20)[0-9]{2}"

FORMS = (
    rf"(?<![\w-]){_YEAR}[-/.](?:0?[1-9]|1[0-2])[-/.]{_DAY}(?![\w-])",
    rf"(?<![\w/-])[0-3]?[0-9][-/.][0-3]?[0-9][-/.](?:{_YEAR}|[0-9]{{2}})(?![\w/-])",
    rf"\b{_MONTHS}\.?[ ]{{1,2}}{_DAY}(?:st|nd|rd|th)?,?[ ]{{1,2}}{_YEAR}\b",
    rf"\b{_DAY}(?:st|nd|rd|th)?[ ]{{1,2}}(?:of[ ])?{_MONTHS}\.?,?[ ]{{1,2}}{_YEAR}\b",
)


class BirthDateRecogniser(PatternRecognizer):
    """Finds dates that a word such as `born` or `dob` makes a birth date."""

    def __init__(self) -> None:
        super().__init__(
            supported_entity="DATE_OF_BIRTH",
            patterns=[Pattern(f"Date {i}", form, 0.1) for i, form in enumerate(FORMS)],
            context=["born", "birth", "dob", "d.o.b", "birthday", "birthdate"],
        )


class WrittenDateRecogniser(PatternRecognizer):
    """Finds dates with a month in words, which Presidio's own recogniser does not know."""

    def __init__(self) -> None:
        super().__init__(
            supported_entity="DATE_TIME",
            patterns=[Pattern(f"Written {i}", form, 0.6) for i, form in enumerate(FORMS[2:])],
            name="WrittenDate",
        )
