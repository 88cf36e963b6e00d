"""Neighbours of a value in a text, before and after it: other scripts, signs, nothing."""

from typing import NamedTuple


class Neighbour(NamedTuple):
    """The text before and after a value. ``tight``: characters other than a space touch it."""

    name: str
    before: str
    after: str
    tight: bool


NEIGHBOURS = (
    Neighbour("space", "please look at ", " today", False),
    Neighbour("start", "", " and nothing else", False),
    Neighbour("end", "all that is left is ", "", False),
    Neighbour("alone", "", "", False),
    Neighbour("line ends", "first line\n", "\nlast line", False),
    Neighbour("tabs", "left\t", "\tright", False),
    Neighbour("parentheses", "on file (", ")", True),
    Neighbour("brackets", "see [", "]", True),
    Neighbour("comma", "one,", ",two", True),
    Neighbour("semicolon", "a;", ";b", True),
    Neighbour("full stop", "it is ", ". Then we stop.", True),
    Neighbour("colon", "heard:", ": noted", True),
    Neighbour("double quotes", 'it says "', '" there', True),
    Neighbour("single quotes", "it says '", "' there", True),
    Neighbour("typographic quotes", "it says \u201e", "\u201c there", True),
    Neighbour("guillemets", "il est écrit «\u00a0", "\u00a0» ici", True),
    Neighbour("pipe", "a|", "|b", True),
    Neighbour("equals", "x=", " y=2", True),
    Neighbour("bold", "this **", "** here", True),
    Neighbour("bold underscores", "this __", "__ here", True),
    Neighbour("struck out", "this ~~", "~~ here", True),
    Neighbour("code", "this `", "` here", True),
    Neighbour("underscores", "old_", "_1", True),
    Neighbour("file name", "export_", ".csv", True),
    Neighbour("tag", "<td>", "</td>", True),
    Neighbour("Chinese", "这是", "吗", True),
    Neighbour("Japanese", "それは", "です", True),
    Neighbour("Japanese, full stop", "これは", "。次へ", True),
    Neighbour("Korean", "이것은", "입니다", True),
    Neighbour("Thai", "นี่คือ", "ครับ", True),
    Neighbour("Cyrillic", "это", "здесь", True),
    Neighbour("Greek", "είναι", "εδώ", True),
    Neighbour("Arabic", "هذا", "هنا", True),
    Neighbour("Hebrew", "זה", "כאן", True),
    Neighbour("Devanagari", "यह", "है", True),
    Neighbour("accented letters", "là voilàà", "é", True),
    Neighbour("emoji", "\U0001f449", "\U0001f448", True),
    Neighbour("quoted mail", "> ", "\n> thanks", False),
    Neighbour("list item", "- ", "\n- next", False),
    Neighbour("arrow", "->", "<-", True),
)
BY_NAME = {neighbour.name: neighbour for neighbour in NEIGHBOURS}
OPEN = tuple(BY_NAME[name] for name in ("space", "start", "end", "alone", "line ends"))
"""Neighbours that end a value that extends to the next space, such as a password."""
WORDS = tuple(
    BY_NAME[name]
    for name in (
        "space", "start", "end", "alone", "line ends", "parentheses", "comma", "full stop",
        "double quotes", "semicolon", "bold", "list item", "quoted mail", "pipe", "tag",
    )
)  # fmt: skip
"""Neighbours of an entire announcement: the value follows its word, so they touch its end."""
