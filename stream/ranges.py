"""Counts what has been read from one partition since its last flush."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lake.ledger import SourcePartition, SourceRange

HeldItems = frozenset[int | None]
"""Which items of a record quarantine holds, by their place in it; None is the record as one."""
WHOLE_RECORD: Final[HeldItems] = frozenset({None})


@dataclass(slots=True)
class OpenRange:
    """The offsets ``[start, next)`` that are read but not yet handed to a flush.

    ``in_quarantine`` is what quarantine already holds, from a worker that died between its two
    commits: by offset, the items of the record (`WHOLE_RECORD`: all of it, as one). Kafka may have
    deleted such a record since; what is held still counts as quarantined.
    ``epoch`` is the leader epoch of the record at ``next - 1``; None if there is no record, or if
    it is unknown.
    """

    source: SourcePartition
    start: int
    next: int
    first: int | None = None
    last: int | None = None
    consumed: int = 0
    stored: int = 0
    quarantined: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    in_quarantine: Mapping[int, HeldItems] = field(default_factory=dict)
    epoch: int | None = None
    found: int = 0

    def read(self, offsets: Sequence[int]) -> None:
        """Count records from Kafka, in order of offset; missing offsets count as skipped.

        Kafka returns a partition's offsets in order and without loss. Any gap is therefore Kafka's
        own: transaction markers, aborted transactions, compaction.
        """
        if not offsets:
            return
        span = offsets[-1] + 1 - self.next
        if span != len(offsets):
            held_only = self._count_held(offsets[-1] + 1, frozenset(offsets))
            self.skipped["absent"] += span - len(offsets) - held_only
        if self.first is None:
            self.first = offsets[0]
        self.last = offsets[-1]
        self.next = offsets[-1] + 1
        self.epoch = None
        self.consumed += len(offsets)

    def skip_to(self, offset: int, rule: str) -> None:
        """Skip offsets without a readable record, counted under the name of the rule."""
        if offset > self.next:
            self.skipped[rule] += offset - self.next - self._count_held(offset, frozenset())
            self.next = offset
            self.epoch = None  # the client does not report the epoch of a marker

    def set_epoch(self, offset: int, epoch: int | None) -> None:
        """Record the leader epoch of a record, if it is the last one read."""
        if offset + 1 == self.next:
            self.epoch = epoch

    def _count_held(self, end: int, read: frozenset[int]) -> int:
        """Count the records up to ``end`` that only quarantine still has; return how many."""
        held_only = [
            items
            for offset, items in self.in_quarantine.items()
            if self.next <= offset < end and offset not in read
        ]
        items = sum(map(len, held_only))
        self.consumed += len(held_only)
        self.found += items
        self.quarantined += items
        return len(held_only)

    def seal(self) -> SourceRange:
        """Return the range as a ledger entry; this object then continues from its end."""
        sealed = SourceRange(
            topic=self.source.topic,
            partition=self.source.partition,
            start=self.start,
            end=self.next,
            first=self.first,
            last=self.last,
            consumed=self.consumed,
            stored=self.stored,
            quarantined=self.quarantined,
            dropped=dict(self.dropped),
            skipped=dict(self.skipped),
            epoch=self.epoch,
            found=None if self.found == self.consumed else self.found,
        )
        self.start, self.first, self.last = self.next, None, None
        self.consumed = self.stored = self.quarantined = self.found = 0
        self.dropped, self.skipped = Counter(), Counter()
        self.in_quarantine = {
            offset: items for offset, items in self.in_quarantine.items() if offset >= self.next
        }
        return sealed

    @property
    def moved(self) -> bool:
        """Return whether there is anything to flush."""
        return self.next > self.start
