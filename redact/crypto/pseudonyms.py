"""Keyed, stable pseudonyms: under one key the same value always gets the same token.

A token is 12 characters of base32 (a-z, 2-7): nine from HMAC-SHA256 over scope, type and value,
three from a second HMAC over those nine. By the last three a later pass recognises its own
placeholders and leaves them unchanged, while look-alikes in hostile text are treated as text.
"""

import hmac
import re
from collections.abc import Callable, Sequence

from redact.crypto.canonical import canonical_form, former_canonical_forms
from redact.crypto.keys import Keys
from redact.lexical.embedded_files import FILE_TYPE, describe_file

_BODY, _CHECK = 9, 3
_MARK = 12
PLACEHOLDER = re.compile(rf"<([A-Z][A-Z_]{{1,39}}):([a-z2-7]{{{_BODY + _CHECK}}})>")

_MAX_TOKENS = 4_096
_LONGEST_KEPT = 256
"""Longer values, such as files, are not kept: so a bound on their number bounds the memory."""


class Pseudonyms:
    """Makes tokens under one key; ``scope`` is the name of an app, or empty for the whole lake.

    ``regions`` are those of a policy; telephone numbers without a country code are read in them.
    """

    def __init__(self, keys: Keys, regions: Sequence[str] = ()) -> None:
        self._regions = tuple(regions)
        self._hmac = hmac.new(keys.pseudonym, digestmod="sha256")
        self.key_id = keys.key_id
        self._tokens: dict[tuple[str, str, str], str] = {}

    def token(self, kind: str, value: str, scope: str = "") -> str:
        """Return the 12-character token of a value."""
        cached = self._tokens.get((kind, value, scope))
        if cached is not None:
            return cached
        token = self._token_of(kind, canonical_form(kind, value, self._regions), scope)
        if len(value) > _LONGEST_KEPT:
            return token
        if len(self._tokens) >= _MAX_TOKENS:
            self._tokens.clear()
        self._tokens[kind, value, scope] = token
        return token

    def former_tokens(self, kind: str, value: str, scope: str = "") -> frozenset[str]:
        """Return the tokens that earlier versions gave to the usual spellings of a value."""
        forms = former_canonical_forms(kind, value, self._regions)
        return frozenset(self._token_of(kind, form, scope) for form in forms)

    def placeholder(self, kind: str, value: str, scope: str = "") -> str:
        """Return ``<TYPE:token>``; for a file with its media type and size."""
        token = self.token(kind, value, scope)
        return describe_file(value, token) if kind == FILE_TYPE else f"<{kind}:{token}>"

    def identifier(self, kind: str, value: str, scope: str = "") -> str:
        """Return ``key_id:token``, for fields that are nothing but identifiers."""
        if PLACEHOLDER.fullmatch(value) or self.is_identifier(value):
            return value
        return f"{self.key_id}:{self.token(kind, value, scope)}"

    def is_identifier(self, value: str) -> bool:
        """Return whether a value was made by :meth:`identifier` under this key."""
        key_id, _, token = value.partition(":")
        return key_id == self.key_id and self.is_token(token)

    def is_token(self, token: str) -> bool:
        """Return whether a token was made under this key."""
        return len(token) == _BODY + _CHECK and self._with_check(token[:_BODY]) == token

    def word_mark(self, words: str) -> str:
        """Return a keyed hash of some words, which is no token of a value."""
        return _base32(self._digest(f"word\0{words}".encode("utf-8", "surrogatepass")), _MARK)

    def own_placeholders(self, text: str) -> list[tuple[int, int]]:
        """Return the spans of placeholders in a text that were made under this key."""
        if "<" not in text:
            return []
        return [m.span() for m in PLACEHOLDER.finditer(text) if self.is_token(m[2])]

    def _token_of(self, kind: str, form: str, scope: str) -> str:
        message = f"{scope}\0{kind}\0{form}".encode("utf-8", "surrogatepass")
        return self._with_check(_base32(self._digest(message), _BODY))

    def _with_check(self, body: str) -> str:
        return body + _base32(self._digest(b"check\0" + body.encode()), _CHECK)

    def _digest(self, message: bytes) -> bytes:
        keyed = self._hmac.copy()
        keyed.update(message)
        return keyed.digest()


_ALPHABET = b"abcdefghijklmnopqrstuvwxyz234567"
_LETTERS = bytes(_ALPHABET[byte % 32] for byte in range(256))


def _base32(digest: bytes, length: int) -> str:
    """Return five bits of each of the first bytes as a character."""
    return digest[:length].translate(_LETTERS).decode("ascii")


Operator = Callable[[str, str, str], str]
"""Takes type, value and scope, and returns the replacement."""


def build_operators(pseudonyms: Pseudonyms) -> dict[str, Operator]:
    """Return the function of each operator of a policy, except ``keep``."""
    return {
        "placeholder": pseudonyms.placeholder,
        "pseudonym": pseudonyms.identifier,
        "hash": lambda kind, value, scope: f"#{pseudonyms.token(kind, value, scope)}",
        "mask": lambda kind, _value, _scope: f"<{kind}>",
        "drop": lambda _kind, _value, _scope: "",
    }
