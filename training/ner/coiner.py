"""Invents words similar to those of a list, so that a model learns the kind and not the list.

A Markov chain over letters: each letter is drawn from those that follow the same three letters in
the list.
"""

from collections import defaultdict
from collections.abc import Sequence
from random import Random

_ORDER = 3
_TRIES = 20


class Coiner:
    """Invents words in the pattern of ``words``; the same `Random` gives the same words."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(words)
        self._next: dict[str, list[str]] = defaultdict(list)
        for word in self._words:
            padded = "\0" * _ORDER + word + "\0"
            for i in range(len(padded) - _ORDER):
                self._next[padded[i : i + _ORDER]].append(padded[i + _ORDER])

    def word(self, random: Random) -> str:
        """Return an invented word of 3 to 16 letters, or one of the list if no attempt succeeds."""
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
