"""The set of partitions that this worker owns, with their positions from the tables."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from lake.ledger import Incarnation, SourcePartition
from lake.retry import Retry
from stream.owned_partition import Assignment, OwnedPartition
from stream.take_over import TakeOver


@dataclass(slots=True)
class PartitionOwnership:
    """Takes positions over, with retries. ``confirm`` checks new ones with the brokers."""

    take_over: TakeOver
    retry: Retry
    confirm: Callable[[Sequence[OwnedPartition]], None]
    assignment: Assignment = field(default_factory=Assignment)
    incarnations: dict[str, Incarnation] = field(default_factory=dict)

    @property
    def sources(self) -> list[SourcePartition]:
        """Return which partitions are owned."""
        return list(self.assignment.owned)

    def take(self, sources: Sequence[SourcePartition]) -> list[OwnedPartition]:
        """Own partitions at the positions of the tables; those already owned are reset to them."""
        if not sources:
            return []
        partitions, incarnations = self.retry.call(
            "taking positions", lambda: self.take_over.take(sources)
        )
        self.assignment.add(partitions)
        self.incarnations.update(incarnations)
        return partitions

    def check_epochs(self, partitions: Sequence[OwnedPartition]) -> None:
        """Raise FatalError if a log was cut below its position."""
        self.retry.call("asking for leader epochs", lambda: self.confirm(partitions))

    def remove(self, sources: Iterable[SourcePartition]) -> None:
        """Stop owning partitions."""
        self.assignment.remove(sources)
