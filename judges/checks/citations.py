"""Checks that what an answer cites is among the documents that were retrieved.

That a citation exists says nothing about whether the document supports the statement.
"""

import re
from collections.abc import Iterator
from typing import Final

from judges.judged_row import JudgedRow
from judges.outcome import JudgeAnswer, judge_error

_BRACKETS: Final = re.compile(
    r"\[\^?(?P<plain>[^\[\]\n]{1,200})\](?P<link>\([^()\s]{0,500}\))?|【(?P<wide>[^【】\n]{1,200})】"
)
_DASH: Final = "\N{EN DASH}-"
_NUMBERS: Final = re.compile(rf"\d{{1,3}}(?:\s*[,;{_DASH}]\s*\d{{1,3}})*\Z")
_PREFIX: Final = re.compile(r"(?:doc(?:ument)?|source|ref)s?\s*(?:[:#]\s*|(?=\d))", re.IGNORECASE)
_ID_PARTS: Final = re.compile(r"[A-Za-z]+|\d+")
_HEAD: Final = re.compile(r"[^-_/:#.\s]{2,}[-_/:#.]")
_MOST_NUMBERS: Final = 200


def check_citations(row: JudgedRow) -> JudgeAnswer:
    """Pass if every citation of the answer names a retrieved document, by its place or its id.

    Citations are numbers in brackets (`[2]`, `[1, 3]`, `[^2]`, `【4】`) and ids in brackets, before
    which may stand `doc`, `source` or `ref`. Links to the web are none. An answer without citations
    is not applicable.
    """
    response = row.trace.response
    if response is None:
        return judge_error("missing_input")
    known = [document.document_id for document in row.trace.retrieved]
    cited = list(citations_in(response, known))
    if not cited:
        return JudgeAnswer("not_applicable")
    return JudgeAnswer("pass" if all(exists for _, exists in cited) else "fail")


def citations_in(response: str, document_ids: list[str]) -> Iterator[tuple[str, bool]]:
    """Yield each citation of an answer, and whether it names one of the documents."""
    ids = {part for id_ in document_ids for part in (id_, id_.partition("#")[0])}
    for match in _BRACKETS.finditer(response):
        text = (match["plain"] or match["wide"]).strip()
        if match["link"] is not None:
            target = match["link"][1:-1]
            if target in ids:
                yield target, True
            continue
        if text in ids:
            yield text, True
            continue
        bare = _PREFIX.sub("", text, count=1)
        if _NUMBERS.match(bare):
            for number in _numbers(bare):
                yield str(number), str(number) in ids or 1 <= number <= len(document_ids)
        elif bare in ids:
            yield bare, True
        elif bare != text or _is_like(bare, document_ids):
            yield bare, False


def _numbers(text: str) -> list[int]:
    """Return the numbers of a list such as `1, 3-5`."""
    numbers: list[int] = []
    for part in re.split(r"[,;]", text):
        ends = [int(end) for end in re.findall(r"\d+", part)]
        if len(ends) == 2 and ends[0] <= ends[1] <= ends[0] + _MOST_NUMBERS:
            numbers.extend(range(ends[0], ends[1] + 1))
        else:
            numbers.extend(ends)
    return numbers


def _is_like(text: str, document_ids: list[str]) -> bool:
    """Return whether a text in brackets looks like an id of this row, though it is none.

    It has digits where an id has digits and letters where it has letters; or it begins as an id
    does, up to the first separator. Other text in brackets is no citation.
    """
    head = _HEAD.match(text)
    return any(
        (any(char.isdigit() for char in text) and _shape(text) == _shape(id_))
        or (head is not None and id_.startswith(head[0]) and " " not in text)
        for id_ in document_ids
    )


def _shape(text: str) -> str:
    return _ID_PARTS.sub(lambda match: "0" if match[0].isdigit() else "a", text)
