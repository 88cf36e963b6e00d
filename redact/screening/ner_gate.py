"""The gate before the name model: lets free text through if a word in it could be a name.

A model reads 25 to 30 thousand words a second, everything else here many times more. A text needs
no model if each capitalised word is everyday language, a month, a code such as `JFK`, or already a
finding. Source code and words of keys are hidden from the model.
"""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

from redact.field_keys.dummy_values import is_ordinary_word
from redact.field_keys.key_words import WordCategory, fold_letters, load_key_words
from redact.lexical.english_rules import english_stop_words
from redact.lexical.findings import PiiFinding
from redact.lexical.given_names import is_given_name
from redact.ner.model_format import VOCABULARY

CAPITAL = re.compile(r"(?<![^\W_])[^\W\d_a-z][^\W\d_]+")
ASCII_CAPITAL = re.compile(r"[A-Z](?<![A-Za-z0-9].)[A-Za-z]+")
"""The same in ASCII text, at a third of the time."""
_FOLDER = resources.files("redact")
_EVERYDAY = frozenset(word.replace("'", "") for word in english_stop_words()).union(
    *(
        json.loads((_FOLDER / name).read_text(encoding="utf-8"))
        for name in ("everyday_words.json", "heading_words.json")
    )
)
"""Words of chats, and first words of sentences and headings in answers of models; not names."""

