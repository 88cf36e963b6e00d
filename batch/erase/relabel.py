"""Traces of others that lose evidence are decided again from what is left, before it goes.

The label events that rest on feedback or reviews of an erased person go; what is left of the
evidence is weighed by the function that decides everything else. That is done while the old events
are still there, over tables from which what goes is left out: killed at any step, the next run
finds the same traces and adds what is missing still.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from batch.erase.scanner import TableMatches
from batch.erase.scope import ErasureScope
from batch.labels.evidence_reader import BucketEvidence, EvidenceTables
from batch.labels.existing_labels import read_ranks
from batch.labels.label_writer import RECONCILE_SEQUENCE, LabelWriter
from batch.labels.trace_buckets import (
    BUCKET_TRACES,
    ScanExtent,
    divide_traces,
    ingested_until,
)
from batch.numbered_rows import JobContext, NumberedRows
from batch.reviews.review_table import read_review_log
from labels.decision import check_clock, decide_label
from labels.replacement_plan import ReconcileStatus
from labels.review_log import ReviewLog
from labels.scorer import LabelScorer
from lake.ledger import EntryKind
from lake.live_files import read_file_rows
from lake.tables import Lake, Table
from schemas.arrow import TABLES


class FilteredTable(Table):
    """A table as it will be: rows with one of some ``values`` in a column are left out."""

    def __init__(self, table: Table, column: str, values: Collection[str]) -> None:
        super().__init__(TABLES[table.name], table.handle, table.files)
        self._column, self._values = column, pa.array(sorted(values), pa.string())

    def batches(
        self, columns: Sequence[str], where: pc.Expression | None = None, **scan: Any
    ) -> Iterator[pa.RecordBatch]:
        """Yield columns of the rows that stay; otherwise as `Table.batches`."""
        asked = list(dict.fromkeys([*columns, self._column]))
        for batch in super().batches(asked, where, **scan):
            goes = pc.is_in(batch.column(self._column), value_set=self._values)
            left = batch.filter(pc.invert(goes))
            if left.num_rows:
                yield left.select(list(columns))


@dataclass(frozen=True, slots=True)
class AffectedLabels:
    """Label events that go, by id, and the traces of others that they were about."""

    events: frozenset[str]
    traces: frozenset[str]

    @classmethod
    def of(cls, labels: TableMatches, wanted: ErasureScope, means: JobContext) -> "AffectedLabels":
        """Read the files that hold some."""
        events, traces = set[str](), set[str]()
        for file in labels.files.values():
            what = "reading table labels"
            rows = means.retry.call(what, partial(read_file_rows, labels.table, file)).rows
            goes = rows.filter(pa.array(wanted.chosen("labels", rows).either))
            events.update(goes["label_event_id"].to_pylist())
            traces.update(goes["trace_id"].to_pylist())
        return cls(frozenset(events), frozenset(traces) - wanted.traces - wanted.touched)


def relabel_traces(
    lake: Lake, scales: LabelScorer, wanted: ErasureScope, doomed: AffectedLabels, means: JobContext
) -> int:
    """Add the label events of such traces that are missing; return how many were.

    Raises FatalError if the clock is wrong or the lake does not answer in time.
    """
    if not doomed.traces:
        return 0
    sources, labels = _left(lake, wanted, means), lake.table("labels")
    now = check_clock(means.now_us())
    as_of = means.retry.call(
        "reading the lake", lambda: ingested_until([sources.traces, sources.feedback], now=now)
    )
    policy, extent = scales.policy, ScanExtent()
    sessions = policy.judges_sessions or policy.judges_retries
    buckets = divide_traces(
        sources.traces,
        extent,
        seed=policy.audit.seed,
        bucket_traces=BUCKET_TRACES,
        sessions=sessions,
    )
    rows = NumberedRows(labels, RECONCILE_SEQUENCE, EntryKind.RECONCILE, means)
    staying = FilteredTable(labels, "label_event_id", doomed.events)
    added = 0
    for number in range(buckets.count):
        bucket = BucketEvidence(sources, extent, buckets, number)
        writer = LabelWriter(
            rows, partial(read_ranks, staying, extent, buckets, number), rebuild=False
        )
        missing = [
            event
            for knowledge in bucket.join(scales, as_of=min(as_of, now), window=None)
            if knowledge.trace_id in doomed.traces
            and (event := decide_label(knowledge, scales, decided_at=now)) is not None
            and writer.status_of(event) is ReconcileStatus.MISSING
        ]
        added += len(writer.add(missing, bucket.texts))
    return added


def _left(lake: Lake, wanted: ErasureScope, means: JobContext) -> EvidenceTables:
    """Return what labels rest on, without what goes."""
    tables = [lake.table(name) for name in ("reviews", "feedback", "traces")]
    for table in tables:
        means.retry.call(f"reading table {table.name}", table.refresh)
    reviews, feedback, traces = tables
    written = means.retry.call("reading the reviews", lambda: read_review_log(reviews))
    log = ReviewLog(
        reviews=tuple(r for r in written.log.reviews if r.review_id not in wanted.remarks)
    )
    return EvidenceTables(
        FilteredTable(traces, "trace_id", wanted.traces | wanted.touched),
        FilteredTable(feedback, "feedback_id", wanted.feedback | wanted.remarks),
        log.verdicts(),
        written.texts,
    )
