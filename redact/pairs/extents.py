"""Finds where an unquoted value ends, from the sign before it and the text after it."""

import re

from redact.pairs.items import KeySign
from redact.pairs.pair import ValueForm

_STOP = re.compile(r"[&;,|\t\"`)\]}<>\uff0c\uff1b\u3001]|(?<!\w)'|'(?!\w)")
_TRIM_END = " \t\r,;|*_`~\u3000\uff0c\uff1b\u3001\u00b7\u2022\\"
_CLOSERS = {")": "(", "]": "[", "}": "{", ">": "<"}
_BRACKET = re.compile(r"[()\[\]{}<>]")
_TAG = re.compile(r"\s*</?[A-Za-z!][^<>@\s]{0,80}(?=[\s>/])|\s+<[A-Za-z]|<[/!]")
_QUOTE_END = re.compile(r"(?<=\S)[\"'](?=\s*(?:[,;)\]}]|$))", re.MULTILINE)
_SIMPLE = re.compile(r"\w[\w@.+:-]*+(?<![_.:-])")
_COMMENT = re.compile(r"\s+(?:#|//|;)\s")
_LITERAL_BREAK = re.compile(r"\\[nrt]")
_ASIDE = re.compile(r"\s+\([^()]{0,60}\)\Z")
_PROSE_END = re.compile(
    r"[;|!?]|\.(?=\s|\Z)|\s\(|\s[\u2013\u2014-]\s|,\s(?=[a-z])"
    r"|,?\s(?:and|or|but|is|are|was|who|which|that|please|thanks|for|with|und|ist|et|est|y|es|e)\s"
)
_SENTENCE_END = re.compile(r"\.\s|;\s|\s\|")
_ONE_WORD = re.compile(r"\S*@\S*|\+?[0-9(][0-9().\s/-]{5,}[0-9](?=\s|,|\Z)")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,20}+://[^\s\"'<>|]*")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_CAPITALISED = re.compile(r"\S+(?:[ ][^\W\d_a-z][^\W\d_]*+(?=\s|\Z)){1,2}")
_LONGEST_WORDS = 8


def value_extent(
    text: str, mark: KeySign, start: int, limit: int, *, last: bool
) -> tuple[int, int, ValueForm]:
    """Return start, end and form of the value after a sign.

    ``limit`` is the position of the next key, or the end of the line if the key is the ``last`` in
    its line.
    """
    if "\\" in text[start:limit]:
        broken = _LITERAL_BREAK.search(text, start, limit)
        if broken is not None:
            limit, last = broken.start(), True
    if mark.sign == "=":
        return _equals_extent(text, mark, start, limit, last=last)
    return (*_colon_extent(text, mark, start, limit, last=last), "bare")


def _equals_extent(
    text: str, mark: KeySign, start: int, limit: int, *, last: bool
) -> tuple[int, int, ValueForm]:
    """Return the value after ``=``: a word, or words up to the next key or the end of the line."""
    url = _URL.match(text, start)
    if url is not None:
        return start, url.end(), "bare"
    spaced = text[mark.position - 1] in " \t" or text[mark.after : mark.after + 1] in (" ", "\t")
    if mark.first and last and (spaced or mark.key.isupper()):
        comment = _COMMENT.search(text, start, limit)
        return (*trim_extent(text, start, comment.start() if comment else limit), "bare")
    stop = _STOP.search(text, start, limit)
    end = stop.start() if stop else limit
    words = text[start:end].split(None, _LONGEST_WORDS)
    ends = (last and not mark.first and not stop) or len(words) > _LONGEST_WORDS
    if len(words) > 1 and (ends or "@" in words[0]):
        capitals = _CAPITALISED.match(text, start, end) if words[0][:1].isupper() else None
        end = capitals.end() if capitals else start + len(words[0])
    form: ValueForm = "bare"
    if (
        text[mark.at - 1 : mark.at] in ("&", "?")
        or text[end : end + 1] == "&"
        or ("+" not in text[start:end] and _PERCENT.search(text, start, end))
    ):
        form = "percent"
    return (*trim_extent(text, start, end), form)


def _colon_extent(text: str, mark: KeySign, start: int, end: int, *, last: bool) -> tuple[int, int]:
    """Return the value after a colon: up to the next key or the end of the line."""
    comment = _COMMENT.search(text, start, end) if "#" in text[start:end] else None
    if comment is not None and comment[0].strip() == "#":
        end = comment.start()
    before = text[mark.at - 1] if mark.at else ""
    if before and before in "\"'`":
        closing = text.find(before, start, end)
        end = closing if closing >= 0 else end
    elif mark.prose:
        word = _ONE_WORD.match(text, start, end)
        stop = _PROSE_END.search(text, start, end)
        end = min(stop.start() if stop else end, word.end() if word else end)
    elif not mark.first and last:
        stop = _SENTENCE_END.search(text, start, end)
        end = stop.start() if stop else end
    return trim_extent(text, start, end)


def trim_extent(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span of a value without the separators, brackets and tags around it."""
    if _SIMPLE.fullmatch(text, start, end) is not None:
        return start, end
    if "<" in text[start:end]:
        tag = _TAG.search(text, start, end)
        end = tag.start() if tag is not None else end
    end = _bracket_end(text, start, end)
    if "'" in text[start:end] or '"' in text[start:end]:
        end = _quote_end(text, start, end)
    for _ in range(4):
        value = _without_tail(text[start:end])
        changed = len(value) != end - start
        end = start + len(value)
        if len(value) > 2 and value[0] in "<\"'`(" and value[-1] in ">\"'`)":
            start, end, changed = start + 1, end - 1, True
        if not changed:
            break
    return start, end


def _quote_end(text: str, start: int, end: int) -> int:
    """Return the position of a quotation mark that closes a string opened before the value."""
    quote = _QUOTE_END.search(text, start, end)
    if quote is None or quote[0] in text[start : quote.start()]:
        return end
    return quote.start()


def _bracket_end(text: str, start: int, end: int) -> int:
    """Return the position of the first closing bracket that was not opened."""
    opened: list[str] = []
    for match in _BRACKET.finditer(text, start, end):
        bracket = match[0]
        if bracket not in _CLOSERS:
            opened.append(bracket)
        elif opened and opened[-1] == _CLOSERS[bracket]:
            opened.pop()
        else:
            return match.start()
    return end


def _without_tail(value: str) -> str:
    value = value.rstrip(_TRIM_END)
    if value[-1:] == ")":
        aside = _ASIDE.search(value, max(len(value) - 80, 0))
        if aside is not None and aside.start():
            value = value[: aside.start()]
    if value[-1:] == "." and value[-2:-1] not in ("", ".", " "):
        value = value[:-1]
    return value[:-2] if value[-2:] in (" -", " \u2013", " \u2014", " /", " &") else value
