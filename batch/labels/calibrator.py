"""Learns the next calibration from the reviews in the lake, and publishes it.

It changes nothing by itself: a setting has to name it. Two runs at once learn the same version; one
publishes it, the other says so.
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
    """Learns from one lake under one policy."""

    def __init__(
        self,
        lake: Lake,
        policy: LabelPolicy,
        means: CommitContext,
        *,
        bucket_traces: int = BUCKET_TRACES,
    ) -> None:
        self._policy, self._means, self._each = policy, means, bucket_traces
        self._traces, self._feedback = lake.table("traces"), lake.table("feedback")
        self._reviews, self._labels = lake.table("reviews"), lake.table("labels")
        self.store: ObjectStore = lake.location.files(calibration_store.CALIBRATION_FOLDER)

    def learn(
        self,
        extent: ScanExtent,
        *,
        window: int | None = None,
        progress: Callable[[str, int, int], None] = lambda _what, _done, _of: None,
    ) -> Calibration:
        """Return the next version, not published yet; ``window`` in microseconds.

        Raises UsageError if no audited trace has been reviewed (`labels.calibration_learning.learn_calibration`).
        """
        now, retry = check_clock(self._means.now_us()), self._means.retry
        tables = (self._reviews, self._feedback, self._traces)
        for table in (*tables, self._labels):
            retry.call(f"reading table {table.name}", table.refresh)
        whole = retry.call(
            "reading the lake",
            lambda: EvidenceCompleteness.of(
                self._traces, self._feedback, self._reviews, self._labels
            ),
        )
        extent = whole.within(extent)
        judged = adjudicate_traces(
            retry.call("reading", lambda: read_review_log(self._reviews)).log
        )
        as_of = retry.call(
            "reading the lake", lambda: ingested_until([self._traces, self._feedback], now=now)
        )
        population: Counter[SignalPattern] = Counter()
        reviewed: list[ReviewedTrace] = []
        buckets = retry.call("reading the lake", lambda: self._divided(extent))
        for number in range(buckets.count):
            progress("traces", number, buckets.count)
            bucket = BucketEvidence(
                EvidenceTables(self._traces, self._feedback, {}, {}), extent, buckets, number
            )
            known = partial(bucket.known, LabelScorer(self._policy), as_of=as_of, window=window)
            step = partial(self._counted, known, judged, whole)
            patterns, found = retry.call("reading the lake", step)
            population += patterns
            reviewed += found
        progress("traces", buckets.count, buckets.count)
        learnt = learn_calibration(self._policy, reviewed, population, version=self._next())
        about = {
            "made_at": now,
            "as_of": as_of,
            "policy_name": self._policy.name,
            "policy_version": self._policy.version,
            "traces": sum(population.values()),
            "undecided": judged.undecided,
            "tables": {table.name: table.handle.version() for table in tables},
        }
        return learnt.model_copy(update={"diagnostics": {**learnt.diagnostics, **about}})

    def publish(self, calibration: Calibration) -> None:
        """Write a version; FatalError if another run was first."""
        retry = self._means.retry
        retry.call(
            "writing", lambda: calibration_store.publish_calibration(self.store, calibration)
        )

    def _next(self) -> int:
        there = self._means.retry.call(
            "listing", lambda: calibration_store.list_calibrations(self.store)
        )
        version = max(there, default=0) + 1
        if version > MAX_CALIBRATION_VERSIONS:
            raise UsageError(
                f"this lake has {MAX_CALIBRATION_VERSIONS} calibrations, as many as revisions can number."
            )
        return version

    def _divided(self, extent: ScanExtent) -> TraceBuckets:
        policy = self._policy
        sessions = policy.judges_sessions or policy.judges_retries
        return divide_traces(
            self._traces, extent, seed=policy.audit.seed, each=self._each, sessions=sessions
        )

    def _counted(
        self,
        known: Callable[[], Iterator[TraceKnowledge]],
        judged: JudgedTraces,
        whole: EvidenceCompleteness,
    ) -> tuple[Counter[SignalPattern], list[ReviewedTrace]]:
        """Return how many traces of a bucket have which signals, and those that were reviewed."""
        population: Counter[SignalPattern] = Counter()
        reviewed = []
        for one in known():
            if one.seen is None or not whole.covers(one):
                continue
            pattern = signal_pattern(signals_of(one, self._policy), self._policy)
            population[pattern] += 1
            failed = judged.failed.get(one.trace_id)
            if failed is not None:
                drawn = judged.drawn.get(one.trace_id)
                reviewed.append(ReviewedTrace(one.trace_id, failed, pattern, drawn))
        return population, reviewed


def adjudicate_traces(log: ReviewLog) -> JudgedTraces:
    """Return what the reviewers found of each trace, where more than half say pass or fail."""
    outcomes = log.outcomes()
    drawn = {
        review.trace_id: review.audit_probability
        for review in log.reviews
        if review.audit_probability is not None
    }
    failed = {t: what == "fail" for t, what in outcomes.items() if what in {"pass", "fail"}}
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
