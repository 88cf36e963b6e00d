"""Splits a key into words: camel case, snake case, brackets, compounds, kanji."""

import re

from redact.field_keys.key_words import KeyWordLists, drop_particles, fold_letters

_MAX_LENGTH = 120
"""Only the last characters of a longer key are read."""

_BOUNDARY = re.compile(
    r"[\W_]+|(?<=[^\W\d_])(?=[0-9])|(?<=[0-9])(?=[^\W\d_])"
    r"|(?<=[a-zà-öø-ÿа-яё])(?=[A-ZÀ-ÖØ-ÞА-ЯЁ])|(?<=[A-Z])(?=[A-Z][a-z])"
)
_FOREIGN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_LINKS = ("", "s", "n", "en", "es", "e")
"""Linking letters between the parts of a compound."""


def split_key(name: str, lists: KeyWordLists) -> list[str]:
    """Return the words of a key in lower case without accents, with compounds split."""
    parts: list[str] = []
    tokens = [token for token in _BOUNDARY.split(name[-_MAX_LENGTH:]) if token]
    tokens = [fold_letters(token) for token in tokens]
    for token in tokens:
        if token in lists.atoms or token.isdigit():
            parts.append(token)
        elif not token.isascii() and _FOREIGN.search(token):
            parts += _split_foreign(token, lists)
        else:
            parts += _split_compound(token, lists)
    return drop_particles(parts)


def _split_compound(token: str, lists: KeyWordLists) -> list[str]:
    """Split a word that consists of known words, or ends in one: `kundenname`."""
    if len(token) > _LONGEST_COMPOUND:
        return [token]
    if token[-1] == "s" and (token[:-1],) in lists.by_words:
        return [token[:-1]]
    if token.endswith("es") and (token[:-2],) in lists.by_words:
        return [token[:-2]]
    if len(token) >= _SHORTEST_COMPOUND:
        pieces = _pieces(token, lists.pieces, _MOST_PIECES)
        if pieces:
            return pieces
        for at in range(2, len(token) - 3):
            if token[at:] in lists.tails:
                return [token[:at], token[at:]]
    return [token]


_LONGEST_COMPOUND = 40
_SHORTEST_COMPOUND = 6
_SHORTEST_FIRST = 4
_MOST_PIECES = 4
_SHORT_PIECES = frozenset({"ssn", "tel", "dob", "fax", "zip", "iban", "vin", "mrn", "plz"})
_SHORT_LAST = frozenset({"id", "nr", "no", "ip"})


def _pieces(token: str, pieces: frozenset[str], max_pieces: int) -> list[str]:
    """Return the known words that a token consists of, longest first; empty if there are none."""
    if token in pieces:
        return [token]
    if token in _SHORT_LAST and max_pieces < _MOST_PIECES:
        return [token]
    if max_pieces == 1:
        return []
    for end in range(len(token) - 2, 2, -1):
        piece = token[:end]
        if piece not in pieces or (end < _SHORTEST_FIRST and piece not in _SHORT_PIECES):
            continue
        for link in _LINKS:
            if token.startswith(link, end):
                rest = _pieces(token[end + len(link) :], pieces, max_pieces - 1)
                if rest and (len(rest[-1]) > _SHORT or rest[-1] in _SHORT_LAST | _SHORT_PIECES):
                    return [piece, *rest]
    return []


_SHORT = 3


def _split_foreign(token: str, lists: KeyWordLists) -> list[str]:
    """Split a word of a script without spaces, the longest known word first."""
    parts: list[str] = []
    at, unknown = 0, 0
    while at < len(token):
        for size in range(min(_LONGEST_FOREIGN, len(token) - at), 0, -1):
            translated = lists.foreign.get(token[at : at + size])
            if translated is not None:
                if unknown < at:
                    parts.append(token[unknown:at])
                parts += translated
                at += size
                unknown = at
                break
        else:
            at += 1
    return [*parts, token[unknown:]] if unknown < len(token) else parts


_LONGEST_FOREIGN = 12
