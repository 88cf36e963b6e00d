"""Buffers the records of one topic until they are sealed into a flush."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from lake.fences import ERASURE_FENCE
from lake.ledger import Incarnation, SourcePartition, SourceRange
from lake.table_commit import Ceiling, Guard, Move
from lake.table_log import claim_app, late_app, position_app
from lake.table_writer import FlushPart
from schemas.redacted import Redacted
from stream.owned_partition import OwnedPartition

RedactedBatch = Redacted[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class Flush:
    """Everything that one flush adds to the lake, and the positions that move with it.

    ``claim`` is empty, except for a rare flush that must add to quarantine below its position.
    """

    topic: str
    token: int
    incarnation: Incarnation
    rows: Sequence[RedactedBatch]
    primary: FlushPart
    quarantine_rows: Sequence[RedactedBatch]
    quarantine: FlushPart
    claim: FlushPart
    audit_rows: Sequence[RedactedBatch]
    audit: FlushPart
    bytes: int


@dataclass(slots=True)
class AuditBuffer:
    """Audit rows that wait for their flush, and the hash that the next row continues from."""

    rows: list[RedactedBatch] = field(default_factory=list)
    counts: Counter[SourcePartition] = field(default_factory=Counter)
    chain: str = ""


@dataclass(slots=True)
class TopicBuffer:
    """Redacted rows of one topic, from all its partitions, in the order they were read."""

    topic: str
    rows: list[RedactedBatch] = field(default_factory=list)
    quarantined: list[RedactedBatch] = field(default_factory=list)
    set_aside: Counter[SourcePartition] = field(default_factory=Counter)
    late: set[SourcePartition] = field(default_factory=set)
    audit: AuditBuffer = field(default_factory=AuditBuffer)
    bytes: int = 0
    opened_at: float | None = None

    def add(self, rows: RedactedBatch, now: float) -> None:
        """Add rows for the primary table; ``now`` in seconds of a monotonic clock."""
        if rows.value.num_rows:
            self.rows.append(rows)
            self.bytes += rows.value.nbytes
        self.touch(now)

    def set_aside_rows(
        self,
        rows: RedactedBatch,
        per_source: Counter[SourcePartition],
        late: Iterable[SourcePartition],
        now: float,
    ) -> None:
        """Add rows for quarantine.

        ``per_source`` counts them by partition; ``late`` holds the partitions that have rows below
        quarantine's position.
        """
        self.late.update(late)
        self.quarantined.append(rows)
        self.bytes += rows.value.nbytes
        self.set_aside.update(per_source)
        self.touch(now)

    def touch(self, now: float) -> None:
        """Start the age of this buffer, unless it is running."""
        if self.opened_at is None:
            self.opened_at = now

    def age(self, now: float) -> float:
        """Return for how many seconds the buffer has held something."""
        return 0.0 if self.opened_at is None else now - self.opened_at

    def clear(self) -> None:
        """Drop everything."""
        self.rows, self.quarantined, self.set_aside = [], [], Counter()
        self.late, self.audit = set(), AuditBuffer()
        self.bytes, self.opened_at = 0, None

    def seal(
        self,
        owned: Sequence[OwnedPartition],
        incarnation: Incarnation,
        token: int,
        *,
        erasures: int = 0,
    ) -> Flush | None:
        """Return a flush of everything read from ``owned``; None if there is nothing.

        Empties the buffer; each range continues from its end. ``erasures`` is the number of the
        newest tombstone applied to these records.
        """
        tombstones = ERASURE_FENCE.guard(erasures)
        parts = [self._seal_partition(item, token) for item in owned if item.range.moved]
        flush = Flush(
            topic=self.topic,
            token=token,
            incarnation=incarnation,
            rows=self.rows,
            primary=_join_parts([part.primary for part in parts], tombstones),
            quarantine_rows=self.quarantined,
            quarantine=_join_parts([part.quarantine for part in parts], tombstones),
            claim=_join_parts([part.claim for part in parts], tombstones),
            audit_rows=self.audit.rows,
            audit=_join_parts([part.audit for part in parts], tombstones),
            bytes=self.bytes,
        )
        self.clear()
        return flush if parts else None

    def _seal_partition(self, item: OwnedPartition, token: int) -> "_Parts":
        sealed = item.range.seal()
        item.oldest_open_ms = None
        quarantine = _quarantine_part(item, sealed, self.set_aside[sealed.source], token)
        claim = _claim_part(item, sealed, token) if sealed.source in self.late else FlushPart()
        primary = FlushPart(
            moves=[Move(position_app(sealed.source), item.position, sealed.end)],
            guards=[Guard(claim_app(sealed.source), item.claim)],
            ranges=[sealed],
        )
        item.position = sealed.end
        audit = _audit_part(item, sealed, self.audit.counts[sealed.source])
        return _Parts(primary, quarantine, claim, audit)


@dataclass(frozen=True, slots=True)
class _Parts:
    primary: FlushPart
    quarantine: FlushPart
    claim: FlushPart
    audit: FlushPart


def _join_parts(parts: Sequence[FlushPart], tombstones: Ceiling) -> FlushPart:
    return FlushPart(
        moves=[move for part in parts for move in part.moves],
        guards=[tombstones, *(condition for part in parts for condition in part.guards)],
        ranges=[item for part in parts for item in part.ranges],
    )


def _quarantine_part(
    item: OwnedPartition, sealed: SourceRange, count: int, token: int
) -> FlushPart:
    """Move quarantine's position, or the mark of late rows if the position is already ahead.

    One of the two moves with every flush, even an empty one. A previous owner that decided
    otherwise about these records can then no longer add to quarantine.
    """
    moves = []
    start = sealed.start
    if item.quarantine is not None and sealed.start < item.quarantine:
        moves.append(Move(late_app(item.source), item.late, token))
        item.late = token
    if item.quarantine is None or item.quarantine < sealed.end:
        start = max(sealed.start, item.quarantine or sealed.start)
        moves.append(Move(position_app(item.source), item.quarantine, sealed.end))
        item.quarantine = sealed.end
    ledger = SourceRange(
        topic=sealed.topic,
        partition=sealed.partition,
        start=start,
        end=sealed.end,
        consumed=count,
        quarantined=count,
    )
    return FlushPart(moves=moves, ranges=[ledger])


def _audit_part(item: OwnedPartition, sealed: SourceRange, count: int) -> FlushPart:
    """Move the audit's position, if there is an audit; it may be ahead after a crash."""
    if item.audit is None or (item.audit.position or 0) >= sealed.end:
        return FlushPart()
    move = Move(position_app(item.source), item.audit.position, sealed.end)
    start = max(sealed.start, item.audit.position or sealed.start)
    ledger = SourceRange(
        sealed.topic, sealed.partition, start, sealed.end, consumed=count, stored=count
    )
    item.audit.position = sealed.end
    return FlushPart(moves=[move], ranges=[ledger])


def _claim_part(item: OwnedPartition, sealed: SourceRange, token: int) -> FlushPart:
    """Claim a partition whose dead owner decided otherwise, before adding to its decision."""
    moves = [Move(claim_app(item.source), item.claim, token)]
    position = position_app(item.source)
    guards = [Guard(position, item.position)]
    if item.position is None:
        # A guard needs a number, so the position is set to where this worker starts.
        moves.append(Move(position, None, sealed.start))
        guards = []
        item.position = sealed.start
    item.claim = token
    return FlushPart(moves=moves, guards=guards)
