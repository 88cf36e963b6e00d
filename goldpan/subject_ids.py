"""Reads whom a request names: ids that were given, or a list, which another tool may have made.

A list that was saved as a table, or with a mark of its byte order, would name persons who do not
exist, and those who do would stay. So the mark is read away, and what looks like a table is refused.
"""  # noqa: E501 - one line

import codecs
import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Final

from schemas.errors import UsageError

_LONGEST_REFERENCE: Final = 200
_NO_CHARACTER: Final = frozenset({"Cs"})
_NO_TEXT: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SEPARATORS: Final = {"\t": "a tab", ",": "a comma", ";": "a semicolon"}
_NOT_LETTERS: Final = re.compile(r"[\W_]+")
_HEADS: Final = frozenset(
    ["user", "userid", "id", "subject", "subjectid", "email", "mail", "phone", "customerid"]
)
_QUOTES: Final = "\"'`\u201c\u201d\u201e\u2018\u2019"


def read_subject_ids(
    given: Sequence[str], file: str | None, data: bytes | None, *, called: str = "--subject"
) -> dict[str, str]:
    """Return the ids that are meant, and where each was named.

    They are the ``given``, which the command calls ``called``, or a line each of a file, whose
    content is ``data``. Raises UsageError if there are not exactly one of the two, if there is no
    id, or what may be something else.
    """
    if bool(given) == (file is not None):
        whom = "whom to erase: --subject ID" if called == "--subject" else "who is meant: ID"
        raise UsageError(f"say {whom}, or --subjects FILE with an id a line")
    if file is None:
        named = {one.strip(): f"{called}, number {n}" for n, one in enumerate(given, 1)}
        if "" in named:
            raise UsageError(f"{named['']} names nobody")
    else:
        lines = _text(data or b"", file).splitlines()
        named = {line.strip(): f"line {n} of {file}" for n, line in enumerate(lines, 1)}
        named.pop("", None)
        for one, where in named.items():
            _refuse_cells(one, where)
    if not named:
        raise UsageError(f"{file} names nobody")
    unreadable = _NO_TEXT if file is not None else _NO_CHARACTER
    for one, where in named.items():
        if any(unicodedata.category(sign) in unreadable for sign in one):
            raise UsageError(f"{where} holds signs that cannot be seen: write the id without them")
    return named


def _text(data: bytes, file: str) -> str:
    wide = data[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is no text in UTF-8: write it so, with an id a line") from None


def _refuse_cells(line: str, where: str) -> None:
    """Raise UsageError if a line looks as if a table was given instead of a list."""
    separators = [name for sign, name in _SEPARATORS.items() if sign in line]
    if line[0] in _QUOTES or line[-1] in _QUOTES:
        separators.append("quotes around it")
    if _NOT_LETTERS.sub("", line.casefold()) in _HEADS:
        raise UsageError(f"{where} names a column, and nobody: take it out of the list")
    if separators:
        raise UsageError(
            f"{where} has {' and '.join(separators)}: a list has one id a line and nothing else. "
            "Nothing was done. An id in which this stands is given in the command itself"
        )


def check_reference(text: str | None, ids: Collection[str]) -> str | None:
    """Return the number of a request; UsageError if it is none, or names somebody."""
    if text is None:
        return None
    if not text.strip() or len(text) > _LONGEST_REFERENCE or not text.isprintable():
        raise UsageError(
            f"--reference is the number of a request: 1 to {_LONGEST_REFERENCE} signs on one line"
        )
    if any(one.casefold() in text.casefold() for one in ids):
        raise UsageError("--reference stays in the receipt for good, so it cannot hold an id")
    return text.strip()
