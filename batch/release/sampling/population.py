"""The traces that a release represents: their number, labels and failure rate.

The share labelled fail is not a failure rate: labels come from users who react and from errors. The
failure rate is estimated from a random draw, the audit arm (`labels.failure_rate`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from batch.engines.unbound_tables import unbound_table
from batch.release.format.manifest import ANY_LABEL, FailureRateFacts, PopulationCounts
from batch.release.sampling import population_queries
from batch.release.sampling.columns import NUMBER_COLUMNS, SEGMENT_PREFIX, is_segment, needs_label
from batch.release.sampling.engine import SelectionEngine
from batch.release.sampling.selection_query import rows_in
from batch.release.sampling.spec import ReleaseSpec
from batch.release.sampling.stratified_draw import LEAST_PROBABILITY
from batch.traces_in_force_view import STORED_TRACES
from labels.failure_rate import AuditedTrace, estimate_failure_rate

_FIXED_VALUES: Final[Mapping[str, Sequence[str]]] = {
    "label": ANY_LABEL,
    "route": ("auto", "review", "audit"),
}
_NEAREST: Final = 3
_SIMILARITY: Final = 0.5
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Population:
    """The traces that fit a spec, apart from its requirements on labels.

    ``labels`` counts them by label. ``drawn`` of them are in the audit arm; ``audit`` has those
    that reviewers judged. ``changed_resends`` counts ids of the window that were sent more than
    once with different content. ``warnings`` are sentences about names in the spec that no trace of
    the window has.
    """

    labels: Mapping[str, int]
    drawn: int
    audit: Sequence[AuditedTrace]
    changed_resends: int
    warnings: Sequence[str]

    def to_json(self) -> PopulationCounts:
        """Return the entry of the manifest."""
        counts: PopulationCounts = {
            "labels": dict(self.labels),
            "audit": {
                "drawn": self.drawn,
                "judged": len(self.audit),
                "failed": sum(trace.failed for trace in self.audit),
                "failure_rate": _failure_rate(self.audit),
            },
        }
        if self.changed_resends:
            counts["sent_again_otherwise"] = self.changed_resends
        if self.warnings:
            counts["warnings"] = list(self.warnings)
        return counts


def _failure_rate(audit: Sequence[AuditedTrace]) -> FailureRateFacts | None:
    estimate = estimate_failure_rate(audit)
    if estimate is None:
        return None
    return {
        "mean": round(estimate.hajek, _DIGITS),
        "low": round(estimate.low, _DIGITS),
        "high": round(estimate.high, _DIGITS),
    }


def count_population(spec: ReleaseSpec, engine: SelectionEngine) -> Population:
    """Count the traces that fit a spec, apart from its requirements on labels."""
    traces, repeated = unbound_table("traces"), engine.repeated_traces
    counted = engine.ask(
        population_queries.count_by_label(spec, traces, engine.labels_in_force, repeated)
    )
    labels = unbound_table("labels")
    rows = engine.ask(population_queries.count_audited(spec, traces, labels, repeated))
    rows.sort(key=lambda row: (_probability(row), row["failed"], row["passed"]))
    return Population(
        labels=dict(sorted((row["label"], int(row["traces"])) for row in counted)),
        drawn=sum(int(row["traces"]) for row in rows),
        audit=[
            AuditedTrace(bool(row["failed"]), _probability(row))
            for row in rows
            if bool(row["failed"]) != bool(row["passed"])  # both: the reviewers disagree
            for _ in range(int(row["traces"]))
        ],
        changed_resends=_changed_resends(spec, engine),
        warnings=unmatched_names(spec, engine),
    )


def _changed_resends(spec: ReleaseSpec, engine: SelectionEngine) -> int:
    sent = unbound_table(STORED_TRACES)
    if engine.repeated_traces is not None:
        sent = rows_in(sent, engine.repeated_traces)
    elif not engine.is_assembled:
        return 0
    if not engine.ask(population_queries.resent_traces(spec, sent).limit(1)):
        return 0
    return int(engine.ask(population_queries.count_changed_resends(spec, sent))[0]["traces"])


def _probability(row: Mapping[str, Any]) -> float:
    """Return with which probability a trace was kept before it was stored, and then audited."""
    kept, audited = row["sampling_probability"], float(row["audit_probability"])
    return audited if kept is None else audited * max(kept, LEAST_PROBABILITY)


def unmatched_names(spec: ReleaseSpec, engine: SelectionEngine) -> list[str]:
    """Return a sentence for each name in a spec that no trace of its window has.

    Manifests store these sentences.
    """
    traces = unbound_table("traces")
    segments: list[str] | None = None
    sentences = []
    for column in spec.columns:
        key = f"where.{column}" if column in spec.where else f"strata: {column}"
        condition = spec.where.get(column)
        wanted = condition if isinstance(condition, list) else []
        if column in NUMBER_COLUMNS or needs_label(column):
            values = list(_FIXED_VALUES.get(column, ()))
        elif _has_all(spec, engine, column, wanted):
            continue
        elif is_segment(column) and not _has_all(spec, engine, column, []):
            segments = segments or _values(engine, population_queries.segment_names(spec, traces))
            sentences.append(_unmatched(key, column, segments, "traces have"))
            continue
        else:
            values = _values(engine, population_queries.column_values(spec, traces, column))
            if not values:
                sentences.append(f"{key}: no trace of the window has one")
                continue
        missing = [value for value in wanted if values and value not in values]
        if missing and len(values) < population_queries.MOST_VALUES:
            sentences += [_unmatched(key, value, values, "there are") for value in missing]
    return sentences


def _has_all(
    spec: ReleaseSpec, engine: SelectionEngine, column: str, wanted: Sequence[str]
) -> bool:
    """Return whether traces of the window have each of these values; if none is given, any.

    Such a query ends at the first trace with the value, and all are read only if one is missing.
    """
    traces = unbound_table("traces")
    values: Sequence[str | None] = wanted or [None]
    return all(
        engine.ask(population_queries.values_present(spec, traces, column, value))
        for value in values
    )


def _values(engine: SelectionEngine, query: Any) -> list[str]:
    return [str(row["value"]) for row in engine.ask(query)]


def _unmatched(key: str, name: str, values: Sequence[str], have: str) -> str:
    plain = {value.removeprefix(SEGMENT_PREFIX).casefold(): value for value in reversed(values)}
    folded = name.removeprefix(SEGMENT_PREFIX).casefold()
    close = get_close_matches(folded, list(plain), _NEAREST, _SIMILARITY)
    nearest = [plain[value] for value in close]
    shown = nearest or list(values[:_NEAREST])
    instead = f"; {'the nearest' if nearest else have}: {', '.join(shown)}" if shown else ""
    return f"{key}: no trace of the window has {name!r}{instead}"
