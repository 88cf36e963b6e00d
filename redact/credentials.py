"""Credentials: cloud keys, tokens, private keys, passwords in connection strings.

The shapes are published by those who issue them, so that scanners can find them. A value of no
known shape counts as a secret after a telling key if it looks random (Shannon's entropy).
"""

from presidio_analyzer import Pattern, PatternRecognizer

from redact.randomness import looks_secret

SHAPES = (
    Pattern(
        "Private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?!-----END)[\s\S]){0,20000}(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?",
        0.99,
    ),
)

_TELLING = (
    r"(?i:pass(?:word|wd|phrase)?|pwd|secret|api[ _-]?key|apikey|access[ _-]?key|"
    r"auth[ _-]?token|access[ _-]?token|client[ _-]?secret|private[ _-]?key|token|credential)"
)


class ShapeRecogniser(PatternRecognizer):
    """Finds credentials by the shape their issuer gave them."""

    def __init__(self) -> None:
        super().__init__(
            supported_entity="SECRET", patterns=list(SHAPES), global_regex_flags=0, name="Secrets"
        )


class TellingKeyRecogniser(PatternRecognizer):
    """Finds a random-looking value that follows `password:`, `api_key =` and the like."""

    PATTERNS = (
        Pattern(
            "After a telling key",
            rf"(?<=\b{_TELLING}[\"']?\s{{0,2}}(?:[:=]|=>|is|was)\s{{0,2}}[\"']?)"
            r"[^\s\"',;<>]{6,200}",
            0.75,
        ),
    )

    def __init__(self) -> None:
        super().__init__(
            supported_entity="SECRET",
            patterns=list(self.PATTERNS),
            global_regex_flags=0,
            name="SecretAfterKey",
        )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse words: a secret mixes classes of characters or looks random."""
        return not looks_secret(pattern_text)
