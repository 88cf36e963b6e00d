"""Taking partitions over: where to go on reading, according to the tables and nobody else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from lake.ledger import (
    Incarnation,
    SourcePartition,
    adopted_app,
    claim_app,
    epoch_app,
    epoch_at_app,
    late_app,
)
from lake.quarantine import ingested_since
from lake.tables import Table
from schemas.errors import FatalError
from stream.flusher import describe_changed_topic
from stream.initial_positions import InitialPositions
from stream.owned_partition import AuditPosition, OwnedPartition
from stream.ranges import OpenRange

SKIPPED_BY_RETENTION = "retention"


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Reads positions and compares them with what Kafka still has.

    ``watermarks`` gives (first offset that is left, one after the last), ``partitions`` all that a
    topic has now. ``start`` says where to begin with a topic that the tables hold no position of:
    ``beginning`` writes that down for all its partitions at once. From then on a partition without
    a position is younger than the lake, and begins at its first record, whatever ``start`` says.
    ``on_lost_offsets`` says what to do about records that Kafka has deleted before they were read;
    ``on_lost`` hears of each such gap that is skipped.
    """

    primary: Mapping[str, Table]
    quarantine: Table
    audit: Table | None
    labels: Table | None
    incarnation: Callable[[str], Incarnation]
    watermarks: Callable[[SourcePartition], tuple[int, int]]
    start: str
    on_lost_offsets: str
    on_lost: Callable[[SourcePartition, int, int], None]
    beginning: InitialPositions | None = None
    partitions: Callable[[str], Sequence[SourcePartition]] = lambda _topic: ()

    def take(
        self, sources: Sequence[SourcePartition]
    ) -> tuple[list[OwnedPartition], dict[str, Incarnation]]:
        """Return the partitions ready to be read, and the incarnations of their topics.

        Raises FatalError if a topic is another incarnation than the positions are of, if a position
        lies beyond the topic's end, or if records were lost and the setting says to fail;
        RetryableError if the lake or Kafka does not answer.
        """
        topics = sorted({source.topic for source in sources})
        incarnations = self.check(topics)
        positions: dict[SourcePartition, int | None] = {}
        starts: dict[SourcePartition, int] = {}
        for topic in topics:
            mine = [source for source in sources if source.topic == topic]
            found = self.primary[topic].positions(mine)
            positions |= found
            if None in found.values():
                starts |= self._starts(topic, [s for s in mine if found[s] is None])
        if starts and self.beginning is not None:
            self.beginning.write(starts, incarnations)
            return self.take(sources)
        return [self._one(s, at, starts.get(s, 0)) for s, at in positions.items()], incarnations

    def _starts(self, topic: str, missing: Sequence[SourcePartition]) -> dict[SourcePartition, int]:
        """Return where partitions begin that the tables hold no position of.

        Nobody has begun with the topic: all its partitions begin now, also those that another
        worker got, as the setting says. Somebody has: then these came later.
        """
        if self._is_begun(topic):
            return dict.fromkeys(missing, 0)
        bound = 0 if self.start == "earliest" else 1
        every = sorted({*missing, *self.partitions(topic)})
        return {source: self.watermarks(source)[bound] for source in every}

    def check(self, topics: Sequence[str]) -> dict[str, Incarnation]:
        """Return the incarnations of topics, which are those that the tables have positions of.

        All handles stand at the newest version afterwards. Raises FatalError if a topic is another
        incarnation, RetryableError if the lake or Kafka does not answer.
        """
        for topic in topics:
            self.primary[topic].refresh()
        self.quarantine.refresh()
        for table in (self.audit, self.labels):
            if table is not None:
                table.refresh()
        incarnations = {topic: self.incarnation(topic) for topic in topics}
        for topic, now in incarnations.items():
            tables = (self.primary[topic], self.quarantine, self.labels)
            recorded = {table.incarnation_version(topic) for table in tables if table is not None}
            if not recorded <= {None, now.version()}:
                raise FatalError(describe_changed_topic(topic))
        return incarnations

    def check_ends(self, ends: Mapping[SourcePartition, int]) -> None:
        """Raise FatalError if a position lies beyond the end of its partition.

        A worker that asks whether the group has caught up may be done before it is given anything,
        and would take such a position for all that there is to do. The positions are those that
        ``check`` saw, so no worker has moved them since beyond these ends.
        """
        for source, end in ends.items():
            position = self.primary[source.topic].positions([source])[source] or 0
            if position > end:
                raise FatalError(_beyond(source, position, end))

    def to_reach(
        self, marks: Mapping[SourcePartition, tuple[int, int]]
    ) -> dict[SourcePartition, int]:
        """Return the end of each partition of (first offset left, one after the last).

        Left out are partitions that are empty and were never begun: nothing is to be brought from
        there. One that is empty but begun counts, since records may be lost between, and so does
        one of a begun topic of which all records are gone. The positions are those that ``check``
        saw.
        """
        begun = {topic: self._is_begun(topic) for topic in {source.topic for source in marks}}
        return {
            source: high
            for source, (low, high) in marks.items()
            if low < high
            or (high and begun[source.topic])
            or self.primary[source.topic].positions([source])[source] is not None
        }

    def _is_begun(self, topic: str) -> bool:
        return self.primary[topic].incarnation_version(topic) is not None

    def _one(self, source: SourcePartition, position: int | None, start: int) -> OwnedPartition:
        low, high = self.watermarks(source)
        first = start if position is None else position
        quarantine = self.quarantine.positions([source])[source]
        reading = OpenRange(
            source,
            first,
            first,
            held=self._held(source, first, quarantine),
            epoch=self._epoch(source, position),
        )
        if position is not None:
            self._check_bounds(source, reading, low, high)
        return OwnedPartition(
            range=reading,
            position=position,
            quarantine=quarantine,
            late=self.quarantine.number(late_app(source)),
            audit=AuditPosition(self.audit.positions([source])[source]) if self.audit else None,
            claim=self.primary[source.topic].number(claim_app(source)),
        )

    def _epoch(self, source: SourcePartition, position: int | None) -> int | None:
        """Return the leader epoch of the last record below the position, if it is known."""
        table = self.primary[source.topic]
        if position is None or table.number(epoch_at_app(source)) != position:
            return None
        return table.number(epoch_app(source))

    def _check_bounds(
        self, source: SourcePartition, reading: OpenRange, low: int, high: int
    ) -> None:
        if reading.start > high:
            raise FatalError(_beyond(source, reading.start, high))
        if reading.start < low:
            if self.on_lost_offsets == "fail":
                raise FatalError(
                    f"{source}: the records from offset {reading.start} to {low - 1} were deleted "
                    "by Kafka before they were read (retention). To go on without them, and have "
                    "the gap recorded, set GOLDPAN_STREAM__ON_LOST_OFFSETS=skip"
                )
            self.on_lost(source, reading.start, low)
            reading.skip_to(low, SKIPPED_BY_RETENTION)

    def _held(
        self, source: SourcePartition, position: int, quarantine: int | None
    ) -> frozenset[int]:
        """Return what quarantine holds of the records that are about to be read again."""
        if quarantine is None or quarantine <= position:
            return frozenset()
        adopted = self.quarantine.number(adopted_app(source.topic)) or 0
        rows = self.quarantine.read(
            ["_offset"],
            (pc.field("_partition") == source.partition)
            & (pc.field("_offset") >= position)
            & ingested_since(adopted),
            texts={"_topic": source.topic},
        )
        return frozenset(rows["_offset"].to_pylist())


def _beyond(source: SourcePartition, position: int, end: int) -> str:
    return (
        f"{source}: the position is {position}, but the topic ends at {end}: {_truncated(source)}"
    )


def describe_cut_log(source: SourcePartition, position: int) -> str:
    """Return the message for a log that was cut below the position and written anew beyond it."""
    return (
        f"{source}: the position is {position}, but the topic was cut below it and holds other "
        f"records there by now: {_truncated(source)}"
    )


def _truncated(source: SourcePartition) -> str:
    return (
        "it was truncated (an unclean leader election, or a restored broker). Records that are in "
        "the lake may be missing in Kafka. To go on from what Kafka has: `goldpan stream adopt "
        f"--topic {source.topic}`"
    )
