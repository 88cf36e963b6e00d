"""What is read of one topic and waits for its flush; sealed, it becomes a flush."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from lake.commit import Move
from lake.ledger import Incarnation, Source, SourceRange, late_app, position_app
from schemas.redacted import Redacted
from stream.owned import Owned

Rows = Redacted[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class Flush:
    """Everything that one flush brings into the lake, and the positions that move with it."""

    topic: str
    incarnation: Incarnation
    rows: Sequence[Rows]
    ranges: Sequence[SourceRange]
    moves: Sequence[Move]
    quarantined: Sequence[Rows]
    quarantine_ranges: Sequence[SourceRange]
    quarantine_moves: Sequence[Move]
    bytes: int


@dataclass(slots=True)
class TopicBuffer:
    """Redacted rows of one topic, of all its partitions in the order they were read."""

    topic: str
    rows: list[Rows] = field(default_factory=list)
    quarantined: list[Rows] = field(default_factory=list)
    set_aside: Counter[Source] = field(default_factory=Counter)
    bytes: int = 0
    opened_at: float | None = None

    def add(self, rows: Rows, now: float) -> None:
        """Take rows for the primary table; ``now`` in seconds of a monotonic clock."""
        if rows.value.num_rows:
            self.rows.append(rows)
            self.bytes += rows.value.nbytes
        self.touch(now)

    def set_aside_rows(self, rows: Rows, per_source: Counter[Source], now: float) -> None:
        """Take rows for quarantine; ``per_source`` counts them by partition."""
        self.quarantined.append(rows)
        self.bytes += rows.value.nbytes
        self.set_aside.update(per_source)
        self.touch(now)

    def touch(self, now: float) -> None:
        """Start the clock of this buffer, if it is not running."""
        if self.opened_at is None:
            self.opened_at = now

    def age(self, now: float) -> float:
        """Return for how many seconds the buffer has held something."""
        return 0.0 if self.opened_at is None else now - self.opened_at

    def clear(self) -> None:
        """Drop everything."""
        self.rows, self.quarantined, self.set_aside = [], [], Counter()
        self.bytes, self.opened_at = 0, None

    def seal(self, owned: Sequence[Owned], incarnation: Incarnation) -> Flush | None:
        """Make a flush of all that has been read of ``owned``; None if nothing has.

        The buffer is empty afterwards, and each range goes on from its end.
        """
        moved = [item for item in owned if item.range.moved]
        if not moved:
            self.clear()
            return None
        ranges, moves, quarantine_ranges, quarantine_moves = [], [], [], []
        for item in moved:
            sealed = item.range.seal()
            item.oldest_open_ms = None
            ranges.append(sealed)
            moves.append(Move(position_app(sealed.source), item.position, sealed.end))
            item.position = sealed.end
            if count := self.set_aside[sealed.source]:
                quarantine_moves.append(_quarantine_move(item, sealed.end))
                quarantine_ranges.append(_set_aside_range(sealed, count))
        flush = Flush(
            topic=self.topic,
            incarnation=incarnation,
            rows=self.rows,
            ranges=ranges,
            moves=moves,
            quarantined=self.quarantined,
            quarantine_ranges=quarantine_ranges,
            quarantine_moves=quarantine_moves,
            bytes=self.bytes,
        )
        self.clear()
        return flush


def _quarantine_move(item: Owned, end: int) -> Move:
    """Move quarantine's position; or, where it is ahead already, the mark of its late rows."""
    if item.quarantine is not None and item.quarantine >= end:
        move = Move(late_app(item.source), item.late, end)
        item.late = end
    else:
        move = Move(position_app(item.source), item.quarantine, end)
        item.quarantine = end
    return move


def _set_aside_range(sealed: SourceRange, count: int) -> SourceRange:
    """Return the range as quarantine's own ledger has it: only what this commit sets aside."""
    return SourceRange(
        topic=sealed.topic,
        partition=sealed.partition,
        start=sealed.start,
        end=sealed.end,
        first=sealed.first,
        last=sealed.last,
        consumed=count,
        quarantined=count,
    )
