"""Lists of ids, one a line, as people write them; what looks like another tool's table is refused.

An id that is read with the quotes, commas or marks of a spreadsheet is the id of nobody, and
whatever is done for it is done for nothing, without a word.
"""

import re
from typing import Final

_TABLE: Final = re.compile(r"[\t,;]|^[\"'{\[]|[\"'}\]]$")
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffc\ufffd]"
)


def parse_id_list(text: str) -> list[str]:
    """Return the ids of a list, without the blanks around each and without empty lines.

    Raises ValueError, which says in which line and why, but not what stands there.
    """
    found = []
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff")), 1):
        one = line.strip(" \t")
        if _TABLE.search(one):
            raise ValueError(
                f"line {number} looks like a row of a table or a text in quotes: one id a line, "
                "as it is"
            )
        if _UNSEEN.search(one):
            raise ValueError(f"line {number} holds a character that cannot be seen")
        if one:
            found.append(one)
    return found
