"""Divides the traces of a lake into buckets, each small enough to be joined in memory.

Everything known about a trace must be joined together, and so must the traces of one session if the
policy uses sessions. So a large lake is read once for each bucket: a hash of the session, or of the
trace where there is none. Memory grows with a bucket (about 120 bytes per trace, plus the texts
that label events repeat), not with the lake. If sessions count, each trace of the lake that has one
takes ten more bytes, which hold the bucket of its feedback.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from batch.assembled_rows import LATER_REVISION, has_assembled_rows
from labels.digests import digest_ids
from labels.join_rows import IntArray
from lake.parquet import PARTITION_COLUMN
from lake.tables import Table
from schemas.times import day_start_micros
from schemas.trace_in_force import precedence_numbers

BUCKET_TRACES: Final = 1_000_000
"""Traces per bucket, on average."""

SessionBuckets = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint16]]


@dataclass(frozen=True, slots=True)
class ScanExtent:
    """The part of the lake to read: traces that started on this day (UTC) or later, or all.

    If clocks differ, feedback and label events may be stored under an earlier day than their trace,
    so their scan starts ``margin`` days earlier. So does that of traces, since the row in force of
    a trace may be of an earlier day than its other rows.
    """

    since: date | None = None
    margin: int = 2

    def filter_traces(self, traces: Table) -> pc.Expression | None:
        """Return the filter for the rows of ``traces`` that decide which rows are in force.

        The traces are then those whose row in force began in the extent (`covers`).
        """
        near = self.related_filter
        return near | LATER_REVISION if near is not None and has_assembled_rows(traces) else near

    def covers(self, started_at: int) -> bool:
        """Return whether a trace began in the extent; microseconds since 1970 (UTC)."""
        return self.since is None or started_at >= day_start_micros(self.since)

    @property
    def related_filter(self) -> pc.Expression | None:
        """Return the filter for rows of the other tables; None for all rows."""
        if self.since is None:
            return None
        return pc.field(PARTITION_COLUMN) >= self.since - timedelta(days=self.margin)


@dataclass(frozen=True, slots=True)
class TraceBuckets:
    """Assigns traces to ``count`` buckets; ``seed`` is the audit seed of the policy."""

    count: int
    seed: str
    session_buckets: SessionBuckets | None = None

    def bucket_of(self, trace_ids: Sequence[str]) -> IntArray:
        """Return the bucket of each trace id."""
        keys = digest_ids(trace_ids, self.seed)[:, 0]
        buckets = (keys % np.uint64(self.count)).astype(np.int64)
        if self.session_buckets is not None:
            known, bucket = self.session_buckets
            at = np.minimum(np.searchsorted(known, keys), max(len(known) - 1, 0))
            same = known[at] == keys if len(known) else np.zeros(len(keys), np.bool_)
            buckets[same] = bucket[at[same]]
        return buckets

    def filter(self, batches: Iterator[pa.RecordBatch], bucket: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows of one bucket."""
        for batch in batches:
            if self.count == 1:
                yield batch
                continue
            in_bucket = self.bucket_of(batch.column("trace_id").to_pylist()) == bucket
            if in_bucket.any():
                yield batch.filter(pa.array(in_bucket))


def divide_traces(
    traces: Table, extent: ScanExtent, *, seed: str, bucket_traces: int, sessions: bool
) -> TraceBuckets:
    """Return buckets of about ``bucket_traces`` traces; with ``sessions`` none splits a session."""
    rows = traces.row_count()
    count = max(1, min(-(-rows // bucket_traces), np.iinfo(np.uint16).max))
    if count == 1 or not sessions:
        return TraceBuckets(count, seed)
    return TraceBuckets(count, seed, _session_buckets(traces, extent, seed, count))


def _session_buckets(traces: Table, extent: ScanExtent, seed: str, count: int) -> SessionBuckets:
    """Return the bucket of each trace that has a session, taken from its row in force."""
    keys: list[npt.NDArray[np.uint64]] = []
    sessions: list[npt.NDArray[np.uint64]] = []
    precedence: list[IntArray] = []
    columns = ("trace_id", "session_id", "revision", "_offset")
    for batch in traces.batches(columns, extent.filter_traces(traces)):
        with_session = batch.filter(pc.is_valid(batch.column("session_id")))
        keys.append(digest_ids(with_session.column("trace_id").to_pylist(), seed)[:, 0])
        sessions.append(digest_ids(with_session.column("session_id").to_pylist(), seed)[:, 0])
        revisions = with_session.column("revision").fill_null(-1).to_numpy()
        precedence.append(precedence_numbers(with_session.column("_offset").to_numpy(), revisions))
    if not keys:
        return np.zeros(0, np.uint64), np.zeros(0, np.uint16)
    key, session = np.concatenate(keys), np.concatenate(sessions)
    order = np.lexsort((np.concatenate(precedence), key))
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = key[order][1:] != key[order][:-1]
    first_rows = order[is_first]
    return key[first_rows], (session[first_rows] % np.uint64(count)).astype(np.uint16)


def ingested_until(tables: Sequence[Table], *, now: int) -> int:
    """Return the time (microseconds) up to which the worker has read both topics.

    It is the lowest of the tables' latest ingestion times, and at most ``now``. It is 0 if one of
    the tables is empty: then nothing is known about what has not arrived.
    """
    newest = [_newest(table) for table in tables]
    return max(0, min([now, *newest]))


def _newest(table: Table) -> int:
    newest = 0
    for batch in table.batches(("_ingested_at",), None):
        latest: Any = pc.max(batch.column("_ingested_at").cast(pa.int64())).as_py()
        newest = max(newest, latest or 0)
    return newest
