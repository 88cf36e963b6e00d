"""A console that is safe to print stored text to.

It does not interpret markup, so a stored `[/]` or `[beta]` is printed as it is; colours come from
`styled`. Characters that would move the cursor or change the order of letters are escaped.
"""

import re
from typing import Any, Final

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)

_MAX_WIDTH: Final = 100_000
_MIN_FOLDED: Final = 8  # least width of a folded column, in characters
_PADDING: Final = 2  # spaces between columns, and around the table


def escape_controls(text: str) -> str:
    """Replace each control character, except tab and line feed, with its escape code."""
    return _HIDDEN.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def styled(style: str, words: str, rest: str = "") -> Text:
    """Return words in a style, followed by unstyled text."""
    return Text.assemble((escape_controls(words), style), escape_controls(rest))


def _keep_identifiers_whole(console: Console, table: Table) -> None:
    """Keep the first column, which names the row, and numbers on one line; fold the others."""
    wide = console.options.update(width=_MAX_WIDTH, max_width=_MAX_WIDTH)
    for index, column in enumerate(table.columns):
        if index == 0 or column.justify == "right":
            cells = [column.header, *column.cells]
            column.no_wrap = True
            column.min_width = max(Measurement.get(console, wide, cell).maximum for cell in cells)
        else:
            column.overflow = "fold"


class PlainConsole(Console):
    """A console that prints text literally: no markup, no emoji, no control characters."""

    def __init__(self, **more: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **more)

    def print(self, *objects: Any, **more: Any) -> None:
        """Print; widen a table as needed, so that nothing that identifies a row is cut."""
        width = self.width
        for item in objects:
            if isinstance(item, Table):
                item.collapse_padding = True
                _keep_identifiers_whole(self, item)
                widths = (column.min_width or _MIN_FOLDED for column in item.columns)
                self.width = max(self.width, sum(width + _PADDING for width in widths) + _PADDING)
        try:
            super().print(*objects, **more)
        finally:
            self.width = width

    def render_str(self, text: str, **more: Any) -> Text:
        """Return a text with control characters escaped."""
        return super().render_str(escape_controls(text), **more)
