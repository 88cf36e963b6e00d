"""Puts the rooms together for the batch commands: labels, calibrations, the review queue."""

from typing import Final

from batch.labels.calibrate import Calibrator
from batch.labels.reconcile import Reconciler
from batch.labels.scales import open_policy, open_scales
from batch.reviews.desk import Desk
from batch.sequence import Means
from goldpan import wiring
from goldpan.settings import Settings
from labels.policy import MICROS_PER_DAY
from lake.tables import Lake
from redact.config import RedactSettings
from redact.keys import load_keys
from redact.policy import load_policy
from redact.pseudonyms import Pseudonyms

PATIENCE_SECONDS: Final = 300.0
"""How long a job tries again, reading a part of the lake included."""


def means() -> Means:
    """Return the clock, the randomness and the patience of a job."""
    return Means(wiring.retry(PATIENCE_SECONDS), wiring.now_us, wiring.new_token)


def reconciler(settings: Settings) -> Reconciler:
    """Return what adds the label events that are missing."""
    lake = Lake(settings.lake)
    return Reconciler(lake, open_scales(settings.labels, lake.location), means())


def calibrator(settings: Settings) -> Calibrator:
    """Return what learns a calibration."""
    lake = Lake(settings.lake)
    return Calibrator(lake, open_policy(settings.labels, lake.location), means())


def window(settings: Settings) -> int | None:
    """Return the window of the join in microseconds, None where the policy's counts."""
    days = settings.labels.window_days
    return None if days is None else int(days * MICROS_PER_DAY)


def desk(settings: Settings, lake: Lake) -> Desk:
    """Return the desk of the review queue; UsageError if the key is not the lake's of that name."""
    wiring.refuse_other_keys(settings, lake)
    return Desk(lake, open_policy(settings.labels, lake.location), means())


def pseudonym(settings: RedactSettings, reviewer: str) -> str:
    """Return what stands for a reviewer in the lake: what would stand there for a user.

    Raises UsageError if there is no key for it.
    """
    if load_policy(settings.policy).off:
        return reviewer
    return Pseudonyms(load_keys(settings)).identifier("USER_ID", reviewer)
