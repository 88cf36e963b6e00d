"""Caches the tagger's output for a word by the words around it, in bounded memory.

The output for a word depends on a fixed number of words before and after it. So a text that differs
from an earlier one by a date or a name is read only around these: a prompt with a time in it, an
answer after a template.
"""

from collections.abc import Callable, Sequence

import numpy as np

from redact.ner.words import Floats

_MOST_WINDOWS = 32_768
ReadRows = Callable[[Sequence[Sequence[int]]], Sequence[Floats]]
"""Reads stretches of words independently, and returns a row for each of their words."""


class WindowCache:
    """Rows of ``width`` numbers for words, determined by ``reach`` words on either side.

    Words are numbers above 0, whose meaning is fixed until :meth:`clear` is called.
    """

    def __init__(self, reach: int, width: int) -> None:
        self._reach = reach
        self._known: dict[bytes, int] = {}
        self._rows = np.zeros((_MOST_WINDOWS, width), np.float32)

    def clear(self) -> None:
        """Drop all rows."""
        self._known.clear()

    def rows(self, texts: Sequence[Sequence[int]], read: ReadRows) -> list[Floats]:
        """Return the rows of the words of each text; ``read`` computes the new ones."""
        keys = [self._keys(text) for text in texts]
        known = self._known
        places = [np.array([known.get(key, -1) for key in some], np.intp) for some in keys]
        found = [self._rows[at] for at in places]
        new = [np.flatnonzero(at < 0).tolist() for at in places]
        parts = [
            (number, start, end)
            for number, some in enumerate(new)
            for start, end in self._parts(some, len(texts[number]))
        ]
        if not parts:
            return found
        results = read([texts[number][start:end] for number, start, end in parts])
        for (number, start, end), rows in zip(parts, results, strict=True):
            here = [at for at in new[number] if start <= at < end]
            found[number][here] = rows[[at - start for at in here]]
        self._remember(
            [keys[number][at] for number, some in enumerate(new) for at in some],
            np.concatenate([found[number][some] for number, some in enumerate(new)]),
        )
        return found

    def _keys(self, text: Sequence[int]) -> list[bytes]:
        """Return for each word the numbers of the words around it."""
        size = 2 * self._reach + 1
        padded = np.zeros(len(text) + size - 1, np.uint32)
        padded[self._reach : self._reach + len(text)] = text
        if not text:
            return []
        whole = padded.tobytes()
        step = padded.itemsize
        return [whole[at : at + size * step] for at in range(0, len(text) * step, step)]

    def _parts(self, new: Sequence[int], many: int) -> list[tuple[int, int]]:
        """Return the stretches of a text to read so that all of its new words are covered."""
        parts: list[tuple[int, int]] = []
        for at in new:
            start, end = max(at - self._reach, 0), min(at + self._reach + 1, many)
            if parts and start <= parts[-1][1]:
                parts[-1] = (parts[-1][0], end)
            else:
                parts.append((start, end))
        return parts

    def _remember(self, keys: Sequence[bytes], rows: Floats) -> None:
        if len(self._known) + len(keys) > _MOST_WINDOWS:
            self._known.clear()
        fresh = {key: at for at, key in enumerate(keys)}
        taken = list(fresh.items())[:_MOST_WINDOWS]
        first = len(self._known)
        self._rows[first : first + len(taken)] = rows[[at for _, at in taken]]
        self._known.update((key, first + at) for at, (key, _) in enumerate(taken))
