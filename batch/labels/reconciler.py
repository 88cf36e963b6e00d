"""The job that finds what the worker could not know, and adds the label events that are missing.

Feedback later than the window, records of one trace or session in different partitions, silence,
reviews: with everything that the lake holds of a trace, the same decision is taken as in the
worker. What comes of it outranks what was decided from less, so the job may run beside workers, and
at any time. It adds its events under a sequence of its own (`batch.numbered_rows`): two jobs at once
fence each other, and who lost looks again at what is missing still. A job that dies has added some
of the events, and the next run adds the others; over an unchanged lake it adds nothing.

A worker that is about to write the same event does not know of it: it may then be there twice, with
one id, which is one event.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, NamedTuple

import pyarrow.compute as pc

from batch.labels import policy_registry
from batch.labels.completeness import EXPIRED_EVIDENCE, EvidenceCompleteness
from batch.labels.evidence_reader import BucketEvidence, EvidenceTables
from batch.labels.label_writer import LabelWriter, label_guards
from batch.labels.trace_buckets import (
    BUCKET_TRACES,
    ScanExtent,
    TraceBuckets,
    divide_traces,
    ingested_until,
    read_ranks,
)
from batch.numbered_rows import NumberedRows
from batch.reviews.review_table import read_review_log
from labels.decision import (
    REVISIONS_PER_GENERATION,
    check_clock,
    decide_label,
    generation_of,
    policy_version_of,
)
from labels.reconcile_status import ReconcileStatus
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

Progress = Callable[[str, int, int], None]
"""Told what is done, how much of it is, and of how much."""


@dataclass(frozen=True, slots=True)
class ReconcileRequest:
    """What the job is to do.

    ``rebuild``: decide anew what was decided under an older policy or calibration. ``window`` in
    microseconds, the policy's if None. ``as_of``: the topics have been read up to this time
    (microseconds); None: as far as the lake shows.
    """

    rebuild: bool = False
    dry_run: bool = False
    extent: ScanExtent = field(default_factory=ScanExtent)
    window: int | None = None
    as_of: int | None = None


@dataclass(slots=True)
class ReconcileReport:
    """What came of it. ``added`` by label; ``findings`` by what became of each decision."""

    policy_version: str
    as_of: int
    traces: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Return it as the command prints it."""
        return {
            "policy_version": self.policy_version,
            "as_of": self.as_of,
            "traces": self.traces,
            "added": sum(self.added.values()),
            "added_by_label": dict(sorted(self.added.items())),
            **{
                str(one): self.findings[one]
                for one in ReconcileStatus
                if one is not ReconcileStatus.MISSING
            },
            EXPIRED_EVIDENCE: self.findings[EXPIRED_EVIDENCE],
        }


class _Plan(NamedTuple):
    """What is read, in which buckets, and by which clock it is decided."""

    request: ReconcileRequest
    sources: EvidenceTables
    buckets: TraceBuckets
    whole: EvidenceCompleteness
    guards: Sequence[Condition]
    now: int


