"""The scales that a lake's labels are weighed on, as the settings name them."""

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
        UsageError: one of them is missing or wrong, they do not belong together, or labels are off.
    """
    policy = load_configured_policy(settings, location)
    return LabelScorer(policy, _calibration(settings, location, policy))


def load_configured_policy(settings: LabelSettings, location: LakeLocation) -> LabelPolicy:
    """Load the policy; of a preset the version that the lake was labelled by, else the newest.

    Raises:
        UsageError: it is wrong, or `off`.
    """
    if settings.off:
        raise UsageError(
            "GOLDPAN_LABELS__POLICY is off: name a preset or a file, by which labels are decided."
        )
    found = load_label_policies(settings.policy)
    if len(found) == 1:
        return found[0]
    store = location.files(policy_registry.POLICY_FOLDER)
    return next(
        (policy for policy in found if policy_registry.is_policy_registered(store, policy)),
        found[0],
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
            "version in the lake nor a file that can be read."
        ) from None
    return parse_calibration(text, settings.calibration)
