"""Recogniser for private keys, which span several lines."""

from redact.recognition.matching.lazy_patterns import ScoredPattern
from redact.recognition.matching.pattern_recogniser import PatternRecogniser

PRIVATE_KEY_PATTERNS = (
    ScoredPattern(
        "Private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?!-----END)[\s\S]){0,20000}(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?",
        0.99,
    ),
)


class PrivateKeyRecogniser(PatternRecogniser):
    """Finds private keys by their first and last line."""

    def __init__(self) -> None:
        super().__init__(
            supported_entity="SECRET",
            patterns=list(PRIVATE_KEY_PATTERNS),
            global_regex_flags=0,
            name="Secrets",
        )
