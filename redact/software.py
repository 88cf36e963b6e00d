"""Names of programs and libraries, which a model for names takes for persons: `Grafana Loki`.

The list (`software_names.txt`) holds words of the names of packages of Debian and of the most used
ones of the Python Package Index, without those that are a given or a family name somewhere.
"""

import re
from importlib import resources
from typing import Final

from redact.given_names import is_given_name

_FILE: Final = resources.files("redact") / "software_names.txt"
_NAMES: Final = frozenset(_FILE.read_text(encoding="utf-8").split())
_WORDS: Final = re.compile(r"[^\W\d_]+")


def is_no_person(name: str) -> bool:
    """Return whether what a model takes for a person is none by its words.

    That is one with the name of a program and without a given name, and a single word in small
    letters that is no given name.
    """
    words = _WORDS.findall(name)
    if any(is_given_name(word) for word in words):
        return False
    if len(words) == 1 and words[0].isascii() and words[0].islower():
        return True
    return any(word.lower() in _NAMES for word in words)
