"""Ibis queries that count the traces of a window, other than those of strata and cells.

They cover all traces that fit a spec regardless of their label: a golden set holds labelled traces,
and states how many others there are and how often answers fail among all of them.
"""

from typing import Any, Final

import ibis

from batch.release.sampling.columns import (
    NO_LABEL,
    SEGMENT_PREFIX,
    column_expression,
    needs_label,
    stored_columns,
)
from batch.release.sampling.selection_query import (
    LABEL_COLUMNS,
    in_window,
    labels_in_force,
    meets_condition,
    rows_in,
    rows_outside,
)
from batch.release.sampling.spec import ReleaseSpec

MOST_VALUES: Final = 1_000
"""The most values of a column that are read, the most frequent first."""

FAILED: Final = "review_fail"
PASSED: Final = "review_pass"


def fitting_traces(spec: ReleaseSpec, traces: Any, repeated: Any | None, *more: str) -> Any:
    """Return the ids of the traces that fit regardless of their label, each once.

    ``repeated`` is a table with the ids that have several rows, None if there are none. ``more``
    are further columns, whose value is the same in all rows of a trace.
    """
    columns = [c for c in spec.where if not needs_label(c)]
    fixed = ["trace_id", "started_at", "event_date", "_policy", *more]
    read = in_window(spec, traces.select(*dict.fromkeys([*fixed, *stored_columns(columns)])))
    conditions = [meets_condition(column_expression(read, c), spec.where[c]) for c in columns]
    if spec.redaction_policies != "any":
        conditions.append(read["_policy"].isin(spec.redaction_policies))
    fitting = read.filter(*conditions) if conditions else read
    rows = fitting.select("trace_id", *more)
    if repeated is None:
        return rows
    return rows_outside(rows, repeated).union(rows_in(rows, repeated).distinct())


def count_by_label(spec: ReleaseSpec, traces: Any, labels: Any, repeated: Any | None) -> Any:
    """Return how many of the fitting traces have each label; ``labels`` are those in force."""
    in_force = labels.select(label_trace_id="trace_id", label="label")
    fit = fitting_traces(spec, traces, repeated)
    wide = fit.left_join(in_force, fit.trace_id == in_force.label_trace_id)
    named = wide.mutate(label=ibis.coalesce(wide.label, ibis.literal(NO_LABEL)))
    return named.group_by("label").aggregate(traces=named.count())


def count_audited(spec: ReleaseSpec, traces: Any, labels: Any, repeated: Any | None) -> Any:
    """Return how many of the fitting traces the audit drew, by its probability and the verdict.

    ``failed`` and ``passed`` say whether a review in force has that verdict,
    ``sampling_probability`` with which probability the trace was kept before it was stored.
    """
    columns = (*LABEL_COLUMNS, "audit_probability", "evidence")
    fit = fitting_traces(spec, traces, repeated, "sampling_probability")
    kept = fit.rename(kept_trace_id="trace_id")
    drawn = labels.select(*columns).filter(labels.route == "audit")
    last = labels_in_force(drawn.filter(drawn.audit_probability > 0))
    kinds = last.evidence.filter(lambda item: item["weight"] != 0).map(lambda item: item["kind"])
    judged = last.select(
        "trace_id",
        "audit_probability",
        failed=kinds.contains(FAILED),
        passed=kinds.contains(PASSED),
    )
    fitting = judged.inner_join(kept, judged.trace_id == kept.kept_trace_id)
    keys = ["audit_probability", "sampling_probability", "failed", "passed"]
    return fitting.group_by(keys).aggregate(traces=lambda t: t.count())


def values_present(spec: ReleaseSpec, traces: Any, column: str, value: str | None = None) -> Any:
    """Return one row if a trace of the window has a value of a column, or this one."""
    rows = in_window(spec, _with_column(traces, column))
    found = column_expression(rows, column)
    present = rows.filter(found.notnull() if value is None else found == value)
    return present.select(present=ibis.literal(1)).limit(1)


def resent_traces(spec: ReleaseSpec, traces: Any) -> Any:
    """Return the ids of the traces of the window that were sent more than once, as records."""
    sent = traces.filter(traces.revision.isnull())
    rows = in_window(spec, sent.select("trace_id", "started_at", "event_date"))
    counted = rows.group_by("trace_id").aggregate(times=rows.count())
    return counted.filter(counted.times > 1).select("trace_id")


def count_changed_resends(spec: ReleaseSpec, traces: Any) -> Any:
    """Return how many traces of the window were sent again with another status, answer or input."""
    compared = ["status", "response", "error_message", "finish_reason"]
    columns = ["trace_id", "started_at", "event_date", *compared, "messages"]
    rows = in_window(spec, traces.filter(traces.revision.isnull()).select(*columns))
    again = rows_in(rows, resent_traces(spec, traces))
    kinds = again.messages.length().nunique() + again.started_at.nunique()
    for name in compared:
        kinds += ibis.coalesce(again[name], ibis.literal("")).nunique()
    differs = again.group_by("trace_id").aggregate(kinds=kinds)
    return differs.filter(differs.kinds > len(compared) + 2).aggregate(traces=lambda t: t.count())


def column_values(spec: ReleaseSpec, traces: Any, column: str) -> Any:
    """Return the values that a column has in the window, the most frequent first."""
    rows = in_window(spec, _with_column(traces, column))
    named = rows.select(value=column_expression(rows, column))
    present = named.filter(named.value.notnull())
    counted = present.group_by("value").aggregate(traces=present.count())
    return counted.order_by([counted.traces.desc(), counted.value]).limit(MOST_VALUES)


def _with_column(traces: Any, column: str) -> Any:
    fixed = ["trace_id", "started_at", "event_date"]
    return traces.select(*dict.fromkeys([*fixed, *stored_columns([column])]))


def segment_names(spec: ReleaseSpec, traces: Any) -> Any:
    """Return the names of the segments that traces of the window have."""
    rows = in_window(spec, traces.select("started_at", "event_date", "segments"))
    names = rows.select(value=rows.segments.keys().unnest())
    counted = names.group_by("value").aggregate(traces=names.count())
    ordered = counted.order_by([counted.traces.desc(), counted.value]).limit(MOST_VALUES)
    return ordered.mutate(value=ibis.literal(SEGMENT_PREFIX).concat(ordered.value))
