"""A label policy and its calibration, written down: whoever goes on decides by the same ones.

The file that a policy came from may have changed by then, or be on another machine.
"""

from collections.abc import Mapping
from typing import Any

from labels.calibration import Calibration
from labels.decide import version_of
from labels.evidence import Scales
from labels.policy import Policy
from schemas.documents import checked
from schemas.errors import FatalError


def pinned(scales: Scales) -> dict[str, Any]:
    """Return what `scales_of` makes the same scales of, as JSON has it.

    ``version`` is how label events name them.
    """
    return {
        "version": version_of(scales),
        "policy": scales.policy.model_dump(mode="json"),
        "calibration": scales.calibration.model_dump(mode="json", exclude={"diagnostics"}),
    }


def scales_of(document: Mapping[str, Any], where: str) -> Scales:
    """Return the scales that were written down.

    Raises UsageError if they cannot be read, naming ``where``; FatalError if this version of
    goldpan would decide otherwise by them than the one that wrote them.
    """
    policy = checked(Policy, document.get("policy") or {}, None, where)
    calibration = checked(Calibration, document.get("calibration") or {}, None, where)
    if calibration.policy == policy.hash:
        scales = Scales(policy, calibration)
        if version_of(scales) == document.get("version"):
            return scales
    raise FatalError(
        f"{where}: the label policy {document.get('version')} was written down by another version "
        "of goldpan, which decides otherwise: abandon this replay and begin it again"
    )
