"""The primary table as it would be after a replay: live rows, except those that it replaces."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from labels.digests import DigestSet
from lake.tables import Table
from stream.replay.offset_set import build_range_filter, match_rows
from stream.replay.plan import ReplayPlan
from stream.replay.table_pair import TablePair, select_replaced

_WHERE = ("_topic", "_partition", "_offset", "_index", "_ingested_at")


@dataclass(frozen=True, slots=True)
class ReplayOverlay:
    """The live and staged tables of one plan."""

    plan: ReplayPlan
    live: TablePair
    stage: TablePair

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield columns of all resulting rows; RetryableError as in `lake.tables`."""
        live = self.live.scan(self.plan)
        staged = self.stage.scan(self.plan, live.horizon)
        swapped = select_replaced(live, staged)
        read = list(dict.fromkeys([*columns, *_WHERE]))
        for batch in self.live.primary.batches(read):
            unchanged = ~match_rows(batch, self.plan, swapped)
            yield batch.filter(pa.array(unchanged)).select(columns)
        for batch in self.stage.primary.batches(read, build_range_filter(self.plan)):
            yield batch.filter(pa.array(swapped.mask(batch))).select(columns)


def read_trace_ids(table: Table, plan: ReplayPlan) -> DigestSet:
    """Return the trace ids of the rows in a plan's range, as of the last refresh."""
    seed = str(plan.replay_id)
    parts = []
    for batch in table.batches(("trace_id", "_topic"), build_range_filter(plan)):
        topics, ids = (batch.column(name).to_pylist() for name in ("_topic", "trace_id"))
        mine = [id_ for topic, id_ in zip(topics, ids, strict=True) if topic == plan.topic]
        parts.append(DigestSet.of(mine, seed))
    return DigestSet.union(parts, seed)
