"""A label policy and its calibration, written down: whoever goes on decides by the same ones.

The file that a policy came from may have changed by then, or be on another machine.
"""

from collections.abc import Mapping
from typing import Any

from labels.calibration import Calibration
from labels.decision import policy_version_of
from labels.policy import LabelPolicy
from labels.scorer import LabelScorer
from schemas.errors import FatalError
from schemas.yaml_documents import validate_document


def snapshot_scorer(scales: LabelScorer) -> dict[str, Any]:
    """Return what `restore_scorer` makes the same scales of, as JSON has it.

    ``version`` is how label events name them.
    """
    return {
        "version": policy_version_of(scales),
        "policy": scales.policy.model_dump(mode="json"),
        "calibration": scales.calibration.model_dump(mode="json", exclude={"diagnostics"}),
    }


def restore_scorer(document: Mapping[str, Any], where: str) -> LabelScorer:
    """Return the scales that were written down.

    Raises UsageError if they cannot be read, naming ``where``; FatalError if this version of
    goldpan would decide otherwise by them than the one that wrote them.
    """
    policy = validate_document(LabelPolicy, document.get("policy") or {}, None, where)
    calibration = validate_document(Calibration, document.get("calibration") or {}, None, where)
    if calibration.policy == policy.hash:
        scales = LabelScorer(policy, calibration)
        if policy_version_of(scales) == document.get("version"):
            return scales
    raise FatalError(
        f"{where}: the label policy {document.get('version')} was written down by another version "
        "of goldpan, which decides otherwise: abandon this replay and begin it again"
    )
