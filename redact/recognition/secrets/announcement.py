"""Base class for recognisers of announced secrets: an announcement, then the secret."""

from typing import ClassVar

import regex

from redact.recognition.matching.lazy_patterns import ScoredPattern
from redact.recognition.matching.pattern_recogniser import PatternRecogniser
from redact.recognition.matching.regex_relaxation import group_end


def forward_expression(expression: str) -> str:
    """Return an expression with the `(?<=...)` at its start turned into a forward match.

    Searching for the announcement is cheaper than looking back from each possible value.
    """
    if not expression.startswith("(?<="):
        return expression
    end = group_end(expression, 0)
    return rf"(?:{expression[4:end]})\K{expression[end + 1 :]}"


class AnnouncedSecretRecogniser(PatternRecogniser):
    """A recogniser made of case-insensitive expressions."""

    EXPRESSIONS: ClassVar[tuple[str, ...]] = ()
    SCORE: ClassVar[float] = 0.85
    BACKWARD: ClassVar[bool] = False
    """Whether an announcement has many values, so that each value looks back to it."""

    def __init__(self) -> None:
        name = type(self).__name__
        super().__init__(
            supported_entity="SECRET",
            patterns=[
                ScoredPattern(name, each if self.BACKWARD else forward_expression(each), self.SCORE)
                for each in self.EXPRESSIONS
            ],
            global_regex_flags=int(regex.IGNORECASE),
            name=name,
        )
