"""The base class of recognisers.

It has the constructor and the checks of Presidio's ``PatternRecognizer``, so that Presidio's own
recognisers can derive from it (``redact.recognition.stock_recognisers``), without an engine behind
it: importing that takes more than a second.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import regex

from redact.recognition.matching.lazy_patterns import ScoredPattern

DEFAULT_FLAGS: Final = int(regex.DOTALL | regex.MULTILINE | regex.IGNORECASE)


class PatternRecogniser:
    """Finds one type of personal data by patterns, each match of which may be checked.

    ``context`` are words that raise the score of a finding after them.
    """

    def __init__(  # noqa: PLR0913  # that of Presidio
        self,
        supported_entity: str,
        *,
        patterns: Iterable[ScoredPattern] = (),
        context: Sequence[str] | None = None,
        global_regex_flags: int = DEFAULT_FLAGS,
        name: str | None = None,
        supported_language: str = "en",
    ) -> None:
        del supported_language
        self.name = name or type(self).__name__
        self.supported_entities = [supported_entity]
        self.patterns = list(patterns)
        self.context = None if context is None else list(context)
        self.global_regex_flags = global_regex_flags

    def validate_result(self, pattern_text: str) -> bool | None:
        """Return whether a match is certain or none; None leaves it its score."""
        del pattern_text
        return None

    def invalidate_result(self, pattern_text: str) -> bool | None:
        """Return whether a match does not count."""
        del pattern_text
        return None

    @staticmethod
    def sanitize_value(text: str, replacement_pairs: Iterable[tuple[str, str]]) -> str:
        """Return a text with each first string of a pair replaced by the second."""
        for old, new in replacement_pairs:
            text = text.replace(old, new)
        return text
