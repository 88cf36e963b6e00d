"""Reads a decision back from the JSON that it was kept as."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from judges.gate.decision import GateDecision
from judges.gate.human_claim import ReviewedVerdicts
from judges.gate.requirement import ChangedRows, RequirementResult


def read_decision(document: Mapping[str, Any]) -> GateDecision:
    """Return a decision from its JSON. Raises KeyError or TypeError if it is none."""
    return GateDecision(
        decision=document["decision"],
        requirements=tuple(map(_result, document["requirements"])),
        segments=tuple(map(_result, document["segments"])),
        small_segments=document["small_segments"],
        outcomes=document["outcomes"],
        looks=document["looks"],
        planned_looks=document["planned_looks"],
        level=document["level"],
        reason=document["reason"],
        agreement={name: _reviewed(each) for name, each in document["agreement"].items()},
    )


def _result(document: Mapping[str, Any]) -> RequirementResult:
    named = {
        each.name: document[each.name]
        for each in fields(RequirementResult)
        if each.name not in ("changed", "segment")
    }
    changed, segment = document["changed"], document.get("segment")
    return RequirementResult(
        **named,
        changed=None if changed is None else _changed(changed),
        segment=None if segment is None else (segment, document["value"]),
    )


def _changed(document: Mapping[str, Any]) -> ChangedRows:
    return ChangedRows(
        document["gained"], document["lost"], document["mcnemar_p"], document["differs"]
    )


def _reviewed(document: Mapping[str, Any]) -> ReviewedVerdicts:
    return ReviewedVerdicts(**{each.name: document[each.name] for each in fields(ReviewedVerdicts)})
