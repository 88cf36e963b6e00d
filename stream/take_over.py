"""Takes over partitions: the tables alone decide from which offset reading continues."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from lake.ledger import Incarnation, SourcePartition
from lake.quarantine import ingested_since
from lake.table_log import adopted_app, claim_app, epoch_app, epoch_at_app, late_app
from lake.tables import Table
from schemas.errors import FatalError
from stream.flusher import describe_changed_topic
from stream.initial_positions import InitialPositions
from stream.owned_partition import AuditPosition, OwnedPartition
from stream.ranges import HeldItems, OpenRange

SKIPPED_BY_RETENTION = "retention"


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Reads positions from the tables and compares them with Kafka's offsets.

    ``watermarks`` returns (first remaining offset, offset after the last) and ``partitions`` all
    partitions of a topic. ``start`` is where to begin a topic that has no position in the tables;
    ``initial`` records that for all its partitions at once. A partition without a position after
    that was added later, and starts at its first record regardless of ``start``.
    ``on_lost_offsets`` is what to do about records that Kafka deleted before they were read;
    ``on_lost`` is called for each skipped gap.
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
    initial: InitialPositions | None = None
    partitions: Callable[[str], Sequence[SourcePartition]] = lambda _topic: ()

    def take(
        self, sources: Sequence[SourcePartition]
    ) -> tuple[list[OwnedPartition], dict[str, Incarnation]]:
        """Return the partitions ready to be read, and the incarnations of their topics.

        Raises FatalError if a topic is another incarnation than the recorded one, if a position is
        beyond the topic's end, or if records were lost and the setting is to fail. Raises
        RetryableError if the lake or Kafka is unavailable.
        """
        topics = sorted({source.topic for source in sources})
        incarnations = self.check(topics)
        positions: dict[SourcePartition, int | None] = {}
        starts: dict[SourcePartition, int] = {}
        for topic in topics:
            mine = [source for source in sources if source.topic == topic]
            recorded = self.primary[topic].positions(mine)
            positions |= recorded
            if None in recorded.values():
                starts |= self._starts(topic, [s for s in mine if recorded[s] is None])
        if starts and self.initial is not None:
            self.initial.write(starts, incarnations)
            return self.take(sources)
        return [self._own(s, at, starts.get(s, 0)) for s, at in positions.items()], incarnations

    def _starts(self, topic: str, missing: Sequence[SourcePartition]) -> dict[SourcePartition, int]:
        """Return the starts of partitions that have no position in the tables.

        If no worker has begun the topic, all its partitions begin now, where the setting says,
        including those assigned to other workers. Otherwise these partitions were added later.
        """
        if self._is_begun(topic):
            return dict.fromkeys(missing, 0)
        bound = 0 if self.start == "earliest" else 1
        every = sorted({*missing, *self.partitions(topic)})
        return {source: self.watermarks(source)[bound] for source in every}

    def check(self, topics: Sequence[str]) -> dict[str, Incarnation]:
        """Return the topics' incarnations, which match the recorded positions.

        Refreshes all table handles. Raises FatalError if a topic is another incarnation,
        RetryableError if the lake or Kafka is unavailable.
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
        """Raise FatalError if a position is beyond the end of its partition.

        A worker that waits for the whole group to catch up may finish before it is assigned
        anything, and would then count such a position as caught up. Uses the positions that
        ``check`` read, so no worker can have moved them beyond these ends.
        """
        for source, end in ends.items():
            position = self.primary[source.topic].positions([source])[source] or 0
            if position > end:
                raise FatalError(_describe_beyond_end(source, position, end))

    def to_reach(
        self, marks: Mapping[SourcePartition, tuple[int, int]]
    ) -> dict[SourcePartition, int]:
        """Return the end of each partition, from (first remaining offset, offset after the last).

        Omits empty partitions that were never begun: they have nothing to read. Includes begun
        partitions that are empty, since records may have been lost, and emptied partitions of a
        begun topic. Uses the positions that ``check`` read.
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

    def _own(self, source: SourcePartition, position: int | None, start: int) -> OwnedPartition:
        low, high = self.watermarks(source)
        first = start if position is None else position
        quarantine = self.quarantine.positions([source])[source]
        reading = OpenRange(
            source,
            first,
            first,
            in_quarantine=self._read_in_quarantine(source, first, quarantine),
            epoch=self._epoch(source, position),
        )
        if position is not None:
            self._check_bounds(source, reading, low, high)
        return OwnedPartition(
            range=reading,
            position=position,
            quarantine=quarantine,
            late=self.quarantine.txn_version(late_app(source)),
            audit=AuditPosition(self.audit.positions([source])[source]) if self.audit else None,
            claim=self.primary[source.topic].txn_version(claim_app(source)),
        )

    def _epoch(self, source: SourcePartition, position: int | None) -> int | None:
        """Return the leader epoch of the last record below the position, if known."""
        table = self.primary[source.topic]
        if position is None or table.txn_version(epoch_at_app(source)) != position:
            return None
        return table.txn_version(epoch_app(source))

    def _check_bounds(
        self, source: SourcePartition, reading: OpenRange, low: int, high: int
    ) -> None:
        if reading.start > high:
            raise FatalError(_describe_beyond_end(source, reading.start, high))
        if reading.start < low:
            if self.on_lost_offsets == "fail":
                raise FatalError(
                    f"{source}: Kafka deleted the records from offset {reading.start} to "
                    f"{low - 1} before they were read (retention). To continue without them and "
                    "record the gap, set GOLDPAN_STREAM__ON_LOST_OFFSETS=skip"
                )
            self.on_lost(source, reading.start, low)
            reading.skip_to(low, SKIPPED_BY_RETENTION)

    def _read_in_quarantine(
        self, source: SourcePartition, position: int, quarantine: int | None
    ) -> dict[int, HeldItems]:
        """Return what quarantine already holds from the position on, by offset."""
        if quarantine is None or quarantine <= position:
            return {}
        adopted = self.quarantine.txn_version(adopted_app(source.topic)) or 0
        rows = self.quarantine.read(
            ["_offset", "_index"],
            (pc.field("_partition") == source.partition)
            & (pc.field("_offset") >= position)
            & ingested_since(adopted),
            texts={"_topic": source.topic},
        )
        held: dict[int, HeldItems] = {}
        for offset, item in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            held[offset] = held.get(offset, frozenset()) | {item}
        return held


def _describe_beyond_end(source: SourcePartition, position: int, end: int) -> str:
    truncation = _describe_truncation(source)
    return f"{source}: the position is {position}, but the topic ends at {end}: {truncation}"


def describe_cut_log(source: SourcePartition, position: int) -> str:
    """Return the message for a log that was cut below the position and refilled beyond it."""
    return (
        f"{source}: the position is {position}, but the topic was cut below it and now holds other "
        f"records there: {_describe_truncation(source)}"
    )


def _describe_truncation(source: SourcePartition) -> str:
    return (
        "it was truncated (an unclean leader election, or a restored broker). Records in the lake "
        "may be missing in Kafka. To continue with Kafka's records: `goldpan stream adopt "
        f"--topic {source.topic}`"
    )
