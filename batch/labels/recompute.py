"""Recomputes labels from everything that the lake holds, or would hold after a replay.

The decision is the same function as everywhere else. The caller chooses where the rows come from:
the tables as they are, or as a replay would leave them. Memory grows with the traces in question,
and with those of their sessions if the policy uses sessions or retries, as in the batch join; so
they are processed a part at a time.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from batch.labels.completeness import EvidenceCompleteness
from batch.labels.evidence_reader import collect_texts
from labels.batch_join import LakeRows, join_lake_rows
from labels.decision import decide_label
from labels.digests import DigestSet
from labels.facts import ReviewVerdict
from labels.join_rows import FEEDBACK_COLUMNS, TRACE_COLUMNS, BoolArray
from labels.scorer import LabelScorer
from schemas.records import LabelEvent

BatchReader = Callable[[Sequence[str]], Iterator[pa.RecordBatch]]
"""Reads columns of all rows of a table, a part at a time; raises RetryableError if that fails."""

MAX_PART_TRACES: Final = 250_000


@dataclass(frozen=True, slots=True)
class EvidenceReaders:
    """Readers of all evidence. ``verdicts`` are the reviews by trace.

    ``texts`` are the answers that reviewers gave, with the hash of the redaction policy of each.
    """

    traces: BatchReader
    feedback: BatchReader
    verdicts: Mapping[str, Sequence[ReviewVerdict]]
    texts: Mapping[str, str]


class RecomputedLabel(NamedTuple):
    """The new decision on a trace; ``event`` is None if the trace warrants no label.

    ``texts`` are the known answers, ``complete`` is False if some of the evidence has expired.
    """

    trace_id: str
    event: LabelEvent | None
    texts: Collection[str]
    complete: bool


@dataclass(frozen=True, slots=True)
class LabelRecomputer:
    """Recomputes labels. ``window`` is that of the join in microseconds, the policy's if None.

    ``as_of`` is as in `labels.batch_join`, ``now`` is the clock; both in microseconds since 1970
    (UTC).
    """

    readers: EvidenceReaders
    completeness: EvidenceCompleteness
    scorer: LabelScorer
    window: int | None
    as_of: int
    now: int

    def recompute(self, trace_ids: DigestSet, texts: dict[str, str]) -> Iterator[RecomputedLabel]:
        """Yield the decision on each of these traces that anything is known about.

        Adds the texts that the events may repeat to ``texts``, with the redaction policy of each.
        """
        texts.update(self.readers.texts)
        rows = LakeRows(
            self._traces(trace_ids), self._feedback(trace_ids, texts), self.readers.verdicts
        )
        for knowledge in join_lake_rows(rows, self.scorer, as_of=self.as_of, window=self.window):
            # The rows contain other traces of the same sessions too.
            if knowledge.trace_id not in trace_ids:
                continue
            corrections = {f.correction for f in knowledge.feedback if f.correction}
            answers = {v.expected_response for v in knowledge.verdicts if v.expected_response}
            event = decide_label(knowledge, self.scorer, decided_at=self.now)
            started_at = (
                knowledge.trace.started_at if knowledge.trace else knowledge.feedback[0].occurred_at
            )
            complete = self.completeness.covers_start(started_at) and self.completeness.covers(
                knowledge
            )
            yield RecomputedLabel(knowledge.trace_id, event, corrections | answers, complete)

    def _traces(self, trace_ids: DigestSet) -> Iterator[pa.RecordBatch]:
        sessions = self._sessions(trace_ids)
        for batch in self.readers.traces(TRACE_COLUMNS):
            selected = _is_in(batch, "trace_id", trace_ids)
            if sessions is not None:
                selected |= _is_in(batch, "session_id", sessions)
            if selected.any():
                yield batch.filter(pa.array(selected))

    def _feedback(self, trace_ids: DigestSet, texts: dict[str, str]) -> Iterator[pa.RecordBatch]:
        batches = self.readers.feedback((*FEEDBACK_COLUMNS, "_policy"))
        return collect_texts(filter_by_trace(batches, trace_ids), texts)

    def _sessions(self, trace_ids: DigestSet) -> DigestSet | None:
        """Return the sessions of these traces, None if the policy does not use them."""
        policy = self.scorer.policy
        if not (policy.judges_sessions or policy.judges_retries):
            return None
        sessions = (
            DigestSet.of(batch.column("session_id").drop_null().to_pylist(), trace_ids.seed)
            for batch in filter_by_trace(self.readers.traces(("trace_id", "session_id")), trace_ids)
        )
        return DigestSet.union(sessions, trace_ids.seed)


def filter_by_trace(
    batches: Iterator[pa.RecordBatch], trace_ids: DigestSet
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of some traces."""
    for batch in batches:
        selected = _is_in(batch, "trace_id", trace_ids)
        if selected.any():
            yield batch.filter(pa.array(selected))


def split_digest_set(digests: DigestSet, *, max_size: int = MAX_PART_TRACES) -> Iterator[DigestSet]:
    """Yield a set in parts of at most ``max_size``."""
    for start in range(0, len(digests), max_size):
        yield DigestSet(digests.seed, digests.digests[start : start + max_size])


def _is_in(batch: pa.RecordBatch, column: str, ids: DigestSet) -> BoolArray:
    """Return for each row whether its id is in the set; a null is in no set."""
    texts = batch.column(column).to_pylist()
    not_null = np.array([text is not None for text in texts], np.bool_)
    is_in: BoolArray = not_null & ids.mask([text or "" for text in texts])
    return is_in
