"""Learns the next calibration from the reviews in the lake, and publishes it.

The calibration has no effect until a setting names it. If two runs learn the same version
concurrently, one publishes it and the other fails with a message.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from batch.labels import calibration_store
from batch.labels.completeness import EvidenceCompleteness
from batch.labels.evidence_reader import BucketEvidence, EvidenceTables
from batch.labels.trace_buckets import (
    BUCKET_TRACES,
    ScanExtent,
    TraceBuckets,
    divide_traces,
    ingested_until,
)
from batch.progress import ReportProgress, no_progress
from batch.reviews.review_table import read_review_log
from labels.calibration import Calibration
from labels.calibration_learning import (
    ReviewedTrace,
    SignalPattern,
    learn_calibration,
    signal_pattern,
)
from labels.decision import check_clock
from labels.facts import TraceKnowledge
from labels.policy import LabelPolicy
from labels.review_log import ReviewLog
from labels.scorer import LabelScorer
from labels.signals import signals_of
from lake.objects import ObjectStore
from lake.table_commit import CommitContext
from lake.tables import Lake
from schemas.errors import UsageError

MAX_CALIBRATION_VERSIONS = 1023


@dataclass(frozen=True, slots=True)
class JudgedTraces:
    """Traces that reviewers agreed on: whether each failed, and the probability of its draw."""

    failed: Mapping[str, bool]
    drawn: Mapping[str, float]
    undecided: int


class Calibrator:
    """Learns calibrations from one lake under one policy."""

    def __init__(
        self,
        lake: Lake,
        policy: LabelPolicy,
        context: CommitContext,
        *,
        bucket_traces: int = BUCKET_TRACES,
    ) -> None:
        self._policy, self._context, self._bucket_traces = policy, context, bucket_traces
        self._traces, self._feedback = lake.table("traces"), lake.table("feedback")
        self._reviews, self._labels = lake.table("reviews"), lake.table("labels")
        self.store: ObjectStore = lake.location.files(calibration_store.CALIBRATION_FOLDER)

    def learn(
        self,
        extent: ScanExtent,
        *,
        window: int | None = None,
        progress: ReportProgress = no_progress,
    ) -> Calibration:
        """Return the next version, unpublished; ``window`` is in microseconds.

        Raises UsageError if no audited trace has been reviewed (`labels.calibration_learning`).
        """
        now, retry = check_clock(self._context.now_us()), self._context.retry
        tables = (self._reviews, self._feedback, self._traces)
        for table in (*tables, self._labels):
            retry.call(f"reading table {table.name}", table.refresh)
        completeness = retry.call(
            "reading the lake",
            lambda: EvidenceCompleteness.read(
                self._traces, self._feedback, self._reviews, self._labels
            ),
        )
        extent = completeness.limit(extent)
        judged = adjudicate_traces(
            retry.call("reading", lambda: read_review_log(self._reviews)).log
        )
        as_of = retry.call(
            "reading the lake", lambda: ingested_until([self._traces, self._feedback], now=now)
        )
        population: Counter[SignalPattern] = Counter()
        reviewed: list[ReviewedTrace] = []
        buckets = retry.call("reading the lake", lambda: self._divide(extent))
        for bucket_number in range(buckets.count):
            progress("traces", bucket_number, buckets.count)
            bucket = BucketEvidence(
                EvidenceTables(self._traces, self._feedback, {}, {}), extent, buckets, bucket_number
            )
            join = partial(bucket.join, LabelScorer(self._policy), as_of=as_of, window=window)
            step = partial(self._count, join, judged, completeness)
            patterns, reviewed_traces = retry.call("reading the lake", step)
            population += patterns
            reviewed += reviewed_traces
        progress("traces", buckets.count, buckets.count)
        calibration = learn_calibration(
            self._policy, reviewed, population, version=self._next_version()
        )
        metadata = {
            "made_at": now,
            "as_of": as_of,
            "policy_name": self._policy.name,
            "policy_version": self._policy.version,
            "traces": sum(population.values()),
            "undecided": judged.undecided,
            "tables": {table.name: table.handle.version() for table in tables},
        }
        return calibration.model_copy(
            update={"diagnostics": {**calibration.diagnostics, **metadata}}
        )

    def publish(self, calibration: Calibration) -> None:
        """Publish a version; FatalError if another run has published it."""
        retry = self._context.retry
        retry.call(
            "writing", lambda: calibration_store.publish_calibration(self.store, calibration)
        )

    def _next_version(self) -> int:
        versions = self._context.retry.call(
            "listing", lambda: calibration_store.list_calibrations(self.store)
        )
        version = max(versions, default=0) + 1
        if version > MAX_CALIBRATION_VERSIONS:
            raise UsageError(
                f"this lake has {MAX_CALIBRATION_VERSIONS} calibrations, the most that revisions "
                "allow."
            )
        return version

    def _divide(self, extent: ScanExtent) -> TraceBuckets:
        policy = self._policy
        sessions = policy.judges_sessions or policy.judges_retries
        return divide_traces(
            self._traces,
            extent,
            seed=policy.audit.seed,
            bucket_traces=self._bucket_traces,
            sessions=sessions,
        )

    def _count(
        self,
        join: Callable[[], Iterator[TraceKnowledge]],
        judged: JudgedTraces,
        completeness: EvidenceCompleteness,
    ) -> tuple[Counter[SignalPattern], list[ReviewedTrace]]:
        """Return the number of traces of a bucket by pattern, and its reviewed traces."""
        population: Counter[SignalPattern] = Counter()
        reviewed = []
        for knowledge in join():
            if knowledge.trace is None or not completeness.covers(knowledge):
                continue
            pattern = signal_pattern(signals_of(knowledge, self._policy), self._policy)
            population[pattern] += 1
            trace_id = knowledge.trace_id
            failed = judged.failed.get(trace_id)
            if failed is not None:
                drawn = judged.drawn.get(trace_id)
                reviewed.append(ReviewedTrace(trace_id, failed, pattern, drawn))
        return population, reviewed


def adjudicate_traces(log: ReviewLog) -> JudgedTraces:
    """Return the joint judgement of each trace on which more than half say pass or fail."""
    outcomes = log.outcomes()
    drawn = {
        review.trace_id: review.audit_probability
        for review in log.reviews
        if review.audit_probability is not None
    }
    failed = {
        trace_id: outcome == "fail"
        for trace_id, outcome in outcomes.items()
        if outcome in {"pass", "fail"}
    }
    return JudgedTraces(failed, drawn, len(outcomes) - len(failed))


def calibration_summary(calibration: Calibration) -> dict[str, Any]:
    """Return the diagnostics as the command prints them."""
    return {
        "version": calibration.version,
        "hash": calibration.hash,
        "policy": calibration.policy,
        "base_rate": calibration.base_rate.mean,
        "diagnostics": calibration.diagnostics,
    }
