"""Invents words that look like those of a list, so that a model learns the sort and not the list.

A chain over letters: each next letter is drawn from those that followed the same three letters
somewhere in the list.
"""

from collections import defaultdict
from collections.abc import Sequence
from random import Random

_ORDER = 3
_TRIES = 20


class Coiner:
    """Invents words after the pattern of `words`; the same `Random` gives the same words."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(words)
        self._next: dict[str, list[str]] = defaultdict(list)
        for word in self._words:
            padded = "\0" * _ORDER + word + "\0"
            for i in range(len(padded) - _ORDER):
                self._next[padded[i : i + _ORDER]].append(padded[i + _ORDER])

    def word(self, random: Random) -> str:
        """An invented word of 3 to 16 letters, or one of the list if none comes out right."""
        for _ in range(_TRIES):
            word = self._chain(random)
            if 3 <= len(word) <= 16:
                return word
        return random.choice(self._words)

    def _chain(self, random: Random) -> str:
        state, word = "\0" * _ORDER, ""
        while (letter := random.choice(self._next[state])) != "\0" and len(word) <= 16:
            word += letter
            state = state[1:] + letter
        return word
