"""Keeps apart what quarantine already holds of a batch, and counts the items of records.

A worker that died between its commits to quarantine and to the primary table has decided about
these items. They stay where they are, whatever today's schemas and policy would decide.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.record_batches import DECODED_BEFORE, DecodedBatch, RawRecord, RejectedRecord
from stream.owned_partition import Assignment
from stream.ranges import WHOLE_RECORD, HeldItems


@dataclass(slots=True)
class ItemCounts:
    """The items that were found in records of one partition, and what became of them."""

    found: int = 0
    stored: int = 0
    quarantined: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class HeldRecords:
    """The items of a batch that quarantine already holds, by partition and offset."""

    held: Mapping[tuple[int, int], HeldItems]

    @classmethod
    def of(cls, records: Sequence[RawRecord], topic: str, assignment: Assignment) -> "HeldRecords":
        """Return what quarantine holds of these records, which are of owned partitions."""
        owned = {item.source.partition: item.in_quarantine for item in assignment.of(topic)}
        if not any(owned.values()):
            return cls({})
        found = {
            (raw.partition, raw.offset): owned[raw.partition].get(raw.offset) for raw in records
        }
        return cls({where: items for where, items in found.items() if items})

    def without_whole(self, records: Sequence[RawRecord]) -> Sequence[RawRecord]:
        """Return the records without those that quarantine holds as one.

        Those of which it holds items are marked: they must be divided into items again.
        """
        if not self.held:
            return records
        kept: list[RawRecord] = []
        for raw in records:
            items = self.held.get((raw.partition, raw.offset))
            if items != WHOLE_RECORD:
                kept.append(raw._replace(item=DECODED_BEFORE) if items else raw)
        return kept

    def without_items(
        self, decoded: DecodedBatch[Any], rejected: list[RejectedRecord]
    ) -> tuple[DecodedBatch[Any], list[RejectedRecord]]:
        """Return rows and rejected items without those that quarantine holds."""
        if not self.held:
            return decoded, rejected
        rows = [at for at, place in enumerate(decoded.coordinates()) if not self._holds(*place)]
        decoded = decoded if len(rows) == len(decoded) else decoded.subset(rows)
        dropped = [item for item in decoded.dropped if not self._holds(*item[:3])]
        if len(dropped) < len(decoded.dropped):
            decoded = replace(decoded, dropped=dropped)
        return decoded, [
            item
            for item in rejected
            if not self._holds(item.raw.partition, item.raw.offset, item.raw.item)
        ]

    def items_by_partition(self) -> Counter[int]:
        """Return how many items quarantine holds, by partition."""
        counts: Counter[int] = Counter()
        for (partition, _), items in self.held.items():
            counts[partition] += len(items)
        return counts

    def _holds(self, partition: int, offset: int, item: int | None) -> bool:
        return item in self.held.get((partition, offset), ())
