"""People in prose whom the words around them give away: introductions, titles, accounts, ages."""

from presidio_analyzer import Pattern, PatternRecognizer

_NAME = r"[A-ZÀ-ÖØ-Þ][^\W\d_]*(?:['\u2019-][^\W\d_]{1,20})?"
_NAMES = rf"{_NAME}(?:[ ](?:[A-Z]\.[ ]?)?{_NAME}){{0,2}}"
_INTRODUCED = (
    r"(?:[Mm]y (?:full |first |last )?name is|[Mm]y name['\u2019]s|[Ii] am called|[Nn]ame:|"
    r"[Ss]igned,|[Ss]incerely,|[Rr]egards,)"
)


class IntroducedRecogniser(PatternRecognizer):
    """Finds the name after `my name is` and the like, and after Mr, Mrs, Ms or Dr."""

    PATTERNS = (
        Pattern("Introduced", rf"(?<=\b{_INTRODUCED}\s{{1,2}}){_NAMES}", 0.7),
        Pattern("Titled", rf"(?<=\b(?:Mr|Mrs|Ms|Dr|Prof|Mx)\.?[ ]){_NAMES}", 0.7),
    )

    def __init__(self) -> None:
        super().__init__(
            supported_entity="PERSON",
            patterns=list(self.PATTERNS),
            global_regex_flags=0,
            name="Introduced",
        )


class AccountRecogniser(PatternRecognizer):
    """Finds the account's name after `user id is` and the like."""

    PATTERNS = (
        Pattern(
            "After its label",
            r"(?<=\b(?:user|customer|member|account|login|client)[ _-]?(?:id|name|number|no\.?)"
            r"(?:[ ](?:is|was)[ ]|[ ]?[:=#][ ]?|[ ])[\"'`*]{0,3})"
            r"(?=[\w.@-]{0,40}[0-9_])[\w][\w.@-]{2,40}[\w]",
            0.7,
        ),
    )

    def __init__(self) -> None:
        super().__init__(
            supported_entity="USER_ID", patterns=list(self.PATTERNS), name="AccountName"
        )


class AgeRecogniser(PatternRecognizer):
    """Finds ages that are said to be ages."""

    PATTERNS = (
        Pattern("Years old", r"(?<![\w.])[1-9][0-9]?[0-9]?(?=[ -]years?[ -]old\b)", 0.7),
        Pattern("Aged", r"(?<=\b(?:aged?|turn(?:ed|ing)|age[ ]is|age[ ]of)[ :])[1-9][0-9]?\b", 0.6),
    )

    def __init__(self) -> None:
        super().__init__(supported_entity="AGE", patterns=list(self.PATTERNS), name="Age")
