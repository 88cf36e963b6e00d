"""One attempt to redact quarantined rows again, and what became of each.

A row of quarantine is a whole record, or one item of a record. A record that could not be read may
hold many items now: it passes only if all of them do, since a record in quarantine is one row.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from lake.ledger import SourcePartition, SourceRange
from lake.quarantine import ItemCoordinates
from redact.crypto.erasure_filter import ERASED_RULE, ErasureFilter
from schemas.record_batches import DecodedBatch, RawRecord, RejectedRecord
from schemas.redacted import Redacted
from stream.intake import RecordDecoder, RecordRedactor


@dataclass(slots=True)
class AttemptedRows:
    """The outcome of an attempt; all sets hold coordinates of rows of quarantine.

    ``rows`` are those for the primary table. ``passed`` rows may be removed from quarantine: what
    they hold is in ``rows``, or is dropped by a rule (``dropped`` counts by partition and rule).
    ``forgotten`` are of erased persons. ``failed`` stay, for the reasons in ``still``.
    """

    rows: Redacted[pa.RecordBatch] | None = None
    passed: set[ItemCoordinates] = field(default_factory=set)
    forgotten: set[ItemCoordinates] = field(default_factory=set)
    failed: set[ItemCoordinates] = field(default_factory=set)
    still: Counter[str] = field(default_factory=Counter)
    dropped: dict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def ranges(self, topic: str) -> list[SourceRange]:
        """Return ledger ranges that count, by partition, what the primary table gets."""
        stored = Counter[int]()
        if self.rows is not None:
            stored.update(self.rows.value["_partition"].to_pylist())
        left = Counter(partition for partition, _, _ in self.passed)
        return [
            SourceRange(
                topic,
                partition,
                0,
                0,
                stored=stored[partition],
                quarantined=left[partition],
                dropped=dict(self.dropped[partition]),
            )
            for partition in sorted(left)
        ]

    def sources(self, topic: str) -> list[SourcePartition]:
        """Return the partition of each row that passed."""
        return [SourcePartition(topic, partition) for partition, _, _ in self.passed]


@dataclass(frozen=True, slots=True)
class RedriveAttempt:
    """Decodes and redacts rows of quarantine again."""

    topic: str
    decoder: RecordDecoder
    redactor: RecordRedactor
    erased: ErasureFilter
    ingested_at: int

    def run(
        self, raws: Sequence[RawRecord], coordinates: Iterable[ItemCoordinates]
    ) -> AttemptedRows:
        """Try the rows with these coordinates. A raw record may hold more items than those."""
        units = frozenset(coordinates)
        first = self._try(raws, units)
        half = self._half_passed(first)
        if not half:
            return first
        again = self._try(raws, units - half)
        again.failed |= half
        again.still = first.still
        return again

    def _half_passed(self, attempt: AttemptedRows) -> set[ItemCoordinates]:
        """Return records of which some items failed and others did not."""
        rows = attempt.rows
        if rows is None or not any(item is None for _, _, item in attempt.failed):
            return set()
        columns = (rows.value[name].to_pylist() for name in ("_partition", "_offset"))
        stored = set(zip(*columns, strict=True))
        return {unit for unit in attempt.failed if unit[2] is None and unit[:2] in stored}

    def _try(self, raws: Sequence[RawRecord], wanted: frozenset[ItemCoordinates]) -> AttemptedRows:
        tried = AttemptedRows()
        places = {unit[:2] for unit in wanted}
        chosen = [raw for raw in raws if (raw.partition, raw.offset) in places]
        decoded, rejected = self.decoder.decode(self.topic, chosen)
        decoded = _only_wanted(decoded, wanted)
        remaining, _ = self.erased.without(decoded)
        outcome = self.redactor.redact(remaining, ingested_at=self.ingested_at)
        for item in [*rejected, *outcome.rejected]:
            units = _units_of(item, wanted)
            tried.failed |= units
            tried.still[str(item.reason)] += bool(units)
        of_rows, of_remaining = _units(decoded, wanted), set(_units(remaining, wanted))
        of_dropped = {
            unit: item
            for item in decoded.dropped
            if (unit := _unit(item.partition, item.offset, item.item, wanted))
        }
        readable = {unit for unit in wanted if unit[2] is None and _was_given(unit, chosen)}
        held = {*of_rows, *of_dropped, *readable} - tried.failed
        tried.forgotten = {unit for unit in set(of_rows) - of_remaining if unit in held}
        tried.passed = held - tried.forgotten
        self._count_dropped(tried, decoded, remaining, wanted)
        tried.rows = outcome.rows if outcome.rows.value.num_rows else None
        return tried

    @staticmethod
    def _count_dropped(
        tried: AttemptedRows,
        decoded: DecodedBatch[Any],
        remaining: DecodedBatch[Any],
        wanted: frozenset[ItemCoordinates],
    ) -> None:
        for item in decoded.dropped:
            if _unit(item.partition, item.offset, item.item, wanted) in tried.passed:
                tried.dropped[item.partition][item.rule] += 1
        gone = Counter(_units(decoded, wanted))
        gone.subtract(_units(remaining, wanted))
        for unit, count in gone.items():
            if unit in tried.passed and count:
                tried.dropped[unit[0]][ERASED_RULE] += count


def _unit(
    partition: int, offset: int, item: int | None, wanted: frozenset[ItemCoordinates]
) -> ItemCoordinates | None:
    """Return the row of quarantine that an item is in; None if it is in none of these."""
    for unit in ((partition, offset, item), (partition, offset, None)):
        if unit in wanted:
            return unit
    return None


def _units(decoded: DecodedBatch[Any], wanted: frozenset[ItemCoordinates]) -> list[ItemCoordinates]:
    return [unit for place in decoded.coordinates() if (unit := _unit(*place, wanted))]


def _units_of(rejected: RejectedRecord, wanted: frozenset[ItemCoordinates]) -> set[ItemCoordinates]:
    """Return the rows of quarantine that fail with a rejected record, or with an item of one."""
    raw = rejected.raw
    unit = _unit(raw.partition, raw.offset, raw.item, wanted)
    if unit is not None:
        return {unit}
    if raw.item is not None:
        return set()
    return {unit for unit in wanted if unit[:2] == (raw.partition, raw.offset)}


def _only_wanted(
    decoded: DecodedBatch[Any], wanted: frozenset[ItemCoordinates]
) -> DecodedBatch[Any]:
    rows = [at for at, place in enumerate(decoded.coordinates()) if _unit(*place, wanted)]
    dropped = [d for d in decoded.dropped if _unit(d.partition, d.offset, d.item, wanted)]
    return replace(decoded.subset(rows), dropped=dropped)


def _was_given(unit: ItemCoordinates, raws: Sequence[RawRecord]) -> bool:
    return any(unit[:2] == (raw.partition, raw.offset) for raw in raws)
