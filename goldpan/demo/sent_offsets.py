"""Where each topic ends by what was sent to it, and how much of that the lake lacks."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from goldpan.demo.broker import OnDelivered
from lake.ledger import SourcePartition
from lake.tables import Lake

TABLES: Final = {"llm.traces": "traces", "llm.feedback": "feedback"}


class SentOffsets:
    """The end of what was sent to each partition."""

    def __init__(self) -> None:
        self._ends: dict[SourcePartition, int] = {}

    def by_topic(self) -> dict[str, int]:
        """Return how many records of each topic the broker has accepted."""
        counts: Counter[str] = Counter()
        for source, end in self._ends.items():
            counts[source.topic] += end
        return dict(counts)

    @property
    def total(self) -> int:
        """Return how many records the broker has accepted."""
        return sum(self._ends.values())

    def on_delivery(self, topic: str) -> OnDelivered:
        """Return what takes partition and offset of an accepted record of a topic."""

        def delivered(partition: int, offset: int) -> None:
            source = SourcePartition(topic, partition)
            self._ends[source] = max(self._ends.get(source, 0), offset + 1)

        return delivered

    def count_missing(self, lake: Lake) -> int:
        """Return how many records are at or after their table's position."""
        missing = 0
        for topic, name in TABLES.items():
            table = lake.table(name)
            table.refresh()
            ends = {source: end for source, end in self._ends.items() if source.topic == topic}
            committed: Mapping[SourcePartition, int | None] = table.positions(list(ends))
            missing += sum(
                max(0, end - (committed.get(source) or 0)) for source, end in ends.items()
            )
        return missing
