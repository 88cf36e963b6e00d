"""What recognisers of announced secrets have in common: an announcement, then the secret."""

from typing import ClassVar

import regex
from presidio_analyzer import PatternRecognizer

from redact.loosen import closing
from redact.patterns import LazyPattern


def before_kept_out(expression: str) -> str:
    """Return an expression that reads forward what `(?<=...)` at its start reads backward.

    Searching for the announcement is cheaper than looking back from each possible value.
    """
    if not expression.startswith("(?<="):
        return expression
    end = closing(expression, 0)
    return rf"(?:{expression[4:end]})\K{expression[end + 1 :]}"


class Announced(PatternRecognizer):
    """A recogniser made of expressions, without regard to case."""

    EXPRESSIONS: ClassVar[tuple[str, ...]] = ()
    SCORE: ClassVar[float] = 0.85
    BACKWARD: ClassVar[bool] = False
    """Whether one announcement has many values, so that each looks back to it."""

    def __init__(self) -> None:
        name = type(self).__name__
        super().__init__(
            supported_entity="SECRET",
            patterns=[
                LazyPattern(name, each if self.BACKWARD else before_kept_out(each), self.SCORE)
                for each in self.EXPRESSIONS
            ],
            global_regex_flags=int(regex.IGNORECASE),
            name=name,
        )
