"""Reads lists of ids, one per line, and refuses anything that looks like a table's row.

An id that is read with the quotes, commas or invisible characters of a spreadsheet matches nobody.
A command for it would silently do nothing.
"""

import re
from typing import Final

_TABLE: Final = re.compile(r"[\t,;]|^[\"'{\[]|[\"'}\]]$")
_INVISIBLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffc\ufffd]"
)


def parse_id_list(text: str) -> list[str]:
    """Return the ids of a list, stripped, without empty lines.

    Raises ValueError, which names the line and the reason, but not the content.
    """
    ids = []
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff")), 1):
        entry = line.strip(" \t")
        if _TABLE.search(entry):
            raise ValueError(
                f"line {number} looks like a row of a table or a quoted text: give one plain id "
                "per line"
            )
        if _INVISIBLE.search(entry):
            raise ValueError(f"line {number} has an invisible character")
        if entry:
            ids.append(entry)
    return ids
