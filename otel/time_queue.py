"""A queue of traces by time, whose cost does not grow with the number of traces in it.

Times are put together in spans of equal width. Only the earliest span is kept in order, so what an
entry costs depends on how many entries share its span, not on how many wait behind it.
"""

from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush


@dataclass
class TimeQueue:
    """Entries ``(time, trace id)``, the earliest first; ``width`` is that of a span of times."""

    width: int
    _spans: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    _numbers: list[int] = field(default_factory=list)
    _sorted: int | None = None

    def push(self, time: int, trace_id: str) -> None:
        """Put an entry in."""
        number = time // self.width
        entries = self._spans.get(number)
        if entries is None:
            self._spans[number] = [(time, trace_id)]
            heappush(self._numbers, number)
        elif number == self._sorted:
            heappush(entries, (time, trace_id))
        else:
            entries.append((time, trace_id))

    def first(self) -> tuple[int, str] | None:
        """Return the earliest entry, None if there is none."""
        entries = self._earliest()
        return entries[0] if entries else None

    def pop(self) -> tuple[int, str]:
        """Take the earliest entry out. Raises IndexError if there is none."""
        entries = self._earliest()
        taken = heappop(entries)
        if not entries:
            del self._spans[heappop(self._numbers)]
            self._sorted = None
        return taken

    def _earliest(self) -> list[tuple[int, str]]:
        if not self._numbers:
            return []
        number = self._numbers[0]
        entries = self._spans[number]
        if number != self._sorted:
            heapify(entries)
            self._sorted = number
        return entries
