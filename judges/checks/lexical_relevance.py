"""Whether a document shares the words of a question: a lexical check, and it says it is one.

It stands in where no judge of relevance was asked. A document that says the same in other words is
missed, and one that repeats the question's words without answering it is not.
"""

import re
from typing import Final

from judges.judged_row import JudgedRow

LEAST_SHARED: Final = 0.5
"""The least share of the question's words that a relevant document has."""
_WORD: Final = re.compile(r"\w{3,}")
_EMPTY: Final = frozenset(
    _WORD.findall(
        "the and for are was were with that this from have has had can could would will what when "
        "where which who how why does did you your our their about into there please tell want "
        "need der die das und ist für mit wie was kann les des une est pour avec que los las una "
        "por con"
    )
)
"""Words that say nothing of what a question is about."""


def lexical_relevance(row: JudgedRow) -> dict[str, bool] | None:
    """Return for each retrieved document whether it has half of the question's words or more.

    None without a question that has words, or if a document has no text.
    """
    asked = _words(row.question or "")
    documents = row.trace.retrieved
    if not asked or any(document.text is None for document in documents):
        return None
    return {
        document.document_id: len(asked & _words(document.text or "")) / len(asked) >= LEAST_SHARED
        for document in documents
    }


def _words(text: str) -> set[str]:
    """Return the words of a text without their endings: the first six letters."""
    words = {word.casefold() for word in _WORD.findall(text)}
    return {word[:6] for word in words - _EMPTY}
