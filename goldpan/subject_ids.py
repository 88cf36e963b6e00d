"""Reads the ids of persons that a request names, from the command line or from a list.

A list saved as a table, or with a byte order mark, would yield ids that do not exist, and the
persons meant would stay. So the mark is skipped, and a file that looks like a table is refused.
"""

import codecs
import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Final

from schemas.errors import UsageError

_MAX_REFERENCE: Final = 200
_SURROGATES: Final = frozenset({"Cs"})
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SEPARATORS: Final = {"\t": "a tab", ",": "a comma", ";": "a semicolon"}
_NOT_LETTERS: Final = re.compile(r"[\W_]+")
_COLUMN_NAMES: Final = frozenset(
    ["user", "userid", "id", "subject", "subjectid", "email", "mail", "phone", "customerid"]
)
_QUOTES: Final = "\"'`\u201c\u201d\u201e\u2018\u2019"


def read_subject_ids(
    arguments: Sequence[str], file: str | None, data: bytes | None, *, called: str = "--subject"
) -> dict[str, str]:
    """Return the ids of a request, each with where it was given.

    They are ``arguments`` on the command line (as ``called``), or lines of ``file``, whose content
    is ``data``. Raises UsageError unless exactly one of the two is used, if there is no id, or if
    something does not look like an id.
    """
    if bool(arguments) == (file is not None):
        usage = "the persons to erase: --subject ID" if called == "--subject" else "the person: ID"
        raise UsageError(f"name {usage}, or --subjects FILE with one id per line")
    if file is None:
        ids = {text.strip(): f"{called}, number {n}" for n, text in enumerate(arguments, 1)}
        if "" in ids:
            raise UsageError(f"{called} is empty: give the id of a person")
    else:
        lines = _decode(data or b"", file).splitlines()
        ids = {line.strip(): f"line {n} of {file}" for n, line in enumerate(lines, 1)}
        ids.pop("", None)
        for subject_id, where in ids.items():
            _refuse_cells(subject_id, where)
    if not ids:
        raise UsageError(f"{file} contains no id")
    refused = _INVISIBLE if file is not None else _SURROGATES
    for subject_id, where in ids.items():
        if any(unicodedata.category(character) in refused for character in subject_id):
            raise UsageError(f"{where} contains invisible characters: write the id without them")
    return ids


def _decode(data: bytes, file: str) -> str:
    wide = data[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(
            f"{file} is not UTF-8 text: save it as UTF-8, with one id per line"
        ) from None


def _refuse_cells(line: str, where: str) -> None:
    """Raise UsageError if a line looks like a row of a table."""
    separators = [name for character, name in _SEPARATORS.items() if character in line]
    if line[0] in _QUOTES or line[-1] in _QUOTES:
        separators.append("quotes around it")
    if _NOT_LETTERS.sub("", line.casefold()) in _COLUMN_NAMES:
        raise UsageError(f"{where} is a column name, not an id: remove it from the list")
    if separators:
        raise UsageError(
            f"{where} has {' and '.join(separators)}: a list has one id per line and nothing else. "
            "Nothing was changed. Give an id with such characters on the command line"
        )


def check_reference(text: str | None, ids: Collection[str]) -> str | None:
    """Return the number of a request; UsageError if it is unusable, or contains an id."""
    if text is None:
        return None
    if not text.strip() or len(text) > _MAX_REFERENCE or not text.isprintable():
        raise UsageError(
            f"--reference must be 1 to {_MAX_REFERENCE} printable characters on one line"
        )
    if any(subject_id.casefold() in text.casefold() for subject_id in ids):
        raise UsageError("--reference stays in the receipt, so it must not contain an id")
    return text.strip()
