"""All that the lake holds of the traces of one bucket, as the pure room takes it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from batch.labels.scan import Buckets, Extent
from batch.labels.texts import noting
from labels.batches import FEEDBACK_COLUMNS, TRACE_COLUMNS
from labels.evidence import Scales
from labels.facts import Knowledge, Verdict
from labels.reconcile import LakeRows, everything_known
from lake.tables import Table


@dataclass(frozen=True, slots=True)
class Sources:
    """The tables that hold what is known, each as of its last refresh, and the reviews by trace.

    ``texts`` are the answers that reviewers gave, with the hash of the redaction policy of each.
    """

    traces: Table
    feedback: Table
    verdicts: Mapping[str, Sequence[Verdict]]
    texts: Mapping[str, str]


@dataclass(slots=True)
class Bucket:
    """One bucket of traces.

    ``texts`` are texts of redacted rows that labels may repeat, with the hash of the redaction
    policy of each: those of reviews, and of feedback once it has been read.
    """

    sources: Sources
    extent: Extent
    buckets: Buckets
    number: int
    texts: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.texts = dict(self.sources.texts)

    def known(self, scales: Scales, *, as_of: int, window: int | None) -> Iterator[Knowledge]:
        """Yield what is known of each trace; `as_of` and ``window`` as in `everything_known`.

        Where only a part of the lake is looked at, feedback whose trace is not in it is left out:
        that trace may lie in the other part.
        """
        rows = LakeRows(self._traces(), self._feedback(), self.sources.verdicts)
        for known in everything_known(rows, scales, as_of=as_of, window=window):
            if known.seen is not None or self.extent.since is None:
                yield known

    def _traces(self) -> Iterator[pa.RecordBatch]:
        batches = self.sources.traces.batches(TRACE_COLUMNS, self.extent.traces)
        return self.buckets.sift(batches, self.number)

    def _feedback(self) -> Iterator[pa.RecordBatch]:
        columns = (*FEEDBACK_COLUMNS, "_policy")
        batches = self.sources.feedback.batches(columns, self.extent.others)
        return noting(self.buckets.sift(batches, self.number), self.texts)
