"""Processes a batch of one topic: decodes, redacts, sets rejected records aside, counts.

Nothing counts as read until the whole batch is through. A step that must be retried (an unavailable
registry, for example) therefore leaves no trace.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pyarrow as pa

from lake.ledger import SourcePartition
from redact.crypto.erasure_filter import ERASED_RULE, NO_ERASURES, ErasureFilter
from redact.pipeline.audit import AuditEntry, build_audit_rows, chain_start
from schemas.record_batches import DecodedBatch, RawRecord, RejectedRecord
from schemas.redacted import Redacted
from stream.buffer import TopicBuffer
from stream.held_records import HeldRecords, ItemCounts
from stream.owned_partition import Assignment, OwnedPartition
from stream.tracing import NO_TRACER, Tracer, format_offsets

SIGNALS_AT_ONCE: Final = 512 * 1024
"""Bytes of values of a topic of spans to process at once: rows can be many times as large."""


class RecordDecoder(Protocol):
    """The part of a decoder that the intake uses; see `decode.decoder.Decoder`."""

    def decode(
        self, topic: str, messages: Sequence[RawRecord]
    ) -> tuple[DecodedBatch[Any], list[RejectedRecord]]:
        """Separate valid records from rejected ones."""


class RedactedRecords(Protocol):
    """Redacted rows, and records that could not be redacted."""

    @property
    def rows(self) -> Redacted[pa.RecordBatch]:
        """Return the rows in the table's columns."""

    @property
    def audit(self) -> Sequence[AuditEntry]:
        """Return what was replaced in each record of `rows`, if an audit is kept."""

    @property
    def rejected(self) -> Sequence[RejectedRecord]:
        """Return the records that could not be redacted."""


class RecordRedactor(Protocol):
    """The part of a redactor that the intake uses; see `redact.pipeline.redactor.Redactor`."""

    @property
    def memory_bytes(self) -> int:
        """Return about how large its text caches may grow, in bytes."""

    def redact(self, decoded: DecodedBatch[Any], *, ingested_at: int) -> RedactedRecords:
        """Redact personal data."""

    def statistics(self) -> Mapping[str, int]:
        """Return counters since startup: `segment_hits` and `segment_misses`, if it caches."""


class PayloadSealer(Protocol):
    """What the intake needs to set records aside; see `redact.crypto.sealing.Sealer`."""

    def seal(
        self, rejected: Sequence[RejectedRecord], *, ingested_at: int
    ) -> Redacted[pa.RecordBatch]:
        """Return rows of quarantine."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes in batches of one topic. ``now_us`` is the wall clock in microseconds.

    ``erased`` returns the filter for records of erased persons, which stop after the decoder.
    ``reads_headers``: the decoder needs the headers of records. A batch is processed in parts of
    about ``part_bytes``, so that what its records are decoded to never fills the memory; None
    processes it at once.
    """

    decoder: RecordDecoder
    redactor: RecordRedactor
    sealer: PayloadSealer
    now_us: Callable[[], int]
    on_rejected: Callable[[RejectedRecord], None]
    erased: Callable[[], ErasureFilter] = lambda: NO_ERASURES
    tracer: Tracer = NO_TRACER
    reads_headers: bool = False
    part_bytes: int | None = None

    def take(
        self, batch: Sequence[RawRecord], assignment: Assignment, buffer: TopicBuffer, now: float
    ) -> int:
        """Take a batch into the buffer; return how many records were new.

        Skips records of partitions that are not owned, and records that were already read. Raises
        RetryableError if the batch must be retried: the parts that came through are not new then.
        """
        if self.part_bytes is None:
            return self._take(batch, assignment, buffer, now)
        parts = split_by_bytes(batch, self.part_bytes)
        return sum(self._take(part, assignment, buffer, now) for part in parts)

    def _take(
        self, batch: Sequence[RawRecord], assignment: Assignment, buffer: TopicBuffer, now: float
    ) -> int:
        offsets, fresh = _select_unread(batch, buffer.topic, assignment)
        if not offsets:
            return 0
        held = HeldRecords.of(fresh, buffer.topic, assignment)
        ingested_at = self.now_us()
        decoded, rejected = self._decode(buffer.topic, held.without_whole(fresh))
        decoded, rejected = held.without_items(decoded, rejected)
        counts = {source.partition: ItemCounts() for source in offsets}
        _count_items(counts, decoded, rejected, held)
        if erased := self.erased():
            decoded, erased_counts = erased.without(decoded)
            for partition, count in erased_counts.items():
                counts[partition].dropped[ERASED_RULE] += count
        with self.tracer.span("redact", topic=buffer.topic, records=len(decoded.records)):
            outcome = self.redactor.redact(decoded, ingested_at=ingested_at)
        rejected = [*rejected, *outcome.rejected]
        buffer.add(outcome.rows, now)
        _append_audit(outcome, buffer, assignment, ingested_at)
        set_aside = Counter(SourcePartition(r.topic, r.raw.partition) for r in rejected)
        for source, count in set_aside.items():
            counts[source.partition].quarantined += count
        for partition, count in Counter(outcome.rows.value["_partition"].to_pylist()).items():
            counts[partition].stored += count
        if rejected:
            rejected.sort(key=lambda r: (r.raw.partition, r.raw.offset, r.raw.item or 0))
            sealed = self.sealer.seal(rejected, ingested_at=ingested_at)
            buffer.set_aside_rows(sealed, set_aside, _find_late(rejected, assignment), now)
        for source, read in offsets.items():
            _count_read(assignment.owned[source], read, counts[source.partition])
        _record_times(batch, buffer.topic, assignment)
        for item in rejected:
            self.on_rejected(item)
        return sum(map(len, offsets.values()))

    def _decode(
        self, topic: str, messages: Sequence[RawRecord]
    ) -> tuple[DecodedBatch[Any], list[RejectedRecord]]:
        def offsets() -> str:
            return format_offsets((raw.partition, raw.offset) for raw in messages)

        with self.tracer.span("decode", topic=topic, records=len(messages), offsets=offsets):
            return self.decoder.decode(topic, messages)


