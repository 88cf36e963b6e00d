"""Half surrogate pairs in JSON: what a stream that was cut within an emoji leaves behind.

JSON lets a string hold ``\\ud83d`` alone, and no Unicode text can. The record is not the worse for
it: U+FFFD, the sign for what could not be read, stands in its place.
"""

import re
from typing import Final

_ESCAPE: Final = re.compile(
    rb"\\(?:(?P<pair>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_MAY_HOLD: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def replace_lone_surrogates(document: bytes) -> bytes:
    """Return a JSON document with U+FFFD in the place of each surrogate that has no other half."""
    if _MAY_HOLD.search(document) is None:
        return document
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found["half"] else found[0], document)
