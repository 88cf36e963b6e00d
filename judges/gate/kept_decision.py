"""Reads a decision back from the JSON that it was kept as."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Final

from judges.gate.decision import GateDecision
from judges.gate.human_claim import ReviewedVerdicts
from judges.gate.requirement import ChangedRows, RequirementResult


def read_decision(document: Mapping[str, Any]) -> GateDecision:
    """Return a decision from its JSON; what it lacks is as in a decision without it.

    Raises KeyError or TypeError if it is none.
    """
    named = {
        each.name: _READERS.get(each.name, _as_it_is)(document[each.name])
        for each in fields(GateDecision)
        if each.name in document
    }
    return GateDecision(**named)


def _as_it_is(value: Any) -> Any:
    return value


def _results(documents: Iterable[Mapping[str, Any]]) -> tuple[RequirementResult, ...]:
    return tuple(map(_result, documents))


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


def _agreement(document: Mapping[str, Mapping[str, Any]]) -> dict[str, ReviewedVerdicts]:
    names = {each.name for each in fields(ReviewedVerdicts)}
    return {
        metric: ReviewedVerdicts(**{name: held[name] for name in names & held.keys()})
        for metric, held in document.items()
    }


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "requirements": _results,
    "segments": _results,
    "agreement": _agreement,
    "baseline_agreement": _agreement,
}
