"""Replaces lone surrogates in JSON, left by a stream that was cut within an emoji.

JSON lets a string hold ``\\ud83d`` alone, but Unicode text cannot. The rest of the record is valid,
so U+FFFD, the replacement character, takes its place.
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
    """Return a JSON document with U+FFFD instead of each lone surrogate."""
    if _MAY_HOLD.search(document) is None:
        return document
    return _ESCAPE.sub(lambda match: rb"\ufffd" if match["half"] else match[0], document)
