"""The positions of the table ``labels``, and how a commit of labels advances them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from labels.join import DecidedLabel
from lake.fences import ERASURE_FENCE, RELABEL_FENCE
from lake.ledger import SourcePartition, SourceRange
from lake.table_commit import Condition, Guard, Move
from lake.table_log import event_time_app, position_app, produced_app
from lake.table_writer import FlushPart
from schemas.record_batches import RecordKind


@dataclass(slots=True)
class PartitionPair:
    """The partitions with one number in both topics; all offsets are by the kind of record.

    ``labelled`` is the position of the table ``labels`` (None: none yet), ``joined`` the offset up
    to which the join has the rows of the lake, ``produced`` the mark of what has been produced.
    ``event_time`` is the latest event time on record (microseconds since 1970). ``relabelled`` is
    the number of the fence that the rows were read under (`lake.fences`).
    """

    labelled: dict[RecordKind, int | None]
    joined: dict[RecordKind, int]
    produced: dict[RecordKind, int | None]
    event_time: int | None
    relabelled: int

    @property
    def has_undecided(self) -> bool:
        """Return whether the join has rows that no label has been decided from."""
        return any((self.labelled[kind] or 0) < joined for kind, joined in self.joined.items())

    @property
    def decided(self) -> Mapping[RecordKind, int]:
        """Return the offsets below which labels are written."""
        return {kind: position or 0 for kind, position in self.labelled.items()}


@dataclass(slots=True)
class LabelPositions:
    """The positions of all joined partitions. ``producing``: a topic is set for label events."""

    topics: Mapping[RecordKind, str]
    producing: bool
    pairs: dict[int, PartitionPair] = field(default_factory=dict)

    @property
    def has_undecided(self) -> bool:
        """Return whether any partition has rows that no label has been decided from."""
        return any(pair.has_undecided for pair in self.pairs.values())

    def drop(self, partitions: Iterable[int]) -> None:
        """Remove partitions."""
        for partition in partitions:
            self.pairs.pop(partition, None)

    def advance(self, kind: RecordKind, ends: Mapping[int, int]) -> list[int]:
        """Move the joined offsets to ``ends``; return the partitions for which they are new."""
        new = [n for n in ends if n in self.pairs and self.pairs[n].joined[kind] < ends[n]]
        for partition in new:
            self.pairs[partition].joined[kind] = ends[partition]
        return new

    def build_part(
        self,
        decided: Iterable[DecidedLabel],
        *,
        event_times: Mapping[int, int],
        tombstone: int,
    ) -> FlushPart:
        """Move the positions of labels to the joined offsets, and return the commit's moves.

        Both positions of a pair are in the commit, an unchanged one as a guard: what one owner has
        decided from one topic must not meet what another knew about the other topic.
        ``event_times`` are the latest by partition, ``tombstone`` is the newest applied one.
        """
        counts = Counter((label.partition, label.trigger.kind) for label in decided)
        moves: list[Move] = []
        guards: list[Condition] = [ERASURE_FENCE.guard(tombstone)]
        ranges: list[SourceRange] = []
        for partition, pair in self.pairs.items():
            if not pair.has_undecided:
                continue
            guards.append(RELABEL_FENCE.guard(pair.relabelled))
            for kind, topic in self.topics.items():
                source = SourcePartition(topic, partition)
                start, end = pair.labelled[kind], pair.joined[kind]
                if start == end:
                    guards.append(Guard(position_app(source), start))
                    continue
                moves.append(Move(position_app(source), start, end))
                moves += self._produced_move(pair, kind, source)
                count = counts[partition, kind]
                ranges.append(
                    SourceRange(topic, partition, start or 0, end, consumed=count, stored=count)
                )
                pair.labelled[kind] = end
                if kind is RecordKind.TRACE and (pair.event_time or 0) < event_times[partition]:
                    moves.append(
                        Move(event_time_app(source), pair.event_time, event_times[partition])
                    )
                    pair.event_time = event_times[partition]
        return FlushPart(moves=moves, guards=guards, ranges=ranges)

    def _produced_move(
        self, pair: PartitionPair, kind: RecordKind, source: SourcePartition
    ) -> list[Move]:
        """Mark the events of earlier flushes as produced: this flush follows only if they are."""
        before, start = pair.produced[kind], pair.labelled[kind] or 0
        if not self.producing or before == start:
            return []
        pair.produced[kind] = start
        return [Move(produced_app(source), before, start)]
