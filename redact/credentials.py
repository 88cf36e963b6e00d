"""Credentials: cloud keys, tokens, private keys, passwords in connection strings.

The shapes are published by those who issue them, so that scanners can find them. A value of no
known shape counts as a secret after a telling key if it looks random (Shannon's entropy).
"""

import math
from collections import Counter

from presidio_analyzer import Pattern, PatternRecognizer

_EDGE = r"(?<![A-Za-z0-9_-])"
SHAPES = (
    Pattern("AWS access key", _EDGE + r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])", 0.95),
    Pattern("OpenAI or Anthropic key", _EDGE + r"sk-[A-Za-z0-9_-]{16,200}", 0.95),
    Pattern("Stripe key", _EDGE + r"[srp]k_(?:live|test)_[A-Za-z0-9]{10,200}", 0.95),
    Pattern("GitHub token", _EDGE + r"gh[pousr]_[A-Za-z0-9]{20,255}", 0.95),
    Pattern("GitHub fine-grained token", _EDGE + r"github_pat_[A-Za-z0-9_]{20,255}", 0.95),
    Pattern("GitLab token", _EDGE + r"gl(?:pat|dt|rt|ft|soat)-[A-Za-z0-9_-]{16,200}", 0.95),
    Pattern("Slack token", _EDGE + r"xox[abeoprs]-[A-Za-z0-9-]{10,250}", 0.95),
    Pattern("Google key", _EDGE + r"AIza[A-Za-z0-9_-]{35}", 0.95),
    Pattern("Google OAuth token", _EDGE + r"ya29\.[A-Za-z0-9_-]{20,500}", 0.95),
    Pattern("Hugging Face token", _EDGE + r"hf_[A-Za-z0-9]{30,100}", 0.95),
    Pattern("npm token", _EDGE + r"npm_[A-Za-z0-9]{36}", 0.95),
    Pattern("PyPI token", _EDGE + r"pypi-[A-Za-z0-9_-]{50,500}", 0.95),
    Pattern("SendGrid key", _EDGE + r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}", 0.95),
    Pattern("Twilio key", _EDGE + r"(?:SK|AC)[0-9a-f]{32}(?![A-Za-z0-9])", 0.9),
    Pattern("Databricks token", _EDGE + r"dapi[0-9a-f]{32}(?![A-Za-z0-9])", 0.95),
    Pattern(
        "JSON web token",
        _EDGE + r"eyJ[A-Za-z0-9_-]{5,4000}\.[A-Za-z0-9_-]{5,8000}(?:\.[A-Za-z0-9_-]{0,2000})?",
        0.95,
    ),
    Pattern(
        "Private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?!-----END)[\s\S]){0,20000}(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?",
        0.99,
    ),
    Pattern(
        "Password in a connection string",
        r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s:/@\"'<>]{0,100}:[^\s/@\"'<>]{1,200}@"
        r"[A-Za-z0-9.\-\[\]:]{1,253}",
        0.9,
    ),
    Pattern("Bearer token", r"(?<=[Bb]earer )[A-Za-z0-9._~+/=-]{16,4000}", 0.8),
    Pattern("Azure storage key", r"(?<=AccountKey=)[A-Za-z0-9+/=]{40,100}", 0.95),
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


def looks_secret(value: str) -> bool:
    """Tell whether a value looks chosen to be hard to guess, not like a word of a sentence."""
    value = value.rstrip(".,!?)")
    classes = (
        any(c.islower() for c in value)
        + any(c.isupper() for c in value[1:])
        + any(c.isdigit() for c in value)
        + any(not c.isalnum() for c in value)
    )
    if len(value) < 6 or (value.isalpha() and len(value) < 20):
        return False
    return classes >= 3 or (classes >= 2 and len(value) >= 8 and entropy(value) >= 2.75)


def entropy(value: str) -> float:
    """Return Shannon's entropy of the characters of ``value``, in bits a character."""
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
