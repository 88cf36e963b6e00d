"""Reconciliation: adds label events that the worker could not decide.

They come from feedback later than the window, records of one trace or session in different
partitions, silence, and reviews. The decision is the same as in the worker, from everything that
the lake holds about a trace. It outranks decisions from less, so the job may run beside workers at
any time. The job adds its events under a sequence of its own (`batch.numbered_rows`): concurrent
jobs fence each other, and the fenced one checks again what is missing. A job that dies has added
some of the events, and the next run adds the others; over an unchanged lake it adds nothing.

A worker may be about to write the same event. The table then contains it twice, with one id, which
counts as one event.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, NamedTuple

import pyarrow.compute as pc

from batch.labels import policy_registry
from batch.labels.completeness import EXPIRED_EVIDENCE, EvidenceCompleteness
from batch.labels.evidence_reader import BucketEvidence, EvidenceTables
from batch.labels.existing_labels import read_ranks
from batch.labels.label_writer import LabelWriter, label_guards
from batch.labels.trace_buckets import (
    BUCKET_TRACES,
    ScanExtent,
    TraceBuckets,
    divide_traces,
    ingested_until,
)
from batch.numbered_rows import NumberedRows
from batch.progress import ReportProgress, no_progress
from batch.reviews.review_table import read_review_log
from labels.decision import (
    REVISIONS_PER_GENERATION,
    check_clock,
    decide_label,
)
from labels.replacement_plan import ReconcileStatus
from labels.scorer import LabelScorer
from lake.ledger import EntryKind
from lake.objects import ObjectStore
from lake.table_commit import CommitContext, Condition
from lake.table_log import RECONCILE_SEQUENCE
from lake.tables import Lake, Table
from schemas.errors import FatalError, FencedError, UsageError
from schemas.records import LabelEvent

COMMIT_EVENTS: Final = 20_000
RECONCILE_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class ReconcileRequest:
    """The options of the job.

    ``rebuild``: also replace what was decided under an older policy or calibration. ``window`` is
    in microseconds, the policy's if None. ``as_of``: the topics have been read up to this time
    (microseconds); None: as far as the lake shows.
    """

    rebuild: bool = False
    dry_run: bool = False
    extent: ScanExtent = field(default_factory=ScanExtent)
    window: int | None = None
    as_of: int | None = None


@dataclass(slots=True)
class ReconcileReport:
    """The result. ``added`` counts events by label, ``statuses`` decisions by their status."""

    policy_version: str
    as_of: int
    traces: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Return the report as the command prints it."""
        return {
            "policy_version": self.policy_version,
            "as_of": self.as_of,
            "traces": self.traces,
            "added": sum(self.added.values()),
            "added_by_label": dict(sorted(self.added.items())),
            **{
                str(status): self.statuses[status]
                for status in ReconcileStatus
                if status is not ReconcileStatus.MISSING
            },
            EXPIRED_EVIDENCE: self.statuses[EXPIRED_EVIDENCE],
        }


class _Plan(NamedTuple):
    """The inputs of one attempt: request, tables, buckets, guards and clock."""

    request: ReconcileRequest
    tables: EvidenceTables
    buckets: TraceBuckets
    completeness: EvidenceCompleteness
    guards: Sequence[Condition]
    now: int