_USUAL = _EVERYDAY | {
    word
    for word in (_FOLDER / "ner" / "model" / VOCABULARY).read_text(encoding="utf-8").split()
    if len(word) >= 3 and word.isalpha() and not is_given_name(word)
}
"""Frequent words, which are a single piece for the model, without given names."""
_SMALL = re.compile(r"(?<![^\W_])[a-z\u00df-\u024f]{3,40}(?![^\W_])")
_AGE = re.compile(
    r"\b[0-9]{1,3}[ -]?(?:years?|yrs?|y/?o|jahre?|ans|a\u00f1os|anos|anni|jaar|lata?)\b"
    r"|\b(?:aged?|turn(?:ed|s|ing)?)[ :]{1,2}[0-9]",
    re.IGNORECASE,
)
_UNIT_OF_AGE = re.compile(r"[0-9][ -]?[aAjJlLyY]")
"""Part of each `_AGE` that begins with a number."""
_FENCE = re.compile(r"(?<=```)[A-Za-z][\w+#-]{0,20}(?=[ \t]*\r?$)", re.MULTILINE)
_IDENTIFIER = re.compile(
    r"(?<![\w.@/-])(?:[A-Za-z_][\w.]{0,80}(?:\(\)|(?<=[a-z])(?:Error|Exception|Warning)\b)"
    r"|(?:[A-Za-z]\w{0,60}\.){0,4}[A-Za-z]{1,40}(?:_[A-Za-z0-9]{1,40}){1,6}(?![\w@])"
    r"|[A-Z][A-Z0-9_]{1,60}(?==))"
)
"""`KeyError`, `redis.exceptions.ConnectionError`, `get_user()`, `max_tokens`, `ISBN=`."""
SIGNS_OF_IDENTIFIER = ("_", "=", "()", "Error", "Exception", "Warning")
"""Each identifier has one of these."""
_KEY = re.compile(
    r"^([ \t>]{0,12}(?:[-*+][ \t])?[*_]{0,2})([^\W\d_][^\W\d_]{1,20}(?:[ _-][^\W_]{1,20}){0,2})"
    r"(?=[*_]{0,2}:[*_]{0,2}(?:[ \t]|$))",
    re.MULTILINE,
)
_OF_PROGRAM = (
    r"(?:async[ ])?def[ ]\w+\(", r"class[ ]\w+(?:\(.*\))?:$",
    r"from[ ][\w.]+[ ]import[ ]", r"import[ ][\w., ]+$",
    r"return(?:$|[ ](?:self|not|None|True|False|[\w.]+[(\[]|\w+\.\w|\w+$|[0-9\"'\[{(-]))",
    r"raise[ ]\w+(?:\(|$)", r"@[\w.]+(?:\(.*\))?$",
    r"(?:el)?if[ ](?=[^:]*[(=<>\[_]).*:$", r"(?:else|try|finally):", r"except\b.*:$",
    r"(?:for[ ][\w, ()]{1,60}[ ]in[ ]|while[ ](?=.*[(=<>_])|with[ ][\w.]+\().*:$",
    r"[\w.\[\]'\"]{1,60}(?:,[ ][\w.]{1,40}){0,3}[ ][-+*/|&%]?=[ ]"
    r"(?:[\w.]+[(\[]|\w+\.\w|[0-9\"'\[{(-]|(?:None|True|False|not|lambda|await|new)\b)",
    r"[\w.]{1,60}=(?=\S*,$)", r"[a-z_][\w.]{0,60}\(.*[),({\[]$", r"[)\]}]+,?$",
    r"(?:const|let|var)[ ]\w+[ ]?[=:]",
    r"(?:public|private|static|function|func|fn)[ ][\w<>\[\] ]+\(",
    r"File[ ]\".*\",[ ]line[ ][0-9]", r"Traceback[ ]\(most", r"at[ ][\w.$<>]+\(.*\)$",
)  # fmt: skip
_CODE_LINE = re.compile(rf"^[ \t]*(?:{'|'.join(_OF_PROGRAM)}).*$", re.MULTILINE)
"""A line of a program or of a stack trace."""
_IN_QUOTES = re.compile(r"\"[^\"\n]{12,}\"|'[^'\n]{12,}'|#[ ].*$|//[ ].*$")
_HEADINGS = re.compile(r"^[^\n|,;.!?<>]{0,40}(?:[|,;][^\n|,;.!?<>]{0,40}){1,20}$", re.MULTILINE)
_RULED = re.compile(
    r"^([ \t>]{0,12}\|?[^\n|]{0,80}(?:\|[^\n|]{0,80}){1,30})"
    r"(?=\r?\n[ \t>]{0,12}\|?[ ]?:?-{2,60}:?[ ]?\|)",
    re.MULTILINE,
)
"""The headings of a table in Markdown: a line of dashes follows."""
_CELLS = re.compile(r"[|,;]")
_CELL = re.compile(r"[^|\n]+")
_APART = re.compile(r"[|,;\s_*\"'-]+")
_CODES = re.compile(
    r"\b(?:ISBN|ISSN|EAN|GTIN|UPC|ASIN|SKU|IMEI|IMO|DOI|UUID|ETag|SHA[0-9]{0,3}|MD5|CRC)\b", re.I
)
"""Names of codes and numbers of things."""
_CODE_NAMES = (
    "isbn", "issn", "ean", "gtin", "upc", "asin", "sku", "imei", "imo", "doi", "uuid", "etag",
    "sha", "md5", "crc",
)  # fmt: skip
_ODD_CASE = re.compile(r"[\u017f\u212a\u0130\u0131]")
"""Non-ASCII letters that are an ASCII letter in another case."""
_WORDS_OF_KEY = re.compile(r"[ _-]")


def blank_code_and_keys(text: str) -> str:
    """Return a text of the same length with source code and words of keys blanked.

    Quoted strings and comments in a line of source code remain.
    """
    if "```" in text:
        text = _FENCE.sub(_blank, text)
    text = _CODE_LINE.sub(_without_code, text)
    if any([sign in text for sign in SIGNS_OF_IDENTIFIER]):  # noqa: C419  # faster so
        text = _IDENTIFIER.sub(_blank, text)
    if may_name_code(text):
        text = _CODES.sub(_blank, text)
    if "|" in text or "," in text or ";" in text:
        text = _HEADINGS.sub(_without_headings, text)
        if "--" in text and "|" in text:
            text = _RULED.sub(_without_ruled, text)
    if ":" in text:
        text = _KEY.sub(_without_key, text)
    return text


