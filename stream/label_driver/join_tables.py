"""What the lake knows of the join: positions, the rows of the window, and what has been written."""

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

READ_ROWS: Final = 65_536
"""Rows read at a time: a step of a rebuild takes a few tenths of a second."""
_TOLD = ("trace_id", "label_event_id", "revision", "decided_at")
_DAY = timedelta(days=1)


@dataclass(slots=True)
class PartitionPair:
    """The partitions of one number of both topics. All is by the kind of record.

    ``labelled`` is the position of the table ``labels`` (None: none yet), ``known`` the offset up
    to which the join knows the rows of the lake, ``produced`` the mark of what has been produced,
    ``seen`` how far event time had come (microseconds since 1970). ``relabelled`` is the number of
    the fence that the rows were read under (`lake.fences`).
    """

    labelled: dict[RecordKind, int | None]
    known: dict[RecordKind, int]
    produced: dict[RecordKind, int | None]
    seen: int | None
    relabelled: int

    @property
    def behind(self) -> bool:
        """Return whether the join knows more than labels have been written for."""
        return any((self.labelled[kind] or 0) < known for kind, known in self.known.items())

    @property
    def decided(self) -> Mapping[RecordKind, int]:
        """Return the offsets below which labels have been written."""
        return {kind: position or 0 for kind, position in self.labelled.items()}


@dataclass(frozen=True, slots=True)
class JoinTables:
    """Reads the tables that the join rests on, and the table of what came of it."""

    topics: Mapping[RecordKind, str]
    primary: Mapping[RecordKind, Table]
    labels: Table

    def pairs(self, numbers: Sequence[int]) -> dict[int, PartitionPair]:
        """Return where partitions stand; afterwards the tables are read as they stand now.

        Labels are looked at first: they are committed last, so they are never ahead.
        """
        self.labels.refresh()
        found = {number: self._pair(number) for number in numbers}
        for kind, table in self.primary.items():
            table.refresh()
            for number, pair in found.items():
                pair.known[kind] = table.txn_version(position_app(self._source(kind, number))) or 0
        return found

    def since(self, pairs: Mapping[int, PartitionPair], window: int) -> int:
        """Return the event time (microseconds since 1970) from which on rows are needed.

        A partition that is more than a window behind the others is not read back any further: what
        it lacks then is for the batch job.
        """
        newest = self._newest()
        seen = [newest if pair.seen is None else pair.seen for pair in pairs.values()]
        return max(0, max(min(seen, default=newest), newest - window) - window)

    def rows(
        self, kind: RecordKind, numbers: Sequence[int], since: int
    ) -> Iterator[pa.RecordBatch]:
        """Return the join's columns of the rows of partitions, from the day of ``since`` on.

        Rows of an earlier incarnation of the topic come before all others, whatever their offset.
        """
        table = self.primary[kind]
        where = pc.field("event_date") >= pa.scalar(day_of_micros(since), pa.date32())
        where &= pc.field("_partition").isin(list(numbers))
        adopted = table.txn_version(adopted_app(self.topics[kind]))
        batches = table.batches(JOIN_COLUMNS[kind], where, rows=READ_ROWS, ahead=1)
        return batches if adopted is None else (_before_all(b, adopted) for b in batches)

    def told(self, numbers: Sequence[int], since: int) -> Iterator[list[WrittenEvent]]:
        """Yield the label events of the window: those in force last."""
        found = self.labels.read(
            [*_TOLD, "_topic", "_partition"],
            pc.field("event_date") >= pa.scalar(day_of_micros(since) - _DAY, pa.date32()),
        )
        mine = pc.is_in(found["_partition"], value_set=pa.array(list(numbers), pa.int32()))
        found = found.filter(pc.or_(mine, pc.equal(found["_topic"], RECONCILE_SEQUENCE)))
        found = found.sort_by([("revision", "ascending"), ("decided_at", "ascending")])
        for start in range(0, len(found), READ_ROWS):
            columns = [found[name].slice(start, READ_ROWS).to_pylist() for name in _TOLD[:3]]
            yield [WrittenEvent(*row) for row in zip(*columns, strict=True)]

    def overdue(self, pairs: Mapping[int, PartitionPair]) -> list[LabelEvent]:
        """Return the events of partitions that may not have been produced."""
        events: list[LabelEvent] = []
        for number, pair in pairs.items():
            for kind, topic in self.topics.items():
                produced, end = pair.produced[kind], pair.labelled[kind]
                if produced is not None and end is not None and produced < end:
                    events += self._events(topic, number, produced, end)
        return events

    def _events(self, topic: str, number: int, start: int, end: int) -> list[LabelEvent]:
        where = (pc.field("_partition") == number) & (pc.field("_offset") >= start)
        where &= pc.field("_offset") < end
        return parse_label_events(self.labels.read(EVENT_COLUMNS, where, texts={"_topic": topic}))

    def _pair(self, number: int) -> PartitionPair:
        sources = {kind: self._source(kind, number) for kind in self.topics}
        return PartitionPair(
            labelled={k: self.labels.txn_version(position_app(s)) for k, s in sources.items()},
            known=dict.fromkeys(sources, 0),
            produced={k: self.labels.txn_version(produced_app(s)) for k, s in sources.items()},
            seen=self.labels.txn_version(event_time_app(sources[RecordKind.TRACE])),
            relabelled=RELABEL_FENCE.value(self.labels),
        )

    def _source(self, kind: RecordKind, number: int) -> SourcePartition:
        return SourcePartition(self.topics[kind], number)

    def _newest(self) -> int:
        """Return about how far event time has come in the lake, by the statistics of its files."""
        files = self.primary[RecordKind.TRACE].active_files()
        if not len(files):
            return 0
        times = [files[f"max.{name}"].cast(pa.int64()) for name in ("started_at", "_ingested_at")]
        return int(pc.max(pc.min_element_wise(*times)).as_py() or 0)


def _before_all(batch: pa.RecordBatch, adopted: int) -> pa.RecordBatch:
    earlier = pc.less(batch.column("_ingested_at").cast(pa.int64()), adopted)
    offsets = pc.if_else(earlier, pa.scalar(-1, pa.int64()), batch.column("_offset"))
    return batch.set_column(batch.schema.get_field_index("_offset"), "_offset", offsets)
