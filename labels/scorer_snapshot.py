"""A label policy and its calibration as JSON, so that a resumed job decides by the same ones.

The policy's file may have changed by then, or be on another machine.
"""

from collections.abc import Mapping
from typing import Any

from labels.calibration import Calibration
from labels.policy import LabelPolicy
from labels.scorer import LabelScorer
from schemas.errors import FatalError
from schemas.yaml_documents import validate_document


def snapshot_scorer(scorer: LabelScorer) -> dict[str, Any]:
    """Return a JSON document that `restore_scorer` reads; ``version`` is as in label events."""
    return {
        "version": scorer.policy_version,
        "policy": scorer.policy.model_dump(mode="json"),
        "calibration": scorer.calibration.model_dump(mode="json", exclude={"diagnostics"}),
    }


def restore_scorer(document: Mapping[str, Any], where: str) -> LabelScorer:
    """Return the scorer of a snapshot.

    Raises UsageError, naming ``where``, if the snapshot is invalid; FatalError if this version of
    goldpan would decide differently from the one that took it.
    """
    policy = validate_document(LabelPolicy, document.get("policy") or {}, None, where)
    calibration = validate_document(Calibration, document.get("calibration") or {}, None, where)
    if calibration.policy == policy.hash:
        scorer = LabelScorer(policy, calibration)
        if scorer.policy_version == document.get("version"):
            return scorer
    raise FatalError(
        f"{where}: the label policy {document.get('version')} was stored by another version of "
        "goldpan, which decides differently: abandon this replay and start it again"
    )
