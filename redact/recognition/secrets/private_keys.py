"""Recogniser for private keys, which span several lines."""

from presidio_analyzer import Pattern, PatternRecognizer

PRIVATE_KEY_PATTERNS = (
    Pattern(
        "Private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?!-----END)[\s\S]){0,20000}(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?",
        0.99,
    ),
)


class PrivateKeyRecogniser(PatternRecognizer):
    """Finds private keys by their first and last line."""

    def __init__(self) -> None:
        super().__init__(
            supported_entity="SECRET",
            patterns=list(PRIVATE_KEY_PATTERNS),
            global_regex_flags=0,
            name="Secrets",
        )
