"""What the topics hold, beside what the lake is proved to hold: what is behind, and what is lost.

A proof from the tables' logs reaches up to their positions. How far the topics go beyond these is
Kafka's to say: records that are still to be read are a lag, and no loss; records that Kafka deleted
before they were read are one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lake.ledger import SourcePartition
from lake.verify_ranges import PartitionProof


@dataclass(frozen=True, slots=True)
class PartitionCoverage:
    """A partition in Kafka, which holds ``[low, high)``, and the lake's ``[begun, position)``.

    Both of the lake's are None where nothing was begun; ``begun`` is where the lake begins with the
    topic that is there now. ``young`` is a partition that the lake has not begun, of a topic that
    it has: it was added later, and nothing of it has been read. All are offsets: some may hold no
    record, such as those of markers.
    """

    source: SourcePartition
    low: int
    high: int
    begun: int | None = None
    position: int | None = None
    young: bool = False

    @property
    def behind(self) -> int:
        """Return how many offsets are still to be read."""
        return max(0, self.high - max(self.low, self.position or 0))

    @property
    def before(self) -> int:
        """Return how many offsets Kafka holds before the one that the lake begins with."""
        return 0 if self.begun is None else max(0, min(self.begun, self.high) - self.low)

    @property
    def lost(self) -> int:
        """Return how many offsets Kafka has deleted that were still to be read."""
        if self.position is None:
            return self.low if self.young else 0
        return max(0, self.low - self.position)

    @property
    def problems(self) -> list[str]:
        """Return one sentence for what is lost, or can be lost from here on."""
        if self.lost:
            return [
                f"{self.source}: the records from offset {self.position or 0} to {self.low - 1} "
                "were deleted by Kafka before they were read (retention)"
            ]
        if self.position is not None and self.position > self.high:
            return [
                f"{self.source}: the position is {self.position}, but the topic ends at "
                f"{self.high}: it was truncated, and what is written below the position from here "
                "on would be skipped"
            ]
        return []

    def to_json(self) -> dict[str, int | str | None]:
        """Return the row as `goldpan lake verify --kafka --json` prints it."""
        return {
            "topic": self.source.topic,
            "partition": self.source.partition,
            "from": self.low,
            "to": self.high,
            "position": self.position,
            "behind": self.behind,
            "before": self.before,
            "lost": self.lost,
        }


def compare_coverage(
    proofs: Sequence[PartitionProof],
    lows: Mapping[SourcePartition, int],
    highs: Mapping[SourcePartition, int],
    others: Collection[str] = (),
) -> list[PartitionCoverage]:
    """Set what Kafka holds against the proofs, partition by partition, in order.

    ``lows`` must be asked before the tables are read and ``highs`` afterwards, so that a worker
    that goes on meanwhile makes no loss and no truncated topic appear. ``others`` are topics that
    are another incarnation than the positions are of: their offsets compare with nothing.
    """
    known = {SourcePartition(proof.topic, proof.partition): proof for proof in proofs}
    begun = {proof.topic for proof in proofs} - set(others)
    found = []
    for source in sorted(highs):
        low, proof = lows.get(source, 0), known.get(source)
        if proof is None or source.topic in others:
            young = source.topic in begun
            found.append(PartitionCoverage(source, low, highs[source], young=young))
        else:
            found.append(PartitionCoverage(source, low, highs[source], proof.begun, proof.end))
    return found
