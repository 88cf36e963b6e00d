"""Presidio's own recognisers, by the path of their class below ``predefined_recognizers``.

They are loaded alone, on the base class of this package; a test compares them with Presidio's.
"""

from functools import lru_cache
from typing import Final

from redact.lexical.isolated_modules import IsolatedModules
from redact.recognition.matching.lazy_patterns import ScoredPattern
from redact.recognition.matching.pattern_recogniser import PatternRecogniser

_PACKAGE: Final = "presidio_analyzer"
_BASE: Final = {
    "EntityRecognizer": PatternRecogniser,
    "Pattern": ScoredPattern,
    "PatternRecognizer": PatternRecogniser,
}


def stock_recogniser(path: str) -> PatternRecogniser:
    """Return a new recogniser, such as ``generic.url_recognizer.UrlRecognizer``."""
    module, _, name = path.rpartition(".")
    made: PatternRecogniser = getattr(
        _modules().load(f"{_PACKAGE}.predefined_recognizers.{module}"), name
    )(supported_language="en")
    return made


@lru_cache(maxsize=1)
def _modules() -> IsolatedModules:
    return IsolatedModules(_PACKAGE, {_PACKAGE: _BASE})
