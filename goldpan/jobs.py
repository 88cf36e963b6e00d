"""Sets up batch jobs from the settings: labels, calibrations, the review queue."""

from typing import Final

from assembly.feedback_targets import TargetFinder
from assembly.feedback_writer import FeedbackWriter
from assembly.row_writer import RowWriter
from assembly.shard_sequences import ShardSequences
from assembly.trace_assembler import TraceAssembler
from batch.labels.calibrator import Calibrator
from batch.labels.reconciler import Reconciler
from batch.labels.scorer_loader import load_configured_policy, load_scorer
from batch.reviews.queue_service import ReviewQueueService
from batch.trace_assembly.row_check import RowCheck
from batch.trace_assembly.trace_reconciler import TraceReconciler
from goldpan import wiring
from goldpan.otel_setup import make_assembly_rules
from goldpan.settings import Settings
from lake.table_commit import CommitContext
from lake.tables import Lake
from otel.open_traces import AssemblyTerms
from redact.crypto.keys import load_keys
from redact.crypto.pseudonyms import Pseudonyms
from redact.policies.policy import load_policy
from redact.policies.settings import RedactSettings
from schemas.arrow import SPANS_TABLE

JOB_RETRY_SECONDS: Final = 300.0
"""How long a job retries; includes reading a part of the lake again."""


def job_context() -> CommitContext:
    """Return the clock, the token source and the retry policy of a job."""
    return wiring.make_commit_context(JOB_RETRY_SECONDS)


def set_up_reconciler(settings: Settings) -> Reconciler:
    """Return the job that adds missing label events."""
    lake = Lake(settings.lake)
    return Reconciler(lake, load_scorer(settings.labels, lake.location), job_context())


def set_up_trace_reconciler(
    settings: Settings, terms: AssemblyTerms | None = None
) -> TraceReconciler:
    """Return the job that assembles traces from all their spans.

    ``terms`` say which traces are due, by default the worker's.
    """
    lake, context = Lake(settings.lake), job_context()
    wiring.refuse_other_keys(settings, lake)
    spans, traces = lake.table(SPANS_TABLE), lake.table("traces")
    redactor = wiring.load_row_redactor(settings.redact)
    tombstones = wiring.open_erasures(settings)
    return TraceReconciler(
        spans=spans,
        writer=RowWriter(ShardSequences(traces, context), redactor, tombstones, wiring.now_us),
        feedback=FeedbackWriter(
            TargetFinder(spans, traces),
            ShardSequences(lake.table("feedback"), context),
            redactor,
            tombstones,
            wiring.now_us,
            settings.otel.scales(),
        ),
        assembler=TraceAssembler(make_assembly_rules(settings)),
        terms=terms or settings.assembly.terms(),
        context=context,
        now_us=wiring.now_us,
    )


def set_up_row_check(settings: Settings, lake: Lake) -> RowCheck:
    """Return the check of assembled rows; UsageError if no redaction key is set."""
    redactor = wiring.load_row_redactor(settings.redact)
    sequences = ShardSequences(lake.table("traces"), job_context())
    tombstones = wiring.open_erasures(settings)
    return RowCheck(
        lake.table(SPANS_TABLE),
        RowWriter(sequences, redactor, tombstones, wiring.now_us),
        TraceAssembler(make_assembly_rules(settings)),
        redactor.policy_hash,
        wiring.now_us,
    )


def set_up_calibrator(settings: Settings) -> Calibrator:
    """Return the job that fits a calibration."""
    lake = Lake(settings.lake)
    return Calibrator(lake, load_configured_policy(settings.labels, lake.location), job_context())


def open_review_queue(settings: Settings, lake: Lake) -> ReviewQueueService:
    """Return the review queue; UsageError if a key differs from the lake's key of that name."""
    wiring.refuse_other_keys(settings, lake)
    return ReviewQueueService(
        lake, load_configured_policy(settings.labels, lake.location), job_context()
    )


def pseudonymize_reviewer(settings: RedactSettings, reviewer: str) -> str:
    """Return the pseudonym of a reviewer: the same as that of a user with this id.

    Raises UsageError if no redaction key is set.
    """
    if load_policy(settings.policy).off:
        return reviewer
    return Pseudonyms(load_keys(settings)).identifier("USER_ID", reviewer)
