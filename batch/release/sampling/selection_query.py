"""The selection as a query, written once in Ibis: it runs on DuckDB, Spark or a warehouse.

Order comes from md5 over the seed and an id, as lower-case hex digits compared as text: the same on
every engine. The query leaves rows of four kinds, in this order:

    candidates    traces that the spec allows, each trace id once, with the label event in force
    cells         what a conversation (or user, or trace) has in one stratum: how many traces, and
                  the one that stands for them (the first by its hash)
    strata        how many traces and how many cells there are of each stratum
    first cells   those whose hash lies below a limit, few enough to be looked at one by one
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import ibis

from batch.release.sampling.columns import (
    NO_LABEL,
    column_expression,
    needs_label,
    stored_columns,
    stratum_text,
)
from batch.release.sampling.spec import NumberRange, ReleaseSpec

COORDINATES: Final = ("_topic", "_partition", "_offset")
HASH_DIGITS: Final = 32
_KEYS: Final = ("trace_id", "session_id", "user_id", *COORDINATES)
_CELL: Final = ("stratum", "cluster")


@ibis.udf.scalar.builtin(name="md5")  # type: ignore[untyped-decorator]
def md5(text: str) -> str:  # type: ignore[empty-body]
    """Return the md5 of a text as 32 lower-case hex digits; every engine brings its own."""


def trace_columns(spec: ReleaseSpec) -> list[str]:
    """Return the columns of table ``traces`` that the selection reads."""
    fixed = [*_KEYS, "started_at", "event_date", "_policy"]
    return list(dict.fromkeys([*fixed, *stored_columns(spec.columns)]))


LABEL_COLUMNS: Final = (
    "label_event_id",
    "trace_id",
    "revision",
    "label",
    "p_fail",
    "expected_response",
    "route",
    "policy_version",
    "decided_at",
)
"""The columns of table ``labels`` that the selection reads."""


def labels_in_force(labels: Any) -> Any:
    """Return the label event of the highest revision of each trace; of two, the later one."""
    order = [labels.revision.desc(), labels.decided_at.desc(), labels.label_event_id.desc()]
    place = ibis.row_number().over(ibis.window(group_by=labels.trace_id, order_by=order))
    ranked = labels.mutate(place=place)
    return ranked.filter(ranked.place == 0).drop("place")


def candidates(spec: ReleaseSpec, traces: Any, labels: Any) -> Any:
    """Return the traces that the spec allows, with stratum, cluster and hash."""
    read = traces.select(*trace_columns(spec))
    joined = _joined(spec, _once(in_window(spec, read)), labels.select(*LABEL_COLUMNS))
    allowed = _allowed(spec, joined)
    return allowed.select(
        *_KEYS,
        stratum=stratum_text(allowed, spec.strata, spec.bands),
        cluster=_cluster(spec, allowed),
        h=md5(ibis.literal(f"{spec.seed}:trace:").concat(allowed.trace_id)),
    )


def cells(spec: ReleaseSpec, found: Any) -> Any:
    """Return one row for each stratum that a cluster has candidates in; ``traces`` counts them.

    ``draw`` orders the cells of a stratum.
    """
    if spec.one_per == "trace":
        grouped = found.mutate(traces=ibis.literal(1, "int64"))
    else:
        # One struct, not a column each: engines keep what an ordered aggregate sees until its end.
        keys = ibis.struct({name: found[name] for name in _KEYS})
        by_cell = found.group_by(_CELL).aggregate(traces=found.count(), first=keys.argmin(found.h))
        grouped = by_cell.select(*_CELL, "traces", **{name: by_cell.first[name] for name in _KEYS})
    drawn_by = ibis.literal(f"{spec.seed}:cell:").concat(grouped.stratum, ":", grouped.cluster)
    return grouped.select(*_CELL, "traces", *_KEYS, draw=md5(drawn_by))


def strata(found: Any) -> Any:
    """Return the number of traces and of cells of each stratum."""
    return found.group_by("stratum").aggregate(traces=found.traces.sum(), cells=found.count())


def first_cells(found: Any, below: Mapping[str, str | None]) -> Any:
    """Return the cells whose ``draw`` is below the limit of their stratum; None is no limit."""
    conditions = [
        (found.stratum == name) & (True if limit is None else found.draw < limit)
        for name, limit in below.items()
    ]
    return found.filter(ibis.or_(*conditions))


def cells_of(found: Any, clusters: Sequence[str]) -> Any:
    """Return all cells of these clusters: stratum, cluster, and how many traces."""
    return found.filter(found.cluster.isin(list(clusters))).select(*_CELL, "traces")


def labels_of(labels: Any, trace_ids: Sequence[str]) -> Any:
    """Return the label events in force of these traces."""
    asked = labels.filter(labels.trace_id.isin(list(trace_ids)))
    return labels_in_force(asked.select(*LABEL_COLUMNS))


def named_traces(spec: ReleaseSpec, traces: Any) -> Any:
    """Return the traces that a spec names, wherever in time they are, each once."""
    asked = traces.filter(traces.trace_id.isin(list(spec.named)))
    rows = _once(asked.select(*_KEYS, "_policy"))
    return rows.select(*_KEYS, "_policy", cluster=_cluster(spec, rows))


def synthetic_strata(spec: ReleaseSpec, rows: Any) -> Any:
    """Return trace id and stratum of those synthetic rows that meet the spec's `where`."""
    conditions = [
        meets_condition(column_expression(rows, c), wanted) for c, wanted in spec.where.items()
    ]
    found = rows.filter(*conditions) if conditions else rows
    return found.select("trace_id", stratum=stratum_text(found, spec.strata, spec.bands))