def _select_unread(
    batch: Sequence[RawRecord], topic: str, assignment: Assignment
) -> tuple[dict[SourcePartition, list[int]], Sequence[RawRecord]]:
    """Return the unread offsets, by partition and in order, and their records."""
    by_partition: dict[int, list[int]] = defaultdict(list)
    for raw in batch:
        by_partition[raw[0]].append(raw[1])
    offsets: dict[SourcePartition, list[int]] = {}
    for partition, read in by_partition.items():
        owned = assignment.owned.get(SourcePartition(topic, partition))
        unread = owned.unread(dict.fromkeys(read)) if owned else []
        if unread:
            offsets[SourcePartition(topic, partition)] = unread
    if sum(map(len, offsets.values())) == len(batch):
        return offsets, batch  # all are new, and each record is one item
    keep = {(source.partition, offset) for source, read in offsets.items() for offset in read}
    return offsets, [raw for raw in batch if (raw.partition, raw.offset) in keep]


def split_by_bytes(batch: Iterable[RawRecord], part_bytes: int) -> Iterator[Sequence[RawRecord]]:
    """Yield the records of a batch in parts of about this size, at least one record in each.

    Rows that are read back from the lake are items of records, which are not divided.
    """
    part: list[RawRecord] = []
    size = 0
    for raw in batch:
        if size >= part_bytes and raw.offset != part[-1].offset:
            yield part
            part, size = [], 0
        part.append(raw)
        size += len(raw.value or b"")
    if part:
        yield part


def _count_items(
    counts: Mapping[int, ItemCounts],
    decoded: DecodedBatch[Any],
    rejected: Sequence[RejectedRecord],
    held: HeldRecords,
) -> None:
    """Count the items that the records hold, and those that rules drop or quarantine has."""
    for partition, found in Counter(decoded.partitions).items():
        counts[partition].found += found
    for record in rejected:
        counts[record.raw.partition].found += 1
    for item in decoded.dropped:
        counts[item.partition].found += 1
        counts[item.partition].dropped[item.rule] += 1
    for partition, items in held.items_by_partition().items():
        counts[partition].found += items
        counts[partition].quarantined += items


def _find_late(rejected: Sequence[RejectedRecord], assignment: Assignment) -> set[SourcePartition]:
    """Return partitions with a newly rejected record below quarantine's position."""
    sources = (
        (SourcePartition(item.topic, item.raw.partition), item.raw.offset) for item in rejected
    )
    return {s for s, offset in sources if offset < (assignment.owned[s].quarantine or 0)}


def _append_audit(
    outcome: RedactedRecords, buffer: TopicBuffer, assignment: Assignment, ingested_at: int
) -> None:
    """Append the batch's audit entries that are not in the audit table yet."""
    entries = [entry for entry in outcome.audit if _is_unaudited(entry, assignment)]
    if not entries:
        return
    trail = buffer.audit
    starts = {item.source.partition: item.range.start for item in assignment.of(buffer.topic)}
    rows, trail.chain = build_audit_rows(
        entries,
        policy=outcome.rows.policy,
        ingested_at=ingested_at,
        previous=trail.chain or chain_start(buffer.topic, starts),
    )
    trail.rows.append(rows)
    trail.counts.update(SourcePartition(entry.topic, entry.partition) for entry in entries)
    buffer.bytes += rows.value.nbytes


def _is_unaudited(entry: AuditEntry, assignment: Assignment) -> bool:
    mark = assignment.owned[SourcePartition(entry.topic, entry.partition)].audit
    return mark is not None and entry.offset >= (mark.position or 0)


def _count_read(owned: OwnedPartition, read: Sequence[int], counts: ItemCounts) -> None:
    owned.range.read(read)
    owned.range.found += counts.found
    owned.range.stored += counts.stored
    owned.range.quarantined += counts.quarantined
    owned.range.dropped.update(counts.dropped)
    owned.at_end = False


def _record_times(batch: Sequence[RawRecord], topic: str, assignment: Assignment) -> None:
    """Record the timestamps that the lag in seconds is computed from."""
    newest = {raw[0]: raw[2] for raw in batch}
    oldest = {raw[0]: raw[2] for raw in reversed(batch)}
    for partition, stamp in newest.items():
        owned = assignment.owned.get(SourcePartition(topic, partition))
        if owned:
            owned.newest_read_ms = stamp
            if owned.oldest_open_ms is None:
                owned.oldest_open_ms = oldest[partition]
