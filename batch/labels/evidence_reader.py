"""All that the lake holds of the traces of one bucket, as the pure room takes it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from batch.labels.label_texts import collect_texts
from batch.labels.trace_buckets import ScanExtent, TraceBuckets
from labels.batch_join import LakeRows, join_lake_rows
from labels.batches import FEEDBACK_COLUMNS, TRACE_COLUMNS
from labels.facts import ReviewVerdict, TraceKnowledge
from labels.scorer import LabelScorer
from lake.tables import Table


@dataclass(frozen=True, slots=True)
class EvidenceTables:
    """The tables that hold what is known, each as of its last refresh, and the reviews by trace.

    ``texts`` are the answers that reviewers gave, with the hash of the redaction policy of each.
    """

    traces: Table
    feedback: Table
    verdicts: Mapping[str, Sequence[ReviewVerdict]]
    texts: Mapping[str, str]


@dataclass(slots=True)
class BucketEvidence:
    """One bucket of traces.

    ``texts`` are texts of redacted rows that labels may repeat, with the hash of the redaction
    policy of each: those of reviews, and of feedback once it has been read.
    """

    sources: EvidenceTables
    extent: ScanExtent
    buckets: TraceBuckets
    number: int
    texts: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.texts = dict(self.sources.texts)

    def known(
        self, scales: LabelScorer, *, as_of: int, window: int | None
    ) -> Iterator[TraceKnowledge]:
        """Yield what is known of each trace; `as_of` and ``window`` as in `join_lake_rows`.

        Where only a part of the lake is looked at, feedback whose trace is not in it is left out:
        that trace may lie in the other part.
        """
        rows = LakeRows(self._traces(), self._feedback(), self.sources.verdicts)
        for known in join_lake_rows(rows, scales, as_of=as_of, window=window):
            if known.seen is not None or self.extent.since is None:
                yield known

    def _traces(self) -> Iterator[pa.RecordBatch]:
        batches = self.sources.traces.batches(TRACE_COLUMNS, self.extent.traces)
        return self.buckets.sift(batches, self.number)

    def _feedback(self) -> Iterator[pa.RecordBatch]:
        columns = (*FEEDBACK_COLUMNS, "_policy")
        batches = self.sources.feedback.batches(columns, self.extent.others)
        return collect_texts(self.buckets.sift(batches, self.number), self.texts)
