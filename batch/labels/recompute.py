"""Decides some traces anew, from all that the lake holds of them, or would hold.

It is the decision of every other place, with the same function; only whence the rows come is said
by the caller: the tables as they are, or as a replay would leave them. Memory grows with the traces
that are asked for, and with those of their sessions where the policy judges sessions or retries, as
it does in the batch job; so they are taken a part at a time.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from batch.labels.completeness import EvidenceCompleteness
from batch.labels.label_texts import collect_texts
from labels.batch_join import LakeRows, join_lake_rows
from labels.batches import FEEDBACK_COLUMNS, TRACE_COLUMNS, BoolArray
from labels.decision import decide_label
from labels.digest_set import DigestSet
from labels.facts import ReviewVerdict
from labels.scorer import LabelScorer
from schemas.records import LabelEvent

BatchReader = Callable[[Sequence[str]], Iterator[pa.RecordBatch]]
"""Gives columns of all rows of a table, a part at a time; RetryableError if that fails."""

MAX_PART_TRACES: Final = 250_000


@dataclass(frozen=True, slots=True)
class EvidenceReaders:
    """What decides. ``verdicts`` are the reviews by trace.

    ``texts`` are the answers that reviewers gave, with the hash of the redaction policy of each.
    """

    traces: BatchReader
    feedback: BatchReader
    verdicts: Mapping[str, Sequence[ReviewVerdict]]
    texts: Mapping[str, str]


class RecomputedLabel(NamedTuple):
    """What is decided of a trace: None if it is worth no label.

    ``texts`` are the answers that are known of it, ``whole`` says that no evidence has expired.
    """

    trace_id: str
    event: LabelEvent | None
    texts: Collection[str]
    whole: bool


@dataclass(frozen=True, slots=True)
class LabelRecomputer:
    """``window`` is that of the join in microseconds, the policy's if None.

    ``as_of`` and ``now`` as in `labels.batch_join`, in microseconds since 1970 (UTC).
    """

    known: EvidenceReaders
    whole: EvidenceCompleteness
    scales: LabelScorer
    window: int | None
    as_of: int
    now: int

    def decisions(self, wanted: DigestSet, texts: dict[str, str]) -> Iterator[RecomputedLabel]:
        """Yield what is decided of each of these traces of which anything is known.

        ``texts`` is given the texts that the events may repeat, with the redaction policy of each.
        """
        texts.update(self.known.texts)
        rows = LakeRows(self._traces(wanted), self._feedback(wanted, texts), self.known.verdicts)
        for known in join_lake_rows(rows, self.scales, as_of=self.as_of, window=self.window):
            # Others of its session are in the rows as well.
            if known.trace_id not in wanted:
                continue
            said = {one.correction for one in known.said if one.correction}
            answers = {one.expected_response for one in known.verdicts if one.expected_response}
            event = decide_label(known, self.scales, decided_at=self.now)
            begun = known.seen.started_at if known.seen else known.said[0].occurred_at
            whole = self.whole.keeps(begun) and self.whole.covers(known)
            yield RecomputedLabel(known.trace_id, event, said | answers, whole)

    def _traces(self, wanted: DigestSet) -> Iterator[pa.RecordBatch]:
        sessions = self._sessions(wanted)
        for batch in self.known.traces(TRACE_COLUMNS):
            mine = _among(batch, "trace_id", wanted)
            if sessions is not None:
                mine |= _among(batch, "session_id", sessions)
            if mine.any():
                yield batch.filter(pa.array(mine))

    def _feedback(self, wanted: DigestSet, texts: dict[str, str]) -> Iterator[pa.RecordBatch]:
        batches = self.known.feedback((*FEEDBACK_COLUMNS, "_policy"))
        return collect_texts(filter_by_trace(batches, wanted), texts)

    def _sessions(self, wanted: DigestSet) -> DigestSet | None:
        """Return the sessions that these traces are of, None if the policy does not ask."""
        policy = self.scales.policy
        if not (policy.judges_sessions or policy.judges_retries):
            return None
        named = (
            DigestSet.of(batch.column("session_id").drop_null().to_pylist(), wanted.seed)
            for batch in filter_by_trace(self.known.traces(("trace_id", "session_id")), wanted)
        )
        return DigestSet.joined(named, wanted.seed)


def filter_by_trace(
    batches: Iterator[pa.RecordBatch], wanted: DigestSet
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of some traces."""
    for batch in batches:
        mine = _among(batch, "trace_id", wanted)
        if mine.any():
            yield batch.filter(pa.array(mine))


def split_digest_set(wanted: DigestSet, *, most: int = MAX_PART_TRACES) -> Iterator[DigestSet]:
    """Yield a set of traces in parts of at most so many."""
    for start in range(0, len(wanted), most):
        yield DigestSet(wanted.seed, wanted.keys[start : start + most])


def _among(batch: pa.RecordBatch, column: str, wanted: DigestSet) -> BoolArray:
    """Return for each row whether a text is in the set; no text is in none."""
    texts = batch.column(column).to_pylist()
    named = np.array([text is not None for text in texts], np.bool_)
    found: BoolArray = named & wanted.mask([text or "" for text in texts])
    return found
