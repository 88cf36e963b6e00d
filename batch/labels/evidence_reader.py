"""Reads all evidence on a bucket of traces from the lake, and joins it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from batch.labels.trace_buckets import ScanExtent, TraceBuckets
from labels.batch_join import LakeRows, join_lake_rows
from labels.facts import ReviewVerdict, TraceKnowledge
from labels.join_rows import FEEDBACK_COLUMNS, TRACE_COLUMNS
from labels.scorer import LabelScorer
from lake.tables import Table

_TEXT: Final = "corrected_response"


@dataclass(frozen=True, slots=True)
class EvidenceTables:
    """The tables with the evidence, each as of its last refresh, and the reviews by trace.

    ``texts`` are the answers that reviewers gave, with the hash of the redaction policy of each.
    """

    traces: Table
    feedback: Table
    verdicts: Mapping[str, Sequence[ReviewVerdict]]
    texts: Mapping[str, str]


@dataclass(slots=True)
class BucketEvidence:
    """The evidence on one bucket of traces.

    ``texts`` are texts of redacted rows that labels may repeat, with the hash of the redaction
    policy of each: those of reviews, and those of feedback once it has been read.
    """

    tables: EvidenceTables
    extent: ScanExtent
    buckets: TraceBuckets
    number: int
    texts: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.texts = dict(self.tables.texts)

    def join(
        self, scorer: LabelScorer, *, as_of: int, window: int | None
    ) -> Iterator[TraceKnowledge]:
        """Yield the evidence on each trace; ``as_of`` and ``window`` as in `join_lake_rows`.

        If only a part of the lake is read, traces of the other part are left out, and so is
        feedback without a trace: its trace may be in the other part.
        """
        rows = LakeRows(self._traces(), self._feedback(), self.tables.verdicts)
        for knowledge in join_lake_rows(rows, scorer, as_of=as_of, window=window):
            trace, extent = knowledge.trace, self.extent
            if extent.since is None or (trace is not None and extent.covers(trace.started_at)):
                yield knowledge

    def _traces(self) -> Iterator[pa.RecordBatch]:
        table = self.tables.traces
        batches = table.batches(TRACE_COLUMNS, self.extent.filter_traces(table))
        return self.buckets.filter(batches, self.number)

    def _feedback(self) -> Iterator[pa.RecordBatch]:
        columns = (*FEEDBACK_COLUMNS, "_policy")
        batches = self.tables.feedback.batches(columns, self.extent.related_filter)
        return collect_texts(self.buckets.filter(batches, self.number), self.texts)


def collect_texts(
    batches: Iterator[pa.RecordBatch], texts: dict[str, str]
) -> Iterator[pa.RecordBatch]:
    """Yield rows of feedback unchanged; add their texts to ``texts``.

    The rows need the columns ``corrected_response`` and ``_policy``, the hash of their redaction
    policy, which becomes the value in ``texts``.
    """
    for batch in batches:
        with_text = batch.filter(pc.is_valid(batch.column(_TEXT)))
        corrections = with_text.column(_TEXT).to_pylist()
        texts.update(zip(corrections, with_text.column("_policy").to_pylist(), strict=True))
        yield batch
