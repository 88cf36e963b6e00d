"""Reads unquoted keys: each ``:`` and ``=``, with the words before it that form its key.

A key is read backwards from its sign, up to a character that no key contains.
"""

import re

from redact.pairs.items import KeySign

SIGN_PATTERN = re.compile(
    r"[:=\uff1a](?<=[\w)\]*`%#. \t\u3000].)"
    r"(?:(?<=:)(?![:/\\=])(?:(?<!\d:)|(?!\d))|(?<=\uff1a)|(?<==)(?<![:=!<>]=)(?:>|(?![=~>])))"
)
_WINDOW = 120
_TOKEN = re.compile(r"[ \t]{0,20}+([\w.$%@\]\[:-]{1,60}+)")
_WORD = r"[\w$/#&'\u2019\u00b0%-][\w.$/#&'\u2019\u00b0%-]*+"
_PHRASE = re.compile(
    r"[ \t\u3000]{0,20}+[*_`~]{0,3}+[ ]?"
    rf"(\.?(?:\)[^()\n]{{1,30}}+\([ ]?)?{_WORD}(?:[ ]{_WORD}){{0,6}}+)"
)
_LEAD = "-+#/.&'\u2019*: "
_MOST_WORDS, _MOST_SMALL_WORDS = 5, 3
"""Maximum words of a capitalised key, and of any other: more words are a sentence."""
_BULLETS = " \t-*+\u2022\u25cf>#\"'`_~0123456789.)({[,|"
_BOUNDARIES = " \t\r,;|({[<>)]}\"'!?&/\\\uff0c\u3002\uff1b\u3001\u00b7\u2022*_`\u2014\u2013-"
_STATEMENTS = frozenset(
    ["where", "and", "or", "set", "on", "let", "const", "var", "export", "my", "local", "if"]
)
_CONNECTORS = frozenset({"of", "de", "da", "di", "do", "du", "der", "del", "van"})
_BEFORE_A_KEY = frozenset(
    [
        *(
            "at",
            "on",
            "my",
            "the",
            "is",
            "to",
            "by",
            "for",
            "with",
            "in",
            "and",
            "or",
            "his",
            "her",
        ),
        *("your", "our", "a", "an", "under", "via", "auf", "mein", "meine", "unter", "mon", "ma"),
        *("mi", "meu", "minha", "mio", "mia", "mijn"),
    ]
)
"""Words of the sentence before a key, not of the key: `reach me at mobile: ...`."""
_OPENERS = frozenset(
    [
        *("first", "last", "middle", "given", "family", "full", "maiden", "legal", "display"),
        *("phone", "mobile", "cell", "home", "work", "email", "e-mail", "date", "birth", "zip"),
        *("postal", "street", "mailing", "billing", "shipping", "card", "credit", "account"),
        *("bank", "routing", "passport", "social", "tax", "member", "customer", "user", "order"),
        *("booking", "patient", "policy", "driver", "license", "ip", "mac", "national", "contact"),
    ]
)


class KeySignReader:
    """Reads keys backwards from signs at increasing positions."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._line_start = 0
        self._line_end = -1
        self._prose = False
        self._escapes = "\\n" in text or "\\r" in text or "\\t" in text

    def mark(self, match: re.Match[str], floor: int, *, follows: bool) -> KeySign | None:
        """Return the key that ends at a sign, or None if none does.

        The text before ``floor`` is consumed already. ``follows`` means that the value of an
        unquoted key begins there, which may include the words before the sign.
        """
        text, position, sign = self._text, match.start(), match[0]
        if position > self._line_end:
            self._seek(position)
        begin = max(self._line_start, floor, position - _WINDOW)
        left = text[begin:position]
        back = left[::-1]
        read = self._token(left, back) if sign[0] == "=" else _PHRASE.match(back)
        if read is None:
            return None
        at = position - read.end(1)
        key = read[1][::-1]
        prose = False
        opened = key.rfind(" '") + 2
        if opened > 1:
            key, at = key[opened:], at + opened
        if sign[0] != "=" and " " in key:
            inside = follows and floor > self._line_start
            key, at, prose = _shorten(text, key, at, floor if inside else -1)
        key, at = self._clean(key, at)
        if not key:
            return None
        first = begin == self._line_start and not text[begin:at].strip(_BULLETS)
        if begin == self._line_start:
            self._prose = prose or not (first or text[begin:at].rstrip()[-1:] in _BOUNDARIES)
        if self._escapes and text[at - 2 : at] in ("\\n", "\\r", "\\t"):
            first, self._prose = True, False
        return KeySign(key, at, sign, position, match.end(), first, self._prose)

    def _seek(self, position: int) -> None:
        self._line_start = self._text.rfind("\n", max(self._line_end, 0), position) + 1
        end = self._text.find("\n", position)
        self._line_end = len(self._text) if end < 0 else end
        self._prose = False

    def _token(self, left: str, back: str) -> re.Match[str] | None:
        if back[:1] in (" ", "\t"):
            phrase = _PHRASE.match(back)
            if phrase is not None and not left[: len(left) - phrase.end()].strip(_BULLETS):
                words = phrase[1][::-1].split(" ")
                if len(words) < 4 and not any(word.lower() in _STATEMENTS for word in words):
                    return phrase
        return _TOKEN.match(back)

    def _clean(self, key: str, at: int) -> tuple[str, int]:
        """Return a key without the signs around it, empty if no letter is left."""
        if self._escapes and key[:1] in "nrt" and at and self._text[at - 1] == "\\":
            key, at = key[1:], at + 1
        bare = key.lstrip(_LEAD)
        if bare[:1] == "[" or bare[:1] == "]":
            bare = bare[1:]
            if bare[-1:] == "]" and "[" not in bare:
                bare = bare[:-1]
        at += len(key) - len(key.lstrip(_LEAD + "[]"))
        if bare[:1] == "_" and self._text[at + len(bare) : at + len(bare) + 1] == "_":
            bare, at = bare[1:], at + 1
        bare = bare.rstrip("*_`~: ") if bare[-1:] in "*_`~: " else bare
        return (bare, at) if any(map(str.isalpha, bare)) else ("", at)


def _shorten(text: str, key: str, at: int, floor: int) -> tuple[str, int, bool]:
    """Return a key without preceding prose, and without the value of the previous key."""
    words = key.split(" ")
    prose = False
    glued = floor >= 0 and (at == floor or _is_glued(text, floor, at))
    if glued:
        keep = _last_words(words[1:] if text[at - 1] not in _BOUNDARIES and at > floor else words)
    elif len(words) > (_MOST_WORDS if key[:1].isupper() else _MOST_SMALL_WORDS):
        keep, prose = 2, True
    else:
        return key, at, prose
    if prose and words[-2].lower() in _BEFORE_A_KEY:
        keep = 1
    shortened = " ".join(words[-keep:])
    return shortened, at + len(key) - len(shortened), prose


def _is_glued(text: str, floor: int, at: int) -> bool:
    between = text[floor:at]
    bare = between.rstrip(" *_`")
    return not bare or ((bare[-1] not in _BOUNDARIES and bare[-1] != ".") and between[-2:] != "  ")


def _last_words(words: list[str]) -> int:
    """Return how many of the last words form a key, if the first belong to a previous value."""
    if len(words) > 2 and words[-2].lower() in _CONNECTORS:
        return 3
    if len(words) > 1 and words[-2].lower() in _OPENERS:
        return 2
    if words[-1][:1].islower():
        count = next((n for n, word in enumerate(reversed(words)) if word[:1].isupper()), 0)
        return count + 1 if count < len(words) - 1 else 1
    return 1
