"""The traces that a release speaks for: how many there are, with which labels, and how many fail.

A share of labels is no failure rate: labels come where people or errors spoke. What the failure
rate is, only a random draw tells: the audit arm (`labels.failure_rate`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from batch.release.sampling import population_queries
from batch.release.sampling.columns import NUMBER_COLUMNS, SEGMENT_PREFIX, is_segment, needs_label
from batch.release.sampling.engine import SelectionEngine, unbound_table
from batch.release.sampling.spec import ReleaseSpec
from labels.failure_rate import AuditedTrace, estimate_failure_rate

ANY_LABEL: Final = ("pass", "fail", "unknown", "none")
_KNOWN: Final[Mapping[str, Sequence[str]]] = {
    "label": ANY_LABEL,
    "route": ("auto", "review", "audit"),
}
_NEAREST: Final = 3
_ALIKE: Final = 0.5
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Population:
    """What is known of the traces that fit a spec but for its demands on labels.

    ``labels`` counts them by label. ``drawn`` of them are in the audit arm; ``audit`` has a pair of
    whether a trace failed and its probability for each that reviewers judged. ``otherwise`` counts
    ids of the window that came more than once, with other content; ``warnings`` are sentences about
    names in the spec that no trace of the window has.
    """

    labels: Mapping[str, int]
    drawn: int
    audit: Sequence[AuditedTrace]
    otherwise: int
    warnings: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return what a manifest says of it."""
        found = estimate_failure_rate(self.audit)
        rate = (
            None
            if found is None
            else {
                "mean": round(found.hajek, _DIGITS),
                "low": round(found.low, _DIGITS),
                "high": round(found.high, _DIGITS),
            }
        )
        failed = sum(one.failed for one in self.audit)
        return {
            "labels": dict(self.labels),
            "audit": {
                "drawn": self.drawn,
                "judged": len(self.audit),
                "failed": failed,
                "failure_rate": rate,
            },
            **({"sent_again_otherwise": self.otherwise} if self.otherwise else {}),
            **({"warnings": list(self.warnings)} if self.warnings else {}),
        }


def count_population(spec: ReleaseSpec, engine: SelectionEngine) -> Population:
    """Count the traces that fit a spec but for its demands on labels."""
    traces, labels = unbound_table("traces"), unbound_table("labels")
    counted = engine.ask(population_queries.count_by_label(spec, traces, labels))
    rows = engine.ask(population_queries.count_audited(spec, traces, labels))
    rows.sort(key=lambda row: (row["audit_probability"], row["failed"], row["passed"]))
    otherwise = 0
    if engine.ask(population_queries.resent_traces(spec, traces).limit(1)):
        otherwise = engine.ask(population_queries.count_changed_resends(spec, traces))[0]["traces"]
    return Population(
        labels=dict(sorted((row["label"], int(row["traces"])) for row in counted)),
        drawn=sum(int(row["traces"]) for row in rows),
        audit=[
            AuditedTrace(bool(row["failed"]), row["audit_probability"])
            for row in rows
            if bool(row["failed"]) != bool(row["passed"])  # both: reviewers are at odds
            for _ in range(int(row["traces"]))
        ],
        otherwise=int(otherwise),
        warnings=unmatched_names(spec, engine),
    )


def unmatched_names(spec: ReleaseSpec, engine: SelectionEngine) -> list[str]:
    """Return a sentence for each name in a spec that no trace of its window has."""
    traces = unbound_table("traces")
    known: list[str] | None = None
    found = []
    for column in spec.columns:
        place = f"where.{column}" if column in spec.where else f"strata: {column}"
        if is_segment(column):
            known = known or _values(engine, population_queries.segment_names(spec, traces))
            if column not in known:
                found.append(_strange(place, column, known, "traces have"))
                continue
        wanted = spec.where.get(column)
        if column in NUMBER_COLUMNS or needs_label(column):
            there = list(_KNOWN.get(column, ()))
        else:
            there = _values(engine, population_queries.column_values(spec, traces, column))
            if not there:
                found.append(f"{place}: no trace of the window has one")
                continue
        if isinstance(wanted, list) and there:
            missing = [value for value in wanted if value not in there]
            if missing and len(there) < population_queries.MOST_VALUES:
                found += [_strange(place, value, there, "there are") for value in missing]
    return found


def _values(engine: SelectionEngine, query: Any) -> list[str]:
    return [str(row["value"]) for row in engine.ask(query)]


def _strange(place: str, name: str, known: Sequence[str], have: str) -> str:
    plain = {one.removeprefix(SEGMENT_PREFIX).casefold(): one for one in reversed(known)}
    asked = name.removeprefix(SEGMENT_PREFIX).casefold()
    near = [plain[one] for one in get_close_matches(asked, list(plain), _NEAREST, _ALIKE)]
    shown = near or list(known[:_NEAREST])
    instead = f"; {'the nearest' if near else have}: {', '.join(shown)}" if shown else ""
    return f"{place}: no trace of the window has {name!r}{instead}"


def covers_all_labels(spec: Mapping[str, Any]) -> bool:
    """Tell whether a release was drawn from traces whatever their label is."""
    demands = spec["labels"]
    more = demands["min_confidence"] > 0 or demands["policies"]
    return set(demands["accept"]) == set(ANY_LABEL) and not (
        more or demands["expected_response"] == "required"
    )


def population_name(spec: Mapping[str, Any]) -> str:
    """Return which traces the weights of a release add up to, by the spec in its manifest."""
    if covers_all_labels(spec):
        return "traces that fit the spec, labelled or not"
    accepted = [label for label in ANY_LABEL if label in spec["labels"]["accept"]]
    if accepted == ["none"]:
        return "traces without a label that fit the spec"
    return f"traces labelled {' or '.join(accepted)} that fit the spec"
