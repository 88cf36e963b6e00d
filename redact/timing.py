"""How long a text may take, and what is left of it when many texts of a batch are slow.

Each text has its time. A batch has that of some texts; when it is over, each further text of the
batch has a hundredth only, which is enough for all but slow ones. So a batch of nothing but slow
texts cannot hold up the worker, and no text is refused for the company it came in.
"""

import time
from collections.abc import Callable

_TEXTS = 10
"""Texts that may use up their time in one batch."""

_LEAST = 0.01
"""The share of its time that each text has, however late it comes in its batch."""


class Timing:
    """Tells until when a text may be looked at; ``seconds`` is the time of one text."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._batch_end = self._text_end = 0.0
        self.hurried = False
        """Whether the text under way has less than its time, because of others."""

    def batch(self) -> None:
        """Begin a batch."""
        self._batch_end = self._clock() + _TEXTS * self._seconds

    def text(self) -> None:
        """Begin a text."""
        now = self._clock()
        left = self._batch_end - now
        self.hurried = left < self._seconds
        own = max(left, _LEAST * self._seconds) if self.hurried else self._seconds
        self._text_end = now + own

    @property
    def deadline(self) -> float:
        """Until when the text under way may be looked at."""
        return self._text_end
