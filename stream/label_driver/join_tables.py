"""Reads from the tables what the join needs: positions, rows in the window, written labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from labels.join import JOIN_COLUMNS, WrittenEvent
from lake.fences import RELABEL_FENCE
from lake.ledger import SourcePartition
from lake.table_log import (
    ASSEMBLY_SEQUENCE,
    RECONCILE_SEQUENCE,
    adopted_app,
    event_time_app,
    position_app,
    produced_app,
)
from lake.tables import Table
from schemas.record_batches import RecordKind
from schemas.records import LabelEvent
from schemas.times import day_of_micros
from stream.label_driver.label_flush import EVENT_COLUMNS, parse_label_events
from stream.label_driver.label_positions import PartitionPair

READ_ROWS: Final = 65_536
"""Rows per batch, so that a step of a rebuild takes a few tenths of a second."""
_WRITTEN = ("trace_id", "label_event_id", "revision", "decided_at")
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class JoinTables:
    """Reads the tables that the join rests on, and the table ``labels``."""

    topics: Mapping[RecordKind, str]
    primary: Mapping[RecordKind, Table]
    labels: Table

    def pairs(self, partitions: Sequence[int]) -> dict[int, PartitionPair]:
        """Refresh the tables, and return the positions of partitions.

        ``labels`` is read first: it is committed last, so it is never ahead.
        """
        self.labels.refresh()
        pairs = {partition: self._pair(partition) for partition in partitions}
        for kind, table in self.primary.items():
            table.refresh()
            for partition, pair in pairs.items():
                pair.joined[kind] = (
                    table.txn_version(position_app(self._source(kind, partition))) or 0
                )
        return pairs

    def since(self, pairs: Mapping[int, PartitionPair], window: int) -> int:
        """Return the event time (microseconds since 1970) from which rows are needed.

        A partition more than a window behind the others is not read back any further; the batch job
        decides the rest.
        """
        newest = self._newest()
        times = [newest if p.event_time is None else p.event_time for p in pairs.values()]
        return max(0, max(min(times, default=newest), newest - window) - window)

    def rows(
        self, kind: RecordKind, partitions: Sequence[int], since: int
    ) -> Iterator[pa.RecordBatch]:
        """Return the join's columns of the rows of partitions, from the day of ``since`` on.

        Rows of an earlier incarnation of the topic come before all others, whatever their offset.
        Rows that were assembled from spans are left out: a batch job decides their labels.
        """
        table = self.primary[kind]
        where = pc.field("event_date") >= pa.scalar(day_of_micros(since), pa.date32())
        where &= pc.field("_partition").isin(list(partitions))
        adopted = table.txn_version(adopted_app(self.topics[kind]))
        columns = (*JOIN_COLUMNS[kind], "_topic")
        read = table.batches(columns, where, rows=READ_ROWS, ahead=1)
        batches = (_from_topics(batch).select(JOIN_COLUMNS[kind]) for batch in read)
        return batches if adopted is None else (_before_all(b, adopted) for b in batches)

    def written_events(self, partitions: Sequence[int], since: int) -> Iterator[list[WrittenEvent]]:
        """Yield the label events of the window, those in force last."""
        rows = self.labels.read(
            [*_WRITTEN, "_topic", "_partition"],
            pc.field("event_date") >= pa.scalar(day_of_micros(since) - _DAY, pa.date32()),
        )
        own = pc.is_in(rows["_partition"], value_set=pa.array(list(partitions), pa.int32()))
        rows = rows.filter(pc.or_(own, pc.equal(rows["_topic"], RECONCILE_SEQUENCE)))
        rows = rows.sort_by([("revision", "ascending"), ("decided_at", "ascending")])
        for start in range(0, len(rows), READ_ROWS):
            columns = [rows[name].slice(start, READ_ROWS).to_pylist() for name in _WRITTEN[:3]]
            yield [WrittenEvent(*row) for row in zip(*columns, strict=True)]

    def overdue(self, pairs: Mapping[int, PartitionPair]) -> list[LabelEvent]:
        """Return the events of partitions that may not have been produced."""
        events: list[LabelEvent] = []
        for partition, pair in pairs.items():
            for kind, topic in self.topics.items():
                produced, end = pair.produced[kind], pair.labelled[kind]
                if produced is not None and end is not None and produced < end:
                    events += self._events(topic, partition, produced, end)
        return events

    def _events(self, topic: str, partition: int, start: int, end: int) -> list[LabelEvent]:
        where = (pc.field("_partition") == partition) & (pc.field("_offset") >= start)
        where &= pc.field("_offset") < end
        return parse_label_events(self.labels.read(EVENT_COLUMNS, where, texts={"_topic": topic}))

    def _pair(self, partition: int) -> PartitionPair:
        sources = {kind: self._source(kind, partition) for kind in self.topics}
        return PartitionPair(
            labelled={k: self.labels.txn_version(position_app(s)) for k, s in sources.items()},
            joined=dict.fromkeys(sources, 0),
            produced={k: self.labels.txn_version(produced_app(s)) for k, s in sources.items()},
            event_time=self.labels.txn_version(event_time_app(sources[RecordKind.TRACE])),
            relabelled=RELABEL_FENCE.value(self.labels),
        )

    def _source(self, kind: RecordKind, partition: int) -> SourcePartition:
        return SourcePartition(self.topics[kind], partition)

    def _newest(self) -> int:
        """Return the approximate latest event time in the lake, by the statistics of its files."""
        files = self.primary[RecordKind.TRACE].active_files()
        if not len(files):
            return 0
        times = [files[f"max.{name}"].cast(pa.int64()) for name in ("started_at", "_ingested_at")]
        return int(pc.max(pc.min_element_wise(*times)).as_py() or 0)


def _from_topics(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows that are records of a topic."""
    return batch.filter(pc.not_equal(batch.column("_topic"), ASSEMBLY_SEQUENCE))


def _before_all(batch: pa.RecordBatch, adopted: int) -> pa.RecordBatch:
    earlier = pc.less(batch.column("_ingested_at").cast(pa.int64()), adopted)
    offsets = pc.if_else(earlier, pa.scalar(-1, pa.int64()), batch.column("_offset"))
    return batch.set_column(batch.schema.get_field_index("_offset"), "_offset", offsets)
