"""A partition that this worker owns: where it stands in the tables, and how far it has read."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from lake.ledger import SourcePartition
from stream.ranges import OpenRange


@dataclass(slots=True)
class AuditPosition:
    """Up to which offset the audit of redaction tells of a partition (None: it does not yet)."""

    position: int | None


@dataclass(slots=True)
class OwnedPartition:
    """One source partition between assignment and revocation.

    ``position`` is the primary table's (None: none yet), ``quarantine`` and ``late`` are those of
    the quarantine table (see `lake.ledger.late_app`), ``claim`` the last claim on the partition
    (see `lake.ledger.claim_app`): all as read at take-over, and moved since. ``audit`` is None
    where no audit is kept.
    """

    range: OpenRange
    position: int | None
    quarantine: int | None
    late: int | None
    claim: int | None = None
    audit: AuditPosition | None = None
    at_end: bool = False
    oldest_open_ms: int | None = None
    newest_read_ms: int | None = None

    @property
    def held(self) -> frozenset[int]:
        """Return the offsets, not yet flushed, that quarantine already holds."""
        return self.range.held

    @property
    def source(self) -> SourcePartition:
        """Return which partition this is."""
        return self.range.source

    def wanted(self, offsets: Iterable[int]) -> list[int]:
        """Return the offsets that have not been read yet (a client may hand out old ones)."""
        return [offset for offset in offsets if offset >= self.range.next]


@dataclass(slots=True)
class Assignment:
    """All partitions that this worker owns."""

    owned: dict[SourcePartition, OwnedPartition] = field(default_factory=dict)

    def of(self, topic: str) -> list[OwnedPartition]:
        """Return the owned partitions of one topic."""
        return [owned for source, owned in self.owned.items() if source.topic == topic]

    def add(self, items: Iterable[OwnedPartition]) -> None:
        """Take partitions over, or again."""
        self.owned.update({item.source: item for item in items})

    def remove(self, sources: Iterable[SourcePartition]) -> None:
        """Give partitions up."""
        for source in sources:
            self.owned.pop(source, None)