def count_by_policy(spec: ReleaseSpec, traces: Any) -> Any:
    """Return how many traces of the window there are under each redaction policy."""
    rows = in_window(spec, traces)
    return rows.group_by("_policy").aggregate(traces=rows.count())


def hash_limit(wanted: int, cells: int) -> str | None:
    """Return a hash below which about ``wanted`` of ``cells`` lie, some more rather than fewer."""
    if cells == 0:
        return None
    share = (wanted + 6 * wanted**0.5 + 20) / cells
    if share >= 1:
        return None
    return f"{int(share * 16**13):013x}".ljust(HASH_DIGITS, "0")


def in_window(spec: ReleaseSpec, traces: Any) -> Any:
    """Return the traces that began in the window of a spec."""
    first, last = spec.window.days
    return traces.filter(
        traces.event_date >= first,
        traces.event_date <= last,
        traces.started_at >= ibis.literal(spec.window.start),
        traces.started_at < ibis.literal(spec.window.end),
    )


def _once(traces: Any) -> Any:
    """Return each trace id once: of one that was sent twice, the first in its partition counts."""
    order = [traces["_offset"].asc(), traces["_topic"].asc(), traces["_partition"].asc()]
    place = ibis.row_number().over(ibis.window(group_by=traces.trace_id, order_by=order))
    ranked = traces.mutate(place=place)
    return ranked.filter(ranked.place == 0).drop("place")


def _joined(spec: ReleaseSpec, traces: Any, labels: Any) -> Any:
    if not (any(needs_label(c) for c in spec.columns) or _demands_label(spec)):
        return traces
    known = labels_in_force(labels).rename(label_trace_id="trace_id")
    wide = traces.left_join(known, traces.trace_id == known.label_trace_id)
    return wide.mutate(
        label=ibis.coalesce(wide.label, ibis.literal(NO_LABEL)),
        confidence=ibis.greatest(wide.p_fail, 1 - wide.p_fail),
    )


def _demands_label(spec: ReleaseSpec) -> bool:
    return spec.labels.demands or len(spec.labels.accept) < 4


def _allowed(spec: ReleaseSpec, rows: Any) -> Any:
    conditions = [
        meets_condition(column_expression(rows, c), wanted) for c, wanted in spec.where.items()
    ]
    if spec.redaction_policies != "any":
        conditions.append(rows["_policy"].isin(spec.redaction_policies))
    demands = spec.labels
    if len(demands.accept) < 4:
        conditions.append(rows.label.isin(demands.accept))
    if demands.min_confidence > 0:
        conditions.append(rows.confidence >= demands.min_confidence)
    if demands.policies:
        conditions.append(rows.policy_version.isin(demands.policies))
    if demands.expected_response == "required":
        conditions.append(rows.expected_response.notnull())
    if spec.named:
        conditions.append(rows.trace_id.notin(list(spec.named)))
    return rows.filter(*conditions) if conditions else rows


def meets_condition(value: Any, wanted: list[str] | NumberRange) -> Any:
    """Return the condition that a value is what `where` asks for."""
    if not isinstance(wanted, NumberRange):
        return value.isin(wanted)
    above = True if wanted.min is None else value >= wanted.min
    return above & (True if wanted.max is None else value <= wanted.max)


def _cluster(spec: ReleaseSpec, rows: Any) -> Any:
    """Return what a row is the only one of: its conversation or user; itself where it has none."""
    own = ibis.literal("t:").concat(rows.trace_id)
    conversation = ibis.literal("s:").concat(rows.session_id)
    if spec.one_per == "conversation":
        return ibis.coalesce(conversation, own)
    if spec.one_per == "user":
        return ibis.coalesce(ibis.literal("u:").concat(rows.user_id), conversation, own)
    return own
