"""Limits work that reads whole days, such as the search for late traces, to a part of the time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

_REST: Final = 10
"""After work, none follows for so many times as long as it took."""


@dataclass
class TimeShare:
    """The share of one kind of work. ``monotonic`` is a clock in seconds."""

    monotonic: Callable[[], float]
    _rests_until: float = 0.0

    @property
    def spent(self) -> bool:
        """Whether the work must wait."""
        return self.monotonic() < self._rests_until

    @contextmanager
    def use(self) -> Iterator[None]:
        """Measure work. If it raises, it does not count."""
        began = self.monotonic()
        yield
        now = self.monotonic()
        self._rests_until = now + _REST * (now - began)
