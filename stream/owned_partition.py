"""A partition that this worker owns: its positions, and how far it has been read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lake.ledger import SourcePartition
from stream.ranges import HeldItems, OpenRange


@dataclass(slots=True)
class AuditPosition:
    """The offset up to which the audit of redaction covers a partition; None if it does not yet."""

    position: int | None


@dataclass(slots=True)
class OwnedPartition:
    """One source partition between assignment and revocation.

    ``position`` is the primary table's (None: none yet), ``quarantine`` and ``late`` are those of
    the quarantine table (see `lake.table_log.late_app`), ``claim`` is the last claim on the
    partition (see `lake.table_log.claim_app`). All are as read at takeover, then moved. ``audit``
    is None if no audit is kept.
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
    def in_quarantine(self) -> Mapping[int, HeldItems]:
        """Return what quarantine already holds of the unflushed records, by offset."""
        return self.range.in_quarantine

    @property
    def source(self) -> SourcePartition:
        """Return the partition."""
        return self.range.source

    def unread(self, offsets: Iterable[int]) -> list[int]:
        """Return the offsets that have not been read yet (a client may return old ones)."""
        return [offset for offset in offsets if offset >= self.range.next]


@dataclass(slots=True)
class Assignment:
    """All partitions that this worker owns."""

    owned: dict[SourcePartition, OwnedPartition] = field(default_factory=dict)

    def of(self, topic: str) -> list[OwnedPartition]:
        """Return the owned partitions of one topic."""
        return [owned for source, owned in self.owned.items() if source.topic == topic]

    def add(self, items: Iterable[OwnedPartition]) -> None:
        """Add partitions, or replace their state."""
        self.owned.update({item.source: item for item in items})

    def remove(self, sources: Iterable[SourcePartition]) -> None:
        """Remove partitions."""
        for source in sources:
            self.owned.pop(source, None)
