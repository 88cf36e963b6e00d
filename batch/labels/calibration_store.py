"""Stores calibrations in the lake, each as `calibrations/<version>.json` with a chart.

A version is written once and never changed. Nothing uses it until a setting names it.
"""

import re
from typing import Any, Final

from labels.calibration import Calibration, parse_calibration, require_matching_policy
from labels.diagnostics import ReliabilityBin
from labels.policy import LabelPolicy
from labels.reliability_chart import draw_reliability_chart
from lake.objects import ObjectStore
from schemas.errors import FatalError, UsageError

CALIBRATION_FOLDER: Final = "calibrations"
"""The folder of the lake that ``store`` gives access to."""

_FILE: Final = re.compile(r"([1-9][0-9]{0,3})\.json")


def list_calibrations(store: ObjectStore) -> list[int]:
    """Return the versions in the lake, in ascending order."""
    matches = (_FILE.fullmatch(path) for path, _ in store.walk(""))
    return sorted(int(match[1]) for match in matches if match)


def load_calibration(store: ObjectStore, version: int, policy: LabelPolicy) -> Calibration:
    """Read a version.

    Raises:
        UsageError: there is no such version, or it was made for another policy.
    """
    if store.size(_json(version)) is None:
        versions = ", ".join(map(str, list_calibrations(store))) or "none"
        raise UsageError(
            f"GOLDPAN_LABELS__CALIBRATION: there is no calibration {version} in the lake "
            f"(versions: {versions}); `goldpan labels calibrate` makes the next one."
        )
    text = store.get(_json(version)).decode("utf-8", "replace")
    calibration = parse_calibration(text, f"{CALIBRATION_FOLDER}/{_json(version)}")
    if calibration.version != version:
        raise UsageError(
            f"{CALIBRATION_FOLDER}/{_json(version)} holds version {calibration.version}: rename "
            "the file back."
        )
    require_matching_policy(policy, calibration)
    return calibration


def publish_calibration(store: ObjectStore, calibration: Calibration) -> None:
    """Write a new version and its chart.

    Raises:
        FatalError: another run has written this version; its file is unchanged.
    """
    document = calibration.model_dump_json(indent=1) + "\n"
    if not store.put_new(_json(calibration.version), document.encode()):
        raise FatalError(
            f"calibration {calibration.version} was written by another run and is unchanged: use "
            "that one, or run this again for the next version."
        )
    draw_calibration(store, calibration)


def draw_calibration(store: ObjectStore, calibration: Calibration) -> None:
    """Draw the reliability diagram of a version, or redraw it if an earlier run died."""
    bins = [_bin(fields) for fields in calibration.diagnostics.get("reliability", [])]
    title = f"Calibration {calibration.version}, {sum(each.reviews for each in bins)} reviews"
    store.put(chart_path(calibration.version), draw_reliability_chart(bins, title).encode())


def chart_path(version: int) -> str:
    """Return the path of a chart within the folder."""
    return f"{version}.svg"


def _json(version: int) -> str:
    return f"{version}.json"


def _bin(fields: Any) -> ReliabilityBin:
    return ReliabilityBin(**{name: fields[name] for name in ReliabilityBin._fields})
