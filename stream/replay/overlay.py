"""The primary table as a replay would leave it: live rows, but for those that it replaces."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from labels.textset import TextSet
from lake.tables import Table
from stream.replay.marks import meant, within
from stream.replay.plan import Plan
from stream.replay.promote import Pair, replaced

_WHERE = ("_topic", "_partition", "_offset", "_ingested_at")


@dataclass(frozen=True, slots=True)
class Overlay:
    """The pairs of tables of one plan."""

    plan: Plan
    live: Pair
    stage: Pair

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield columns of all rows that there would be; RetryableError as `lake.tables`."""
        seen = self.live.look(self.plan)
        staged = self.stage.look(self.plan, seen.whole)
        swapped = replaced(seen, staged)
        read = list(dict.fromkeys([*columns, *_WHERE]))
        for batch in self.live.primary.batches(read):
            stays = ~meant(batch, self.plan, swapped)
            yield batch.filter(pa.array(stays)).select(columns)
        for batch in self.stage.primary.batches(read, within(self.plan)):
            yield batch.filter(pa.array(swapped.mask(batch))).select(columns)


def traces_of(table: Table, plan: Plan) -> TextSet:
    """Return the traces that the rows of a plan's range are about, as of the last refresh."""
    seed = str(plan.number)
    parts = []
    for batch in table.batches(("trace_id", "_topic"), within(plan)):
        topics, ids = (batch.column(name).to_pylist() for name in ("_topic", "trace_id"))
        mine = [one for topic, one in zip(topics, ids, strict=True) if topic == plan.topic]
        parts.append(TextSet.of(mine, seed))
    return TextSet.joined(parts, seed)