class Reconciler:
    """Runs the job on one lake."""

    def __init__(
        self,
        lake: Lake,
        scorer: LabelScorer,
        context: CommitContext,
        *,
        bucket_traces: int = BUCKET_TRACES,
    ) -> None:
        self._scorer, self._context, self._bucket_traces = scorer, context, bucket_traces
        self._traces, self._feedback = lake.table("traces"), lake.table("feedback")
        self._reviews, self._labels = lake.table("reviews"), lake.table("labels")
        self._policies: ObjectStore = lake.location.files(policy_registry.POLICY_FOLDER)
        self._rows = NumberedRows(self._labels, RECONCILE_SEQUENCE, EntryKind.RECONCILE, context)

    def run(
        self, request: ReconcileRequest, progress: ReportProgress = no_progress
    ) -> ReconcileReport:
        """Add the missing events.

        Raises UsageError if the lake has this version of the policy with other content, or labels
        of a later version; FatalError if the clock is wrong or the lake stays unavailable.
        """
        added: Counter[str] = Counter()
        for _ in range(RECONCILE_ATTEMPTS):
            try:
                return self._run(request, progress, added)
            except FencedError:  # rows that labels rest on were replaced or erased
                continue
        raise FatalError(
            f"rows were replaced or erased during each of {RECONCILE_ATTEMPTS} attempts: run this "
            "again"
        )

    def _run(
        self, request: ReconcileRequest, progress: ReportProgress, added: Counter[str]
    ) -> ReconcileReport:
        """Read, decide, add; FencedError if rows were replaced or erased since they were read."""
        now, retry = check_clock(self._context.now_us()), self._context.retry
        # The guards come first, so that everything read later is at least as new as they are.
        retry.call("reading table labels", self._labels.refresh)
        guards = label_guards(self._labels)
        for table in (self._reviews, self._feedback, self._traces, self._labels):
            retry.call(f"reading table {table.name}", table.refresh)
        self._check(dry_run=request.dry_run)
        policy, traces, feedback = self._scorer.policy, self._traces, self._feedback
        completeness = retry.call(
            "reading the lake",
            lambda: EvidenceCompleteness.read(traces, feedback, self._reviews, self._labels),
        )
        request = replace(request, extent=completeness.limit(request.extent))
        as_of = request.as_of
        if as_of is None:
            tables = [traces, feedback]
            as_of = retry.call("reading the lake", lambda: ingested_until(tables, now=now))
        report = ReconcileReport(self._scorer.policy_version, min(as_of, now), added=added)
        sessions = policy.judges_sessions or policy.judges_retries
        buckets = retry.call(
            "reading the lake",
            lambda: divide_traces(
                traces,
                request.extent,
                seed=policy.audit.seed,
                bucket_traces=self._bucket_traces,
                sessions=sessions,
            ),
        )
        reviews = retry.call("reading the reviews", lambda: read_review_log(self._reviews))
        evidence = EvidenceTables(traces, feedback, reviews.log.verdicts(), reviews.texts)
        plan = _Plan(request, evidence, buckets, completeness, guards, now)
        for bucket_number in range(buckets.count):
            progress("traces", bucket_number, buckets.count)
            # If the lake becomes unavailable, the whole bucket is read again, with what was added.
            step = partial(self._reconcile, plan, bucket_number, report)
            count, statuses = retry.call("reading the lake", step)
            report.traces += count
            report.statuses += statuses
        progress("traces", buckets.count, buckets.count)
        return report

    def _reconcile(
        self, plan: _Plan, bucket_number: int, report: ReconcileReport
    ) -> tuple[int, Counter[str]]:
        """Add the missing events of one bucket; return its traces, and its decisions by status."""
        request = plan.request
        bucket = BucketEvidence(plan.tables, request.extent, plan.buckets, bucket_number)
        traces, statuses = 0, Counter[str]()
        writer = LabelWriter(
            self._rows,
            partial(read_ranks, self._labels, bucket.extent, bucket.buckets, bucket.number),
            rebuild=request.rebuild,
            guards=plan.guards,
        )
        missing: list[LabelEvent] = []
        for knowledge in bucket.join(self._scorer, as_of=report.as_of, window=request.window):
            traces += 1
            if not plan.completeness.covers(knowledge):
                statuses[EXPIRED_EVIDENCE] += 1
                continue
            changed = knowledge.trace is not None and knowledge.trace.contents > 0
            labelled = (request.rebuild or changed) and knowledge.trace_id in writer.ranks
            event = decide_label(knowledge, self._scorer, decided_at=plan.now, labelled=labelled)
            if event is None:
                continue
            status = writer.status_of(event)
            statuses[status] += 1
            if status is ReconcileStatus.MISSING:
                missing.append(event)
            if len(missing) == COMMIT_EVENTS:
                self._add(writer, missing, bucket, request, report)
                missing = []
        self._add(writer, missing, bucket, request, report)
        return traces, statuses

    def _add(
        self,
        writer: LabelWriter,
        missing: Sequence[LabelEvent],
        bucket: BucketEvidence,
        request: ReconcileRequest,
        report: ReconcileReport,
    ) -> None:
        added = missing if request.dry_run else writer.add(missing, bucket.texts)
        report.added.update(event.label for event in added)
        report.statuses[ReconcileStatus.PRESENT] += len(missing) - len(added)

    def _check(self, *, dry_run: bool) -> None:
        require_latest = partial(require_latest_policy, self._labels, self._scorer)
        self._context.retry.call("reading the labels", require_latest)
        register = (
            policy_registry.require_unchanged_policy if dry_run else policy_registry.register_policy
        )
        policy = self._scorer.policy
        self._context.retry.call("reading the policies", lambda: register(self._policies, policy))


def require_latest_policy(labels: Table, scorer: LabelScorer) -> None:
    """Raise UsageError if the lake has labels of a later version, which would outrank new ones.

    Raises RetryableError if the lake is unavailable.
    """
    newest = 0
    for batch in labels.batches(("revision",)):
        newest = max(newest, pc.max(batch.column("revision")).as_py() or 0)
    if newest // REVISIONS_PER_GENERATION > scorer.generation:
        raise UsageError(
            f"the lake has labels of a later policy or calibration than {scorer.policy_version}: "
            "they would stay in force. Set GOLDPAN_LABELS__POLICY and "
            "GOLDPAN_LABELS__CALIBRATION to those, or raise `version` in the policy."
        )
