"""Bounded cache of what the tagger computes for words, by the words around them.

Each layer sees a fixed number of words before and after a word. So a text that differs from an
earlier one by a date or a name is read only around these: a prompt with a time in it, an answer
after a template. The first layers, which see the fewest words, compute the fewest new rows.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from redact.ner.exact import Wholes
from redact.ner.words import MOST_WORDS

_STEP = np.dtype(np.uint32).itemsize

Positions = npt.NDArray[np.intp]
ComputeRows = Callable[[Wholes, Positions], Wholes]
"""Computes the rows of a level from the table of the level below, and three rows of it for each."""


class NumberedLine(NamedTuple):
    """The words of some texts as numbers, 0 between the texts; where each text lies."""

    numbers: npt.NDArray[np.uint32]
    raw: bytes
    texts: list[slice]


class CacheSizes(NamedTuple):
    """The rows that a tagger's caches hold, unless one text has more."""

    words: int = MOST_WORDS
    states: int = 8_192
    """Rows of each layer; there are several, and they are wide."""
    windows: int = 32_768


class WindowLevel:
    """The rows that one layer gave for words, determined by ``reach`` words on either side.

    A row of the level is computed from three of the level below: those of the word and of the words
    ``step`` before and after it. Row 0 of the table is empty.
    """

    def __init__(
        self, step: int, reach: int, width: int, capacity: int, compute: ComputeRows
    ) -> None:
        self.reach = reach
        self.around = np.array([-step, 0, step], np.intp)
        self.compute = compute
        self.table = np.zeros((1 + capacity, width), np.int16)
        self._known: dict[bytes, int] = {}

    def clear(self) -> None:
        """Drop all rows."""
        self._known.clear()

    def reserve(self, room: int) -> None:
        """Make room for rows; drop the others if there is none."""
        if 1 + len(self._known) + room <= len(self.table):
            return
        self._known.clear()
        if room >= len(self.table):
            self.table = np.zeros((1 + room, self.table.shape[1]), np.int16)

    def take(self, numbers: bytes, positions: Sequence[int]) -> tuple[list[int], list[int]]:
        """Return the row of each position, and the positions whose rows must be computed now.

        The rows to compute are the last ones, in the order of their positions.
        """
        known = self._known
        before, size = self.reach * _STEP, (2 * self.reach + 1) * _STEP
        rows: list[int] = []
        new: list[int] = []
        for position in positions:
            start = position * _STEP - before
            window = numbers[start : start + size]
            row = known.get(window)
            if row is None:
                row = known[window] = len(known) + 1
                new.append(position)
            rows.append(row)
        return rows, new

    def fill(self, rows: Wholes) -> None:
        """Set the rows that were new."""
        end = len(self._known) + 1
        self.table[end - len(rows) : end] = rows


class WindowCache:
    """The ``levels`` of a model, from the first layer to the result.

    Words are numbers above 0, whose meaning is fixed until :meth:`clear` is called.
    """

    def __init__(self, sizes: CacheSizes) -> None:
        self.levels: list[WindowLevel] = []
        self._sizes = sizes
        self._reach = 0

    def add_layer(self, step: int, width: int, compute: ComputeRows) -> None:
        """Add a level, the result of a layer."""
        self._add(step, width, self._sizes.states, compute)

    def add_result(self, step: int, width: int, compute: ComputeRows) -> None:
        """Add the last level."""
        self._add(step, width, self._sizes.windows, compute)

    def _add(self, step: int, width: int, capacity: int, compute: ComputeRows) -> None:
        self._reach += step
        self.levels.append(WindowLevel(step, self._reach, width, capacity, compute))

    def clear(self) -> None:
        """Drop all rows."""
        for level in self.levels:
            level.clear()

    def rows(self, line: NumberedLine, positions: Positions, vectors: Wholes) -> Wholes:
        """Return the rows of some words of a line; ``vectors`` has one for each number."""
        try:
            return self._rows(line, positions, vectors)
        except BaseException:
            self.clear()  # some rows may be known without being computed
            raise

    def line(self, texts: Sequence[Sequence[int]]) -> NumberedLine:
        """Return the words of texts, one after the other, so far apart that none sees another."""
        empty = [0] * self._reach
        laid = [*empty]
        places = []
        for text in texts:
            places.append(slice(len(laid), len(laid) + len(text)))
            laid += text
            laid += empty
        numbers = np.array(laid, np.uint32)
        return NumberedLine(numbers, numbers.tobytes(), places)

    def _rows(self, line: NumberedLine, positions: Positions, vectors: Wholes) -> Wholes:
        numbers = line.numbers
        words = numbers > 0
        needed = positions
        rows_of: list[Positions] = []
        news: list[Positions] = []
        for level in reversed(self.levels):
            level.reserve(len(needed))
            wanted = needed.tolist()
            rows, new = level.take(line.raw, wanted)
            places = np.zeros(len(numbers), np.intp)
            places[wanted] = rows
            rows_of.append(places)
            news.append(np.array(new, np.intp))
            below_new = np.zeros(len(numbers), np.bool_)
            below_new[news[-1][:, None] + level.around] = True
            below_new &= words
            needed = np.flatnonzero(below_new)
        below, places = vectors, numbers.astype(np.intp)
        for level in self.levels:
            new_positions, own = news.pop(), rows_of.pop()
            if len(new_positions):
                sources = places[new_positions[:, None] + level.around]
                level.fill(level.compute(below, sources))
            below, places = level.table, own
        return below[places[positions]]