def may_name_code(text: str) -> bool:
    """Return whether a text may hold the name of a code, such as `ISBN`."""
    lowered = text.lower()
    if any([name in lowered for name in _CODE_NAMES]):  # noqa: C419  # faster so
        return True
    return not text.isascii() and _ODD_CASE.search(text) is not None


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _without_code(match: re.Match[str]) -> str:
    line = match[0]
    pieces: list[str] = []
    position = 0
    for quoted in _IN_QUOTES.finditer(line):
        pieces += (" " * (quoted.start() - position), quoted[0])
        position = quoted.end()
    return "".join([*pieces, " " * (len(line) - position)])


def _without_headings(match: re.Match[str]) -> str:
    """Return a blank line if each of its cells is a heading."""
    if all(map(_is_heading, _CELLS.split(match[0]))):
        return _blank(match)
    return match[0]


def _is_heading(cell: str) -> bool:
    """Return whether a cell ends in a word of keys (`Max value`), or is empty."""
    words = [word for word in _APART.split(cell) if word and not word.isdecimal()]
    if not words:
        return True
    if is_given_name(words[0]) and not is_ordinary_word(words[0]):
        return False
    last = fold_letters(words[-1])
    atoms = load_key_words().atoms
    return is_ordinary_word(last) or last in atoms or last.removesuffix("s") in atoms


def _without_ruled(match: re.Match[str]) -> str:
    """Return the headings of a table without those that end in a word of keys: `Max value`."""
    return _CELL.sub(_without_heading, match[0])


def _without_heading(match: re.Match[str]) -> str:
    return _blank(match) if _is_heading(match[0]) else match[0]


def _without_key(match: re.Match[str]) -> str:
    if _is_key_of_thing(match[2]):
        return match[1] + " " * len(match[2])
    return match[0]


@lru_cache(maxsize=4_096)
def _is_key_of_thing(key: str) -> bool:
    """Return whether the key of a line is a heading without a word for a person."""
    return _is_heading(key) and not any(map(_is_of_person, _WORDS_OF_KEY.split(key)))


def _is_of_person(word: str) -> bool:
    word_meaning = load_key_words().by_words.get((fold_letters(word),))
    return word_meaning is not None and bool(
        word_meaning.type
        or word_meaning.cat & (WordCategory.HUMAN | WordCategory.ROLE | WordCategory.NAME)
    )


def needs_ner(text: str, findings: Sequence[PiiFinding]) -> bool:
    """Return whether a text has a word that may be a name, or an age.

    Such a word has a capital that neither everyday language nor a finding explains, or is a given
    name in lower case. In a text without any capitals each rare word counts.
    """
    capitals = ASCII_CAPITAL if text.isascii() else CAPITAL
    for match in capitals.finditer(text):
        word = match[0]
        if len(word) <= _LONGEST_CODE and word.isupper():
            continue
        if word.lower() in _EVERYDAY:
            continue
        if not _is_explained(match, findings):
            return True
    lowered = text.lower()
    if may_state_age(text, lowered) and _AGE.search(text) is not None:
        return True
    unusual = set(_SMALL.findall(text)) - _USUAL
    if not unusual:
        return False
    if text != lowered:
        unusual = {word for word in unusual if is_given_name(word)}
        if not unusual:
            return False
    return any(
        match[0] in unusual and not _is_explained(match, findings)
        for match in _SMALL.finditer(text)
    )


def may_state_age(text: str, lowered: str) -> bool:
    """Return whether a text may state an age; ``lowered`` is the text in lower case."""
    if "age" in lowered or "turn" in lowered:
        return True
    return _UNIT_OF_AGE.search(text) is not None


_LONGEST_CODE = 4
"""Longest run of capitals that is a code such as `JFK`."""


def _is_explained(match: re.Match[str], findings: Sequence[PiiFinding]) -> bool:
    start, end = match.span()
    return any(finding.start <= start and end <= finding.end for finding in findings)
