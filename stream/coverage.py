"""Compares what the topics hold with what the lake holds: what is unread, what is lost.

A proof from the tables' logs extends to their positions; Kafka knows how far the topics go beyond
them. Records still to be read are lag, not loss; records that Kafka deleted before they were read
are lost.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lake.ledger import SourcePartition
from lake.verify_ranges import PartitionProof


@dataclass(frozen=True, slots=True)
class PartitionCoverage:
    """A partition's offsets in Kafka, ``[low, high)``, and in the lake, ``[begun, position)``.

    ``begun`` and ``position`` are None if the lake has not begun the partition; ``begun`` is the
    lake's first offset of the topic's current incarnation. ``young`` marks an unread partition of a
    begun topic: it was added later. Some offsets may hold no record, such as transaction markers.
    """

    source: SourcePartition
    low: int
    high: int
    begun: int | None = None
    position: int | None = None
    young: bool = False

    @property
    def unread(self) -> int:
        """Return how many offsets are still to be read."""
        return max(0, self.high - max(self.low, self.position or 0))

    @property
    def before(self) -> int:
        """Return how many offsets Kafka holds before the lake's first one."""
        return 0 if self.begun is None else max(0, min(self.begun, self.high) - self.low)

    @property
    def lost(self) -> int:
        """Return how many unread offsets Kafka has deleted."""
        if self.position is None:
            return self.low if self.young else 0
        return max(0, self.low - self.position)

    @property
    def problems(self) -> list[str]:
        """Return one sentence for what is lost, or can be lost from now on."""
        if self.lost:
            return [
                f"{self.source}: Kafka deleted the records from offset {self.position or 0} to "
                f"{self.low - 1} before they were read (retention)"
            ]
        if self.position is not None and self.position > self.high:
            return [
                f"{self.source}: the position is {self.position}, but the topic ends at "
                f"{self.high}: it was truncated, and records written below the position from now "
                "on would be skipped"
            ]
        return []

    def to_json(self) -> dict[str, int | str | None]:
        """Return the row that `goldpan lake verify --kafka --json` prints."""
        return {
            "topic": self.source.topic,
            "partition": self.source.partition,
            "from": self.low,
            "to": self.high,
            "position": self.position,
            "behind": self.unread,
            "before": self.before,
            "lost": self.lost,
        }


def compare_coverage(
    proofs: Sequence[PartitionProof],
    lows: Mapping[SourcePartition, int],
    highs: Mapping[SourcePartition, int],
    foreign_topics: Collection[str] = (),
) -> list[PartitionCoverage]:
    """Compare Kafka's offsets with the proofs, partition by partition, in order.

    Read ``lows`` before the tables and ``highs`` after them, so that an active worker causes no
    apparent loss or truncation. ``foreign_topics`` are of another incarnation than the recorded
    one: their offsets are not comparable.
    """
    proof_of = {SourcePartition(proof.topic, proof.partition): proof for proof in proofs}
    begun = {proof.topic for proof in proofs} - set(foreign_topics)
    rows = []
    for source in sorted(highs):
        low, proof = lows.get(source, 0), proof_of.get(source)
        if proof is None or source.topic in foreign_topics:
            young = source.topic in begun
            rows.append(PartitionCoverage(source, low, highs[source], young=young))
        else:
            rows.append(PartitionCoverage(source, low, highs[source], proof.begun, proof.end))
    return rows
