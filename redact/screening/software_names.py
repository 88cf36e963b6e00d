"""Names of programs and libraries that the model mistakes for persons: `Grafana Loki`.

The list (`software_names.txt`) has words of the names of Debian packages and of the most used ones
of the Python Package Index, without those that are a given or family name somewhere.
"""

import re
from importlib import resources
from typing import Final

from redact.field_keys.person_values import is_organisation
from redact.lexical.given_names import is_given_name

_FILE: Final = resources.files("redact") / "software_names.txt"
_NAMES: Final = frozenset(_FILE.read_text(encoding="utf-8").split())
_WORDS: Final = re.compile(r"[^\W\d_]+")
_PLACES_AND_FEASTS: Final = frozenset(
    [
        *("paris", "berlin", "hamburg", "köln", "münchen", "wien", "zürich", "madrid"),
        *("barcelona", "sevilla", "valencia", "lisboa", "porto", "roma", "milano", "napoli"),
        *("torino", "venezia", "bologna", "palermo", "amsterdam", "rotterdam", "utrecht"),
        *("brussel", "bruxelles", "warszawa", "kraków", "gdańsk", "london", "manchester"),
        *("leeds", "dublin", "oslo", "stockholm", "lyon", "marseille", "bordeaux", "pasen"),
        *("kerst", "pinksteren", "sinterklaas", "ostern", "weihnachten", "pfingsten"),
        *("silvester", "pâques", "navidad", "natal", "natale", "pasqua", "páscoa"),
        *("wielkanoc", "easter", "christmas", "ramadan", "hanukkah", "diwali"),
    ]
)
"""Towns and holidays that the model mistakes for persons if alone: `Met Pasen ...`."""
_GLUED: Final = re.compile(r"(?<=[\u0370-\uffff])[A-Za-z]{3,}|[A-Za-z]{3,}(?=[\u0370-\uffff])")
"""A Latin word that touches letters of another script."""
_PARTICLES: Final = frozenset(
    ["al", "da", "de", "del", "der", "di", "du", "el", "la", "van", "von"]
)


def is_not_a_person(name: str) -> bool:
    """Return whether the words of a name that the model found show that it is not a person.

    That is a name that begins with a program's name, or contains one but no given name, or has
    lower-case words but no given name.
    """
    words = _WORDS.findall(name)
    if not words or words[0].lower() in _NAMES or is_organisation(name):
        return True
    if (len(words) == 1 and words[0].lower() in _PLACES_AND_FEASTS) or _is_glued(name):
        return True
    if any(is_given_name(word) for word in words):
        return False
    if any(word.isascii() and word.islower() and word not in _PARTICLES for word in words):
        return True
    return all(word in _PARTICLES for word in words) or any(w.lower() in _NAMES for w in words)


def _is_glued(name: str) -> bool:
    glued = None if name.isascii() else _GLUED.search(name)
    return glued is not None and glued[0].lower() in _NAMES
