"""The scales that a lake's labels are weighed on, as the settings name them."""

from pathlib import Path

from batch.labels import calibrations, policies
from labels.calibration import Calibration, parse_calibration
from labels.config import LabelSettings
from labels.evidence import Scales
from labels.policy import Policy, load_policies
from lake.location import Location
from schemas.errors import UsageError


def open_scales(settings: LabelSettings, location: Location) -> Scales:
    """Load the policy and its calibration: a version in the lake, a file, or none.

    Raises:
        UsageError: one of them is missing or wrong, they do not belong together, or labels are off.
    """
    policy = open_policy(settings, location)
    return Scales(policy, _calibration(settings, location, policy))


def open_policy(settings: LabelSettings, location: Location) -> Policy:
    """Load the policy; of a preset the version that the lake was labelled by, else the newest.

    Raises:
        UsageError: it is wrong, or `off`.
    """
    if settings.off:
        raise UsageError(
            "GOLDPAN_LABELS__POLICY is off: name a preset or a file, by which labels are decided."
        )
    found = load_policies(settings.policy)
    if len(found) == 1:
        return found[0]
    store = location.files(policies.FOLDER)
    return next((policy for policy in found if policies.is_registered(store, policy)), found[0])


def _calibration(settings: LabelSettings, location: Location, policy: Policy) -> Calibration | None:
    if settings.calibration is None:
        return None
    version = settings.calibration_version
    if version is not None:
        store = location.files(calibrations.FOLDER)
        return calibrations.load_calibration(store, version, policy)
    try:
        text = Path(settings.calibration).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        raise UsageError(
            f"GOLDPAN_LABELS__CALIBRATION: {settings.calibration!r} is neither the number of a "
            "version in the lake nor a file that can be read."
        ) from None
    return parse_calibration(text, settings.calibration)
