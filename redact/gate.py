"""Which free text has a word that could be a name, and so is worth a model's time.

A model reads 25 to 30 thousand words a second, everything else here many times more. A text in
which each word with a capital is a word of everyday language, a month, a code such as `JFK`, or
already found needs no model.
"""

import json
import re
from collections.abc import Sequence
from importlib import resources

from spacy.lang.en.stop_words import STOP_WORDS

from redact.findings import Finding

_CAPITAL = re.compile(r"(?<![^\W_])[^\W\d_a-z][^\W\d_]+")
_FILE = resources.files("redact") / "everyday_words.json"
_EVERYDAY = frozenset(json.loads(_FILE.read_text(encoding="utf-8"))) | {
    word.replace("'", "") for word in STOP_WORDS
}


def worth_a_model(text: str, findings: Sequence[Finding]) -> bool:
    """Tell whether a text has a capital that neither everyday language nor a finding explains."""
    for match in _CAPITAL.finditer(text):
        word = match[0]
        if word.isupper() and len(word) <= 4:
            continue
        if word.lower() in _EVERYDAY:
            continue
        start, end = match.span()
        if not any(f.start <= start and end <= f.end for f in findings):
            return True
    return False
