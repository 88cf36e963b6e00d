"""Loads the label policy and calibration that the settings name."""

from pathlib import Path

from batch.labels import calibration_store, policy_registry
from labels.calibration import Calibration, parse_calibration
from labels.config import LabelSettings
from labels.policy import LabelPolicy, load_label_policies
from labels.scorer import LabelScorer
from lake.location import LakeLocation
from schemas.errors import UsageError


def load_scorer(settings: LabelSettings, location: LakeLocation) -> LabelScorer:
    """Load the policy and its calibration: a version in the lake, a file, or none.

    Raises:
        UsageError: one of them is missing or invalid, they do not match, or labels are off.
    """
    policy = load_configured_policy(settings, location)
    return LabelScorer(policy, _calibration(settings, location, policy))


def load_configured_policy(settings: LabelSettings, location: LakeLocation) -> LabelPolicy:
    """Load the policy. For a preset, load the version registered in the lake, else the newest.

    Raises:
        UsageError: it is invalid, or `off`.
    """
    if settings.off:
        raise UsageError(
            "GOLDPAN_LABELS__POLICY is off: set it to a preset or a file to decide labels."
        )
    policies = load_label_policies(settings.policy)
    if len(policies) == 1:
        return policies[0]
    store = location.files(policy_registry.POLICY_FOLDER)
    return next(
        (policy for policy in policies if policy_registry.is_policy_registered(store, policy)),
        policies[0],
    )


def _calibration(
    settings: LabelSettings, location: LakeLocation, policy: LabelPolicy
) -> Calibration | None:
    if settings.calibration is None:
        return None
    version = settings.calibration_version
    if version is not None:
        store = location.files(calibration_store.CALIBRATION_FOLDER)
        return calibration_store.load_calibration(store, version, policy)
    try:
        text = Path(settings.calibration).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        raise UsageError(
            f"GOLDPAN_LABELS__CALIBRATION: {settings.calibration!r} is neither the number of a "
            "version in the lake nor a readable file."
        ) from None
    return parse_calibration(text, settings.calibration)
