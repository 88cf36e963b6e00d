"""One batch of one topic on its way: decode, redact, set aside what cannot go on, count.

Nothing is counted as read before all of it has come through, so a step that has to be tried again
(a registry that does not answer) leaves no trace.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from lake.ledger import SourcePartition
from redact.crypto.erasure_filter import ERASED_RULE, NO_ERASURES, ErasureFilter
from redact.pipeline.audit import AuditEntry, build_audit_rows, chain_start
from schemas.record_batches import DecodedBatch, RawRecord, RejectedRecord
from schemas.redacted import Redacted
from stream.buffer import TopicBuffer
from stream.owned_partition import Assignment, OwnedPartition


class RecordDecoder(Protocol):
    """What the intake needs of a decoder; see `decode.decoder.Decoder`."""

    def decode(
        self, topic: str, messages: Sequence[RawRecord]
    ) -> tuple[DecodedBatch[Any], list[RejectedRecord]]:
        """Tell valid records from others."""


class RedactedRecords(Protocol):
    """Rows that may leave, and records that may not."""

    @property
    def rows(self) -> Redacted[pa.RecordBatch]:
        """Return the rows as the table has them."""

    @property
    def audit(self) -> Sequence[AuditEntry]:
        """Return what was done to each record in `rows`, where an audit is kept."""

    @property
    def rejected(self) -> Sequence[RejectedRecord]:
        """Return the records that could not be redacted."""


class RecordRedactor(Protocol):
    """What the intake needs of a redactor; see `redact.pipeline.redactor.Redactor`."""

    @property
    def memory_bytes(self) -> int:
        """Return about how far its memories of texts may grow, in bytes."""

    def redact(self, decoded: DecodedBatch[Any], *, ingested_at: int) -> RedactedRecords:
        """Take personal data out."""

    def statistics(self) -> Mapping[str, int]:
        """Return counters since the start: `segment_hits` and `segment_misses`, if it caches."""


class PayloadSealer(Protocol):
    """What the intake needs to set records aside; see `redact.crypto.sealing.Sealer`."""

    def seal(
        self, rejected: Sequence[RejectedRecord], *, ingested_at: int
    ) -> Redacted[pa.RecordBatch]:
        """Make rows of quarantine."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes batches of one topic in. ``now_us`` is the wall clock in microseconds.

    ``erased`` says whose records are kept out; they get no further than the decoder.
    """

    decoder: RecordDecoder
    redactor: RecordRedactor
    sealer: PayloadSealer
    now_us: Callable[[], int]
    on_rejected: Callable[[RejectedRecord], None]
    erased: Callable[[], ErasureFilter] = lambda: NO_ERASURES

    def take(
        self, batch: Sequence[RawRecord], assignment: Assignment, buffer: TopicBuffer, now: float
    ) -> int:
        """Take a batch into the buffer; return how many records were new.

        Records of partitions that are not owned, or that have been read already, are passed over.
        Raises RetryableError, with nothing changed, if the batch must be tried again.
        """
        offsets, fresh = _fresh(batch, buffer.topic, assignment)
        if not offsets:
            return 0
        held: list[RawRecord] = []
        if any(item.held for item in assignment.of(buffer.topic)):
            held = [raw for raw in fresh if _is_held(raw, buffer.topic, assignment)]
            fresh = [raw for raw in fresh if not _is_held(raw, buffer.topic, assignment)]
        ingested_at = self.now_us()
        decoded, rejected = self.decoder.decode(buffer.topic, fresh)
        gone: Counter[int] = Counter()
        if erased := self.erased():
            decoded, gone = erased.without(decoded)
        outcome = self.redactor.redact(decoded, ingested_at=ingested_at)
        rejected = [*rejected, *outcome.rejected]
        buffer.add(outcome.rows, now)
        _tell(outcome, buffer, assignment, ingested_at)
        aside = Counter(SourcePartition(r.topic, r.raw.partition) for r in rejected)
        if rejected:
            rejected.sort(key=lambda r: (r.raw.partition, r.raw.offset))
            sealed = self.sealer.seal(rejected, ingested_at=ingested_at)
            buffer.set_aside_rows(sealed, aside, _late(rejected, assignment), now)
        aside.update(SourcePartition(buffer.topic, raw.partition) for raw in held)
        for source, read in offsets.items():
            _count(assignment.owned[source], read, aside[source], gone[source.partition])
        _note_times(batch, buffer.topic, assignment)
        for item in rejected:
            self.on_rejected(item)
        return sum(map(len, offsets.values()))


def _fresh(
    batch: Sequence[RawRecord], topic: str, assignment: Assignment
) -> tuple[dict[SourcePartition, list[int]], Sequence[RawRecord]]:
    """Return the offsets to be read, by partition and in order, and their records."""
    by_partition: dict[int, list[int]] = defaultdict(list)
    for raw in batch:
        by_partition[raw[0]].append(raw[1])
    offsets: dict[SourcePartition, list[int]] = {}
    for partition, found in by_partition.items():
        owned = assignment.owned.get(SourcePartition(topic, partition))
        wanted = owned.wanted(found) if owned else []
        if wanted:
            offsets[SourcePartition(topic, partition)] = wanted
    if sum(map(len, offsets.values())) == len(batch):
        return offsets, batch
    keep = {(source.partition, offset) for source, read in offsets.items() for offset in read}
    return offsets, [raw for raw in batch if (raw.partition, raw.offset) in keep]


def _is_held(raw: RawRecord, topic: str, assignment: Assignment) -> bool:
    owned = assignment.owned[SourcePartition(topic, raw.partition)]
    return bool(owned.held) and raw.offset in owned.held


def _late(rejected: Sequence[RejectedRecord], assignment: Assignment) -> set[SourcePartition]:
    """Return the partitions of which a record fails now that quarantine's position has passed."""
    sources = (
        (SourcePartition(item.topic, item.raw.partition), item.raw.offset) for item in rejected
    )
    return {s for s, offset in sources if offset < (assignment.owned[s].quarantine or 0)}


def _tell(
    outcome: RedactedRecords, buffer: TopicBuffer, assignment: Assignment, ingested_at: int
) -> None:
    """Put the audit of a batch behind what the buffer holds of it, but for what is told already."""
    entries = [entry for entry in outcome.audit if _untold(entry, assignment)]
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


def _untold(entry: AuditEntry, assignment: Assignment) -> bool:
    mark = assignment.owned[SourcePartition(entry.topic, entry.partition)].audit
    return mark is not None and entry.offset >= (mark.position or 0)


def _count(owned: OwnedPartition, read: Sequence[int], aside: int, gone: int) -> None:
    owned.range.read(read)
    owned.range.quarantined += aside
    owned.range.stored += len(read) - aside - gone
    if gone:
        owned.range.dropped[ERASED_RULE] += gone
    owned.at_end = False


def _note_times(batch: Sequence[RawRecord], topic: str, assignment: Assignment) -> None:
    """Remember the times that the lag in seconds is told from."""
    newest = {raw[0]: raw[2] for raw in batch}
    oldest = {raw[0]: raw[2] for raw in reversed(batch)}
    for partition, stamp in newest.items():
        owned = assignment.owned.get(SourcePartition(topic, partition))
        if owned:
            owned.newest_read_ms = stamp
            if owned.oldest_open_ms is None:
                owned.oldest_open_ms = oldest[partition]
