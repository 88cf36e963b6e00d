"""Puts the rooms together for the batch commands: labels, calibrations, the review queue."""

from typing import Final

from batch.labels.calibrator import Calibrator
from batch.labels.reconciler import Reconciler
from batch.labels.scorer_loader import load_configured_policy, load_scorer
from batch.reviews.queue_service import ReviewQueueService
from goldpan import wiring
from goldpan.settings import Settings
from labels.policy import MICROS_PER_DAY
from lake.table_commit import CommitContext
from lake.tables import Lake
from redact.crypto.keys import load_keys
from redact.crypto.pseudonyms import Pseudonyms
from redact.policies.policy import load_policy
from redact.policies.settings import RedactSettings

PATIENCE_SECONDS: Final = 300.0
"""How long a job tries again, reading a part of the lake included."""


def job_context() -> CommitContext:
    """Return the clock, the randomness and the patience of a job."""
    return CommitContext(wiring.make_retry(PATIENCE_SECONDS), wiring.now_us, wiring.new_token)


def set_up_reconciler(settings: Settings) -> Reconciler:
    """Return what adds the label events that are missing."""
    lake = Lake(settings.lake)
    return Reconciler(lake, load_scorer(settings.labels, lake.location), job_context())


def set_up_calibrator(settings: Settings) -> Calibrator:
    """Return what learns a calibration."""
    lake = Lake(settings.lake)
    return Calibrator(lake, load_configured_policy(settings.labels, lake.location), job_context())


def join_window(settings: Settings) -> int | None:
    """Return the window of the join in microseconds, None where the policy's counts."""
    days = settings.labels.window_days
    return None if days is None else int(days * MICROS_PER_DAY)


def open_review_queue(settings: Settings, lake: Lake) -> ReviewQueueService:
    """Return the desk of the review queue; UsageError if the key is not the lake's of that name."""
    wiring.refuse_other_keys(settings, lake)
    return ReviewQueueService(
        lake, load_configured_policy(settings.labels, lake.location), job_context()
    )


def pseudonymize_reviewer(settings: RedactSettings, reviewer: str) -> str:
    """Return what stands for a reviewer in the lake: what would stand there for a user.

    Raises UsageError if there is no key for it.
    """
    if load_policy(settings.policy).off:
        return reviewer
    return Pseudonyms(load_keys(settings)).identifier("USER_ID", reviewer)
