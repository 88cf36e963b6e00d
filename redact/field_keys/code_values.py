"""Checks for code, types or messages, instead of personal data, under a personal key.

`self.username`, `sock.getsockname()`, `Annotated[str, Option()]`, `cannot resolve %s`, and a value
that only repeats its key, as in `client_id=client_id` and `participant: Participant`.
"""

import re

_ATTRIBUTE = re.compile(
    r"(?:self|this|cls|args|opts|options|request|config|settings|kwargs|params|props|ctx|os)"
    r"(?:\.[A-Za-z_]\w{0,60}){1,6}"
)
_CALL = re.compile(
    r"(?=[A-Za-z_]\w{0,60}[._(][\w.]{0,120}|[A-Za-z]\w{1,60}\([A-Za-z_]\w{0,60}\)\Z)"
    r"[A-Za-z_][\w.]{0,160}(?:\(\)|(?<=\w)\([^()\n]{1,200}\))"
)
"""A call with a dot or an underscore in its name, and no argument or one that is a name."""
_SUBSCRIPTED = re.compile(r"[A-Z][A-Za-z]{1,40}\[.{1,200}\]")
_REST_OF_ADDRESS = re.compile(
    r"//[a-z0-9-]{1,60}(?:\.[a-z0-9-]{1,60}){1,5}(?:[/:?][^\s@]{0,500})?", re.IGNORECASE
)
"""The rest of a web address after its colon, in `[Access Tokens](https://...)`."""
_FORMS = (("//", _REST_OF_ADDRESS), (".", _ATTRIBUTE), ("(", _CALL), ("[", _SUBSCRIPTED))
"""Forms of code, by a mark that each contains."""
_PRINTED = re.compile(
    r"(?<![0-9A-Za-z%])(?:0x)?%[-0-9.#]{0,6}(?:l{0,2}[diuxX]|[srpgf])(?![0-9A-Za-z%])"
)
"""A `printf` conversion, as in `cannot resolve %s`."""
_HEXADECIMAL = re.compile(r"0[xX][0-9A-Fa-f]{1,16}")
_MACHINE = re.compile(
    r"(?:all|any|native|amd64|arm64|armhf|armel|i[3-6]86|x86_64|x64|aarch64|ppc64(?:el|le)?|s390x"
    r"|riscv64|noarch|linux|darwin|win(?:32|64))(?:[ ]v?[0-9][\w.+~:-]{0,40})?"
)
"""A CPU architecture that a program is built for, with its version."""
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
_ANY_WORD = frozenset({"SECRET", "USER_ID"})
_SHORTEST_REPEATED = 3
_FEWEST_SPACES = 3
_HASH = re.compile(r"hash|digest", re.IGNORECASE)
_LONGEST_TYPE = 9


def is_code(text: str, rule: str) -> bool:
    """Return whether a value is code or program output; a password may look like anything."""
    any_word = rule in _ANY_WORD
    if "%" in text and (not any_word or " " in text) and _PRINTED.search(text):
        return True
    if not text.isascii():
        return False
    if any(form.fullmatch(text) for mark, form in _FORMS if mark in text):
        return True
    if any_word:
        return False
    if text[0] == "0" and rule != "CRYPTO" and _HEXADECIMAL.fullmatch(text):
        return True
    return rule != "PERSON" and _MACHINE.fullmatch(text) is not None


def repeats_key(key: str, value: str) -> bool:
    """Return whether a value only repeats its key, or the key's last word (`self.pwd = pwd`).

    The type of a column in place of a hash (`password_hash: text`) counts too.
    """
    if value.isalpha() and len(value) <= _LONGEST_TYPE and _HASH.search(key):
        return True
    if value.count(" ") >= _FEWEST_SPACES:
        return _speaks_of(key, value)
    if len(value) > len(key) + _SHORTEST_REPEATED:
        return False
    plain_value = _NOT_ALPHANUMERIC.sub("", value).casefold()
    if len(plain_value) < _SHORTEST_REPEATED or plain_value.isdigit():
        return False
    if plain_value == _NOT_ALPHANUMERIC.sub("", key).casefold():
        return True
    return (
        "." in key and plain_value == _NOT_ALPHANUMERIC.sub("", key.rpartition(".")[2]).casefold()
    )


def _speaks_of(key: str, value: str) -> bool:
    """Return whether words without a digit describe their key: `KEY  The key to read`."""
    named = key.casefold()
    if len(named) < _SHORTEST_REPEATED or any(map(str.isdigit, value)):
        return False
    return named in value.casefold().split()