class Reconciler:
    """Runs the job over one lake."""

    def __init__(
        self,
        lake: Lake,
        scales: LabelScorer,
        means: CommitContext,
        *,
        bucket_traces: int = BUCKET_TRACES,
    ) -> None:
        self._scales, self._means, self._each = scales, means, bucket_traces
        self._traces, self._feedback = lake.table("traces"), lake.table("feedback")
        self._reviews, self._labels = lake.table("reviews"), lake.table("labels")
        self._policies: ObjectStore = lake.location.files(policy_registry.POLICY_FOLDER)
        self._rows = NumberedRows(self._labels, RECONCILE_SEQUENCE, EntryKind.RECONCILE, means)

    def run(
        self, request: ReconcileRequest, progress: Progress = lambda _what, _done, _of: None
    ) -> ReconcileReport:
        """Add what is missing.

        Raises UsageError if the lake knows this version of the policy with other content, or labels
        of a later version; FatalError if the clock is wrong or the lake does not answer.
        """
        added: Counter[str] = Counter()
        for _ in range(RECONCILE_ATTEMPTS):
            try:
                return self._run(request, progress, added)
            except FencedError:  # what labels rest on has been replaced, or was erased
                continue
        raise FatalError("rows are replaced in the lake all the time: run this again")

    def _run(
        self, request: ReconcileRequest, progress: Progress, added: Counter[str]
    ) -> ReconcileReport:
        """Read, decide, add; FencedError if rows that were read have gone meanwhile."""
        now, retry = check_clock(self._means.now_us()), self._means.retry
        # First of all: what is read later is at least as new as what the guards are about.
        retry.call("reading table labels", self._labels.refresh)
        guards = label_guards(self._labels)
        for table in (self._reviews, self._feedback, self._traces, self._labels):
            retry.call(f"reading table {table.name}", table.refresh)
        self._check(dry_run=request.dry_run)
        policy, traces, feedback = self._scales.policy, self._traces, self._feedback
        whole = retry.call(
            "reading the lake",
            lambda: EvidenceCompleteness.of(traces, feedback, self._reviews, self._labels),
        )
        request = replace(request, extent=whole.within(request.extent))
        as_of = request.as_of
        if as_of is None:
            tables = [traces, feedback]
            as_of = retry.call("reading the lake", lambda: ingested_until(tables, now=now))
        outcome = ReconcileReport(policy_version_of(self._scales), min(as_of, now), added=added)
        sessions = policy.judges_sessions or policy.judges_retries
        buckets = retry.call(
            "reading the lake",
            lambda: divide_traces(
                traces, request.extent, seed=policy.audit.seed, each=self._each, sessions=sessions
            ),
        )
        reviewed = retry.call("reading the reviews", lambda: read_review_log(self._reviews))
        sources = EvidenceTables(traces, feedback, reviewed.log.verdicts(), reviewed.texts)
        plan = _Plan(request, sources, buckets, whole, guards, now)
        for number in range(buckets.count):
            progress("traces", number, buckets.count)
            # Read again as a whole if the lake fails to answer: what was added by then is there.
            step = partial(self._reconcile, plan, number, outcome)
            count, findings = retry.call("reading the lake", step)
            outcome.traces += count
            outcome.findings += findings
        progress("traces", buckets.count, buckets.count)
        return outcome

    def _reconcile(
        self, plan: _Plan, number: int, outcome: ReconcileReport
    ) -> tuple[int, Counter[str]]:
        """Add what is missing of one bucket; return its traces, and what became of decisions."""
        request = plan.request
        bucket = BucketEvidence(plan.sources, request.extent, plan.buckets, number)
        traces, findings = 0, Counter[str]()
        adder = LabelWriter(
            self._rows,
            partial(read_ranks, self._labels, bucket.extent, bucket.buckets, bucket.number),
            rebuild=request.rebuild,
            guards=plan.guards,
        )
        missing: list[LabelEvent] = []
        for known in bucket.known(self._scales, as_of=outcome.as_of, window=request.window):
            traces += 1
            if not plan.whole.covers(known):
                findings[EXPIRED_EVIDENCE] += 1
                continue
            labelled = request.rebuild and known.trace_id in adder.there
            event = decide_label(known, self._scales, decided_at=plan.now, labelled=labelled)
            if event is None:
                continue
            found = adder.find(event)
            findings[found] += 1
            if found is ReconcileStatus.MISSING:
                missing.append(event)
            if len(missing) == COMMIT_EVENTS:
                self._add(adder, missing, bucket, request, outcome)
                missing = []
        self._add(adder, missing, bucket, request, outcome)
        return traces, findings

    def _add(
        self,
        adder: LabelWriter,
        missing: Sequence[LabelEvent],
        bucket: BucketEvidence,
        request: ReconcileRequest,
        outcome: ReconcileReport,
    ) -> None:
        added = missing if request.dry_run else adder.add(missing, bucket.texts)
        outcome.added.update(event.label for event in added)
        outcome.findings[ReconcileStatus.THERE] += len(missing) - len(added)

    def _check(self, *, dry_run: bool) -> None:
        later = partial(require_latest_policy, self._labels, self._scales)
        self._means.retry.call("reading the labels", later)
        act = (
            policy_registry.require_unchanged_policy if dry_run else policy_registry.register_policy
        )
        policy = self._scales.policy
        self._means.retry.call("reading the policies", lambda: act(self._policies, policy))


def require_latest_policy(labels: Table, scales: LabelScorer) -> None:
    """Refuse to decide under a version that labels of a later one would outrank anyway.

    Raises UsageError; RetryableError if the lake does not answer.
    """
    newest = 0
    for batch in labels.batches(("revision",)):
        newest = max(newest, pc.max(batch.column("revision")).as_py() or 0)
    if newest // REVISIONS_PER_GENERATION > generation_of(scales):
        raise UsageError(
            f"the lake has labels of a later policy or calibration than {policy_version_of(scales)}: they "
            "would stay in force. Set GOLDPAN_LABELS__POLICY and GOLDPAN_LABELS__CALIBRATION to "
            "those, or raise `version` in the policy."
        )
