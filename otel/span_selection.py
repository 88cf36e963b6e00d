"""Bounds the memory that one trace takes: its first and its last spans, as a function of the set.

A trace may have any number of spans. The first ones hold the input of the turn and the last ones
its answer, so both ends are kept and the middle is left out. Which ones are kept depends only on
the set of items: not on their order, their duplicates or the records they came in.
"""

from bisect import insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, TypeAlias, TypeVar

ItemT = TypeVar("ItemT")

MAX_ITEMS: Final = 40_000
MAX_BYTES: Final = 128 * 2**20
"""The most spans and log records of one trace that are assembled, and their size as text. Half of
either are kept at each end."""

ItemKey: TypeAlias = tuple[int, str, bytes]
"""The start of a span (or the time of a log record), its span id, and the hash of its content."""


@dataclass
class SpanSelection(Generic[ItemT]):
    """The items of one trace that are assembled, out of any number of them.

    ``key_of`` returns the place of an item among the others; items with one key are copies. It is
    not called while there are few items.
    """

    key_of: Callable[[ItemT], ItemKey]
    max_items: int = MAX_ITEMS
    max_bytes: int = MAX_BYTES
    _few: list[tuple[ItemT, int]] = field(default_factory=list)
    _bytes: int = 0
    _ends: "tuple[_End[ItemT], _End[ItemT]] | None" = None

    @property
    def cut(self) -> bool:
        """Whether an item was left out."""
        if self._ends is None:
            return False
        first, last = (end.cut_at for end in self._ends)
        # Each refused item at or after the first cut, and at or before the last one, is in no end.
        return first is not None and last is not None and first <= last

    def add(self, item: ItemT, size: int) -> None:
        """Take an item in; ``size`` in bytes."""
        if self._ends is not None:
            self._add_to_ends(item, size)
            return
        self._few.append((item, size))
        self._bytes += size
        # As long as one end could hold everything, nothing can have to be left out.
        if len(self._few) > self.max_items // 2 or self._bytes > self.max_bytes // 2:
            limits = self.max_items // 2, self.max_bytes // 2
            self._ends = _End(*limits, at_front=True), _End(*limits, at_front=False)
            for each, bytes_of_each in self._few:
                self._add_to_ends(each, bytes_of_each)
            self._few = []

    def _add_to_ends(self, item: ItemT, size: int) -> None:
        key = self.key_of(item)
        for end in self._ends or ():
            end.add(key, item, size)

    def __iter__(self) -> Iterator[ItemT]:
        """Yield the items that are kept: in their order, or as they came while there are few."""
        if self._ends is None:
            yield from (item for item, _ in self._few)
            return
        kept = {key: item for end in self._ends for key, (item, _) in end.items.items()}
        yield from (kept[key] for key in sorted(kept))


@dataclass
class _End(Generic[ItemT]):
    """The longest row of items from one end that fits, however they came.

    Once an item did not fit, none beyond it may enter: it could fill a gap that another order of
    the same items would not have had.
    """

    max_items: int
    max_bytes: int
    at_front: bool
    items: dict[ItemKey, tuple[ItemT, int]] = field(default_factory=dict)
    cut_at: ItemKey | None = None
    _keys: list[ItemKey] = field(default_factory=list)
    _bytes: int = 0

    def add(self, key: ItemKey, item: ItemT, size: int) -> None:
        if key in self.items or self._is_beyond_cut(key):
            return
        self.items[key] = item, size
        insort(self._keys, key)
        self._bytes += size
        while self._keys and (len(self._keys) > self.max_items or self._bytes > self.max_bytes):
            removed = self._keys.pop(-1 if self.at_front else 0)
            self._bytes -= self.items.pop(removed)[1]
            self.cut_at = removed

    def _is_beyond_cut(self, key: ItemKey) -> bool:
        if self.cut_at is None:
            return False
        return key >= self.cut_at if self.at_front else key <= self.cut_at
