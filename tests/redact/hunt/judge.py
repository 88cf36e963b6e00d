"""What is wrong with an output: a value that is left in any reading, or a harmless text changed."""

import html
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

_STAND_IN = re.compile(
    r"<[A-Z_]{2,40}(?::[a-z2-7]{12})?>|#[a-z2-7]{12}\b|\b[a-z0-9]{1,8}:[a-z2-7]{12}\b"
)
_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")
_ROUNDS = 3
_JSON_DEPTH = 6


def left(document: Any, gone: tuple[str, ...], words: tuple[str, ...]) -> list[str]:
    """Return which of some strings are still in a document, however they are written there.

    ``gone`` may occur inside other characters and with other signs; ``words`` are whole words.
    """
    texts = [reading for text in strings(document) for reading in readings(text)]
    compacted = "\n".join(map(compact, texts)) if gone else ""
    found = [one for one in gone if compact(one) in compacted]
    whole = "\n".join(map(folded, texts)) if words else ""
    return found + [word for word in words if _word(word).search(whole)]


def strings(value: Any, depth: int = _JSON_DEPTH) -> Iterator[str]:
    """Yield all strings of a document, its keys, and those of JSON inside its strings."""
    if isinstance(value, str):
        yield value
        inner = _parsed(value) if depth else None
        if inner is not None:
            yield from strings(inner, depth - 1)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from strings(key, 0)
            yield from strings(inner, depth)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner, depth)
    elif value is not None:
        yield str(value)


def _parsed(text: str) -> Any:
    if text[:1] not in '{["':
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def readings(text: str) -> list[str]:
    """Return a text without stand-ins, raw and decoded."""
    found = [_STAND_IN.sub(" ", text)]
    for _ in range(_ROUNDS):
        decoded = unquote(html.unescape(_ESCAPE.sub(_unescaped, found[-1])))
        if decoded == found[-1]:
            break
        found.append(decoded)
    return found


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1] or match[2], 16))


def folded(text: str) -> str:
    """Return a text in compatible characters and small letters, without characters of format."""
    normal = unicodedata.normalize("NFKC", text)
    return "".join(c for c in normal if unicodedata.category(c) != "Cf").casefold()


def compact(text: str) -> str:
    """Return the letters and digits of a text, folded."""
    return "".join(filter(str.isalnum, folded(text)))


@lru_cache(maxsize=4096)
def _word(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){re.escape(folded(word))}(?![^\W_])")
