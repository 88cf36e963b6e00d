"""Reads what the batch join needs of the lake: few columns, the days asked for, some traces a time.

All that is known of a trace must come together, and the traces of one session too where a policy
looks at those. So a large lake is read once for each bucket: a hash of the session, or of the trace
where there is none. Memory grows with a bucket (about 120 bytes a trace, and what label events
repeat), not with the lake; where sessions count, ten bytes more for each trace of the lake that has
one, to know in which bucket its feedback is looked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labels.batches import IntArray
from labels.decision import EventRank
from labels.digests import digest_ids
from lake.parquet import PARTITION_COLUMN
from lake.tables import Table

BUCKET_TRACES: Final = 1_000_000
"""So many traces a bucket, on average."""

_RANK: Final = ("trace_id", "revision", "decided_at", "label_event_id")
SessionBuckets = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint16]]


@dataclass(frozen=True, slots=True)
class ScanExtent:
    """Which part of the lake is looked at: traces that began on this day (UTC) or later, or all.

    Feedback, and label events, may be stored under an earlier day than their trace where clocks
    differ; ``margin`` days earlier are read for them.
    """

    since: date | None = None
    margin: int = 2

    @property
    def traces(self) -> pc.Expression | None:
        """Return the condition on rows of ``traces``."""
        return None if self.since is None else pc.field(PARTITION_COLUMN) >= self.since

    @property
    def others(self) -> pc.Expression | None:
        """Return the condition on rows of the other tables."""
        if self.since is None:
            return None
        return pc.field(PARTITION_COLUMN) >= self.since - timedelta(days=self.margin)


@dataclass(frozen=True, slots=True)
class TraceBuckets:
    """Divides traces into ``count`` buckets; ``seed`` is the audit seed of the policy."""

    count: int
    seed: str
    routes: SessionBuckets | None = None

    def of(self, trace_ids: Sequence[str]) -> IntArray:
        """Return the bucket of each trace id."""
        keys = digest_ids(trace_ids, self.seed)[:, 0]
        found = (keys % np.uint64(self.count)).astype(np.int64)
        if self.routes is not None:
            known, bucket = self.routes
            at = np.minimum(np.searchsorted(known, keys), max(len(known) - 1, 0))
            same = known[at] == keys if len(known) else np.zeros(len(keys), np.bool_)
            found[same] = bucket[at[same]]
        return found

    def sift(self, batches: Iterator[pa.RecordBatch], bucket: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows of one bucket."""
        for batch in batches:
            if self.count == 1:
                yield batch
                continue
            mine = self.of(batch.column("trace_id").to_pylist()) == bucket
            if mine.any():
                yield batch.filter(pa.array(mine))


def divide_traces(
    traces: Table, extent: ScanExtent, *, seed: str, each: int, sessions: bool
) -> TraceBuckets:
    """Return buckets of about ``each`` traces; with ``sessions`` none divides a session."""
    rows = traces.row_count()
    count = max(1, min(-(-rows // each), np.iinfo(np.uint16).max))
    if count == 1 or not sessions:
        return TraceBuckets(count, seed)
    return TraceBuckets(count, seed, _routes(traces, extent, seed, count))


def _routes(traces: Table, extent: ScanExtent, seed: str, count: int) -> SessionBuckets:
    """Return the bucket of each trace that has a session: that of its first row, where it came
    twice with different ones."""
    keys, sessions, offsets = [], [], []
    for batch in traces.batches(("trace_id", "session_id", "_offset"), extent.traces):
        named = batch.filter(pc.is_valid(batch.column("session_id")))
        keys.append(digest_ids(named.column("trace_id").to_pylist(), seed)[:, 0])
        sessions.append(digest_ids(named.column("session_id").to_pylist(), seed)[:, 0])
        offsets.append(named.column("_offset").to_numpy())
    if not keys:
        return np.zeros(0, np.uint64), np.zeros(0, np.uint16)
    key, session, offset = map(np.concatenate, (keys, sessions, offsets))
    order = np.lexsort((offset, key))
    first = np.ones(len(order), np.bool_)
    first[1:] = key[order][1:] != key[order][:-1]
    chosen = order[first]
    return key[chosen], (session[chosen] % np.uint64(count)).astype(np.uint16)


def read_ranks(
    labels: Table, extent: ScanExtent, buckets: TraceBuckets, bucket: int
) -> dict[str, EventRank]:
    """Return the rank of the label event in force, by trace id, for the traces of a bucket."""
    parts = list(buckets.sift(labels.batches(_RANK, extent.others), bucket))
    if not parts:
        return {}
    rows = pa.Table.from_batches(parts)
    rows = rows.sort_by([(name, "descending") for name in _RANK[1:]])
    codes = rows["trace_id"].combine_chunks().dictionary_encode().indices
    _, first = np.unique(codes.to_numpy(), return_index=True)
    rows = rows.take(pa.array(first))
    columns = [rows["revision"], rows["decided_at"].cast(pa.int64()), rows["label_event_id"]]
    values = zip(*(column.to_pylist() for column in columns), strict=True)
    return {
        trace_id: EventRank(*rank)
        for trace_id, rank in zip(rows["trace_id"].to_pylist(), values, strict=True)
    }


def ingested_until(tables: Sequence[Table], *, now: int) -> int:
    """Return the time (microseconds) up to which the worker has read both topics, as the lake
    shows it: the oldest of the newest times of ingestion, and not after ``now``.

    0 if one of the tables is empty: then nothing can be said of what did not come.
    """
    newest = [_newest(table) for table in tables]
    return max(0, min([now, *newest]))


def _newest(table: Table) -> int:
    newest = 0
    for batch in table.batches(("_ingested_at",), None):
        found: Any = pc.max(batch.column("_ingested_at").cast(pa.int64())).as_py()
        newest = max(newest, found or 0)
    return newest
