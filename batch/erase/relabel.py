"""Relabels traces of other persons that lose evidence, before that evidence is removed.

Label events based on feedback or reviews of an erased person are removed. The remaining evidence is
weighed by the function that decides all labels. This is done while the old events still exist, over
tables filtered to what will remain: after a kill at any step, the next run finds the same traces
and adds what is still missing.
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
from batch.labels.label_writer import LabelWriter
from batch.labels.trace_buckets import (
    BUCKET_TRACES,
    ScanExtent,
    divide_traces,
    ingested_until,
)
from batch.numbered_rows import NumberedRows
from batch.reviews.review_table import read_review_log
from labels.decision import check_clock, decide_label
from labels.replacement_plan import ReconcileStatus
from labels.review_log import ReviewLog
from labels.scorer import LabelScorer
from lake.ledger import EntryKind
from lake.live_files import read_file_rows
from lake.table_commit import CommitContext
from lake.table_log import RECONCILE_SEQUENCE
from lake.tables import Lake, Table
from schemas.arrow import TABLES


class FilteredTable(Table):
    """A table as it will be: rows with one of some ``values`` in a column are left out."""

    def __init__(self, table: Table, column: str, values: Collection[str]) -> None:
        super().__init__(TABLES[table.name], table.handle, table.files)
        self._column, self._values = column, pa.array(sorted(values), pa.string())

    def batches(
        self, columns: Sequence[str], condition: pc.Expression | None = None, **scan: Any
    ) -> Iterator[pa.RecordBatch]:
        """Yield columns of the remaining rows; otherwise as `Table.batches`."""
        selected = list(dict.fromkeys([*columns, self._column]))
        for batch in super().batches(selected, condition, **scan):
            removed = pc.is_in(batch.column(self._column), value_set=self._values)
            remaining = batch.filter(pc.invert(removed))
            if remaining.num_rows:
                yield remaining.select(list(columns))


@dataclass(frozen=True, slots=True)
class AffectedLabels:
    """Label events to remove, by id, and the traces of others that they label."""

    events: frozenset[str]
    traces: frozenset[str]

    @classmethod
    def of(
        cls, labels: TableMatches, scope: ErasureScope, context: CommitContext
    ) -> "AffectedLabels":
        """Read the files that contain such events."""
        events, traces = set[str](), set[str]()
        for file in labels.files.values():
            what = "reading table labels"
            rows = context.retry.call(what, partial(read_file_rows, labels.table, file)).rows
            removed = rows.filter(pa.array(scope.match_rows("labels", rows).either))
            events.update(removed["label_event_id"].to_pylist())
            traces.update(removed["trace_id"].to_pylist())
        return cls(frozenset(events), frozenset(traces) - scope.all_traces)


def relabel_traces(
    lake: Lake,
    scorer: LabelScorer,
    scope: ErasureScope,
    affected: AffectedLabels,
    context: CommitContext,
) -> int:
    """Add the missing label events of affected traces; return how many were added.

    Raises FatalError if the clock is wrong or the lake does not answer in time.
    """
    if not affected.traces:
        return 0
    sources, labels = _remaining_evidence(lake, scope, context), lake.table("labels")
    now = check_clock(context.now_us())
    as_of = context.retry.call(
        "reading the lake", lambda: ingested_until([sources.traces, sources.feedback], now=now)
    )
    policy, extent = scorer.policy, ScanExtent()
    sessions = policy.judges_sessions or policy.judges_retries
    buckets = divide_traces(
        sources.traces,
        extent,
        seed=policy.audit.seed,
        bucket_traces=BUCKET_TRACES,
        sessions=sessions,
    )
    rows = NumberedRows(labels, RECONCILE_SEQUENCE, EntryKind.RECONCILE, context)
    remaining_labels = FilteredTable(labels, "label_event_id", affected.events)
    added = 0
    for index in range(buckets.count):
        bucket = BucketEvidence(sources, extent, buckets, index)
        writer = LabelWriter(
            rows, partial(read_ranks, remaining_labels, extent, buckets, index), rebuild=False
        )
        missing = [
            event
            for knowledge in bucket.join(scorer, as_of=min(as_of, now), window=None)
            if knowledge.trace_id in affected.traces
            and (event := decide_label(knowledge, scorer, decided_at=now)) is not None
            and writer.status_of(event) is ReconcileStatus.MISSING
        ]
        added += len(writer.add(missing, bucket.texts))
    return added


def _remaining_evidence(lake: Lake, scope: ErasureScope, context: CommitContext) -> EvidenceTables:
    """Return the evidence of labels, without what will be removed."""
    tables = [lake.table(name) for name in ("reviews", "feedback", "traces")]
    for table in tables:
        context.retry.call(f"reading table {table.name}", table.refresh)
    reviews, feedback, traces = tables
    review_log = context.retry.call("reading the reviews", lambda: read_review_log(reviews))
    log = ReviewLog(
        reviews=tuple(
            r for r in review_log.log.reviews if r.review_id not in scope.mentioning_feedback
        )
    )
    return EvidenceTables(
        FilteredTable(traces, "trace_id", scope.all_traces),
        FilteredTable(feedback, "feedback_id", scope.all_feedback),
        log.verdicts(),
        review_log.texts,
    )
