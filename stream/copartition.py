"""Checks whether two topics put the same trace id into the same partition number.

librdkafka's default partitioner hashes keys with CRC-32 (IEEE 802.3), Java's with murmur2 (Austin
Appleby; the variant of Kafka's `Utils.murmur2`). Two topics with equal keys and equally many
partitions are therefore co-partitioned only if all producers agree. So trace ids are compared with
the partitions they came from. If one of the two partitioners explains all of one topic but not the
other topic, feedback is not in the partition of its trace. With any partitioner, a trace known from
two different partitions shows the same.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.record_batches import SENT_KINDS, RecordKind

TRACE_IDS_COMPARED: Final = 32
"""Trace ids of a topic that are compared with the partitioners, given two or more partitions."""
MISPLACED_TRACES_LIMIT: Final = 5
"""This many traces in two partitions cannot be an accident, such as a resent record."""
_WORD = 0xFFFFFFFF


def crc32(key: bytes) -> int:
    """Return the hash of librdkafka's `consistent` partitioners."""
    return zlib.crc32(key)


def murmur2(key: bytes) -> int:
    """Return the hash of Java's default partitioner, made non-negative."""
    m, length = 0x5BD1E995, len(key)
    h = 0x9747B28C ^ length
    aligned = length - length % 4
    for at in range(0, aligned, 4):
        k = int.from_bytes(key[at : at + 4], "little") * m & _WORD
        k = (k ^ k >> 24) * m & _WORD
        h = (h * m & _WORD) ^ k
    if rest := key[aligned:]:
        h = (h ^ int.from_bytes(rest, "little")) * m & _WORD
    h = (h ^ h >> 13) * m & _WORD
    return (h ^ h >> 15) & 0x7FFFFFFF


PARTITIONERS: Final[Mapping[str, Callable[[bytes], int]]] = {"crc32": crc32, "murmur2": murmur2}


@dataclass(slots=True)
class _Topic:
    """The trace ids of one topic so far. ``fits`` are the partitioners that explain all of them."""

    ids: set[str] = field(default_factory=set)
    fits: set[str] = field(default_factory=lambda: set(PARTITIONERS))


@dataclass(slots=True)
class CopartitionCheck:
    """Compares trace ids of both topics, which have ``partitions`` partitions each."""

    partitions: int
    _topics: dict[RecordKind, _Topic] = field(
        default_factory=lambda: {kind: _Topic() for kind in SENT_KINDS}
    )
    _misplaced: int = 0

    def add(self, kind: RecordKind, trace_ids: Sequence[str], partitions: Sequence[int]) -> None:
        """Add trace ids and the partitions they came from."""
        topic = self._topics[kind]
        for trace_id, partition in zip(trace_ids, partitions, strict=True):
            if len(topic.ids) >= TRACE_IDS_COMPARED or not topic.fits:
                return
            topic.ids.add(trace_id)
            key = trace_id.encode("utf-8", "surrogatepass")
            topic.fits = {
                n for n in topic.fits if PARTITIONERS[n](key) % self.partitions == partition
            }

    def add_misplaced(self, count: int) -> None:
        """Add traces that are known from two partitions."""
        self._misplaced += count

    @property
    def broken(self) -> bool:
        """Return whether the topics are certainly not co-partitioned."""
        if self._misplaced >= MISPLACED_TRACES_LIMIT:
            return True
        traces, feedback = (self._topics[kind] for kind in SENT_KINDS)
        decided = all(
            len(topic.ids) >= TRACE_IDS_COMPARED or not topic.fits for topic in (traces, feedback)
        )
        return decided and bool(traces.fits or feedback.fits) and not traces.fits & feedback.fits
