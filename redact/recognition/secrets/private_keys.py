"""Private keys, whose shape is a block of lines. Other credentials: `vendor_keys`, `announced`."""

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
    """Finds credentials by the shape their issuer gave them."""

    def __init__(self) -> None:
        super().__init__(
            supported_entity="SECRET",
            patterns=list(PRIVATE_KEY_PATTERNS),
            global_regex_flags=0,
            name="Secrets",
        )
