"""Hostile texts: signs, keys and values in any order, with pieces repeated."""

import json
from random import Random

_MOST_PIECES = 60
_FLOOD = 4_000
_PIECES = (
    "email", "Name", ":", ": ", "=", "12:30", "a@b.de", "'", '"', ",", ";", "\n", "|", "(", ")",
    "values", "INSERT INTO t", "  ", " - ", "--", "...", "\t", "<b>", "</b>", "{", "}", "\uff1a",
    "password", "Ana Lopez", "ana", "\\", "\\n", "\\u0041", "%41", "&amp;", "+", "521-43-8871",
    "4111 1111 1111 1111", "DE89370400440532013000", "1990-05-17", "user_id", "mia_li_3668", "[1]",
    "ISBN ", "25 years", "I'm ", "hello ", "sk-", "eyJ", "AKIA", "max_tokens", "KeyError", "```\n",
    "\u200b", "\u00e9", "\u0130", "\U0001f600", "\uff11", "\u4e2d", "<PERSON:", ">", "0.5", "-7",
    "+1 212 555 0187", "10.1.2.3", "https://x.example/?q=", "def f(x):\n", "\r\n", "null", "[", "]",
    "version", "due_date", "Cabin: x", "x-api-key", "env ", "like ", "entry ", "\u2502", "\u2192",
)  # fmt: skip


def hostile(random: Random) -> str:
    """Return signs, keys and values in any order, with pieces repeated."""
    pieces = [random.choice(_PIECES) for _ in range(random.randrange(1, _MOST_PIECES))]
    if random.random() < _SHARE_OF_FLOODS:
        flood = random.choice(_PIECES)
        pieces.insert(len(pieces) // 2, flood * (_FLOOD // len(flood)))
    gaps = random.choice((("",), ("", " "), ("", " ", "\n"), (" ",)))
    text = "".join(piece + random.choice(gaps) for piece in pieces)
    return json.dumps({random.choice(_PIECES): text}) if random.random() < _SHARE_OF_JSON else text


_SHARE_OF_FLOODS = 0.05
_SHARE_OF_JSON = 0.25
