"""The selection as one Ibis query, which runs on DuckDB and on Spark.

The order is that of md5 over the seed and an id, as lower-case hex digits compared as text: the
same on every engine. The query has four steps:

    candidates    traces in force that the spec allows, with the label event in force
    cells         the traces of a conversation (or user, or trace) in one stratum: their number, and
                  the one that represents them (the first by its hash)
    strata        the number of traces and of cells of each stratum, and what they represent
    first cells   the cells whose hash is below a limit, few enough to be read one by one

No step needs all cells at once: those above the limit are left out before cells are grouped.
"""

from collections.abc import Sequence
from typing import Any, Final

import ibis

from batch.release.sampling.columns import (
    NO_LABEL,
    column_expression,
    is_missing,
    needs_label,
    stored_columns,
    stratum_text,
)
from batch.release.sampling.spec import NumberRange, ReleaseSpec
from batch.release.sampling.stratified_draw import LEAST_PROBABILITY
from schemas.trace_in_force import IN_FORCE_COLUMNS

COORDINATES: Final = ("_topic", "_partition", "_offset")
SAMPLING_UNITS: Final = 2**20
"""The units of ``represents``: a trace that was kept for certain stands for as many."""
HASH_DIGITS: Final = 32
ABOVE_ALL_HASHES: Final = "g"
"""A limit that every hash is below: its digits are 0 to f."""
_KEYS: Final = ("trace_id", "session_id", "user_id", *COORDINATES, "sampling_probability")
_CELL: Final = ("stratum", "cluster")


@ibis.udf.scalar.builtin(name="md5")  # type: ignore[untyped-decorator]
def md5(text: str) -> str:  # type: ignore[empty-body]
    """Return the md5 of a text as 32 lower-case hex digits; every engine has its own function."""


def trace_columns(spec: ReleaseSpec) -> list[str]:
    """Return the columns of table ``traces`` that the selection reads."""
    fixed = [*_KEYS, *IN_FORCE_COLUMNS, "started_at", "event_date", "_policy"]
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


def rows_in(rows: Any, table: Any, keys: Sequence[str] = ("trace_id",)) -> Any:
    """Return the rows whose keys are in a table."""
    return rows.semi_join(table, list(keys)).select(*rows.columns)  # ends the chain of joins


def rows_outside(rows: Any, table: Any, keys: Sequence[str] = ("trace_id",)) -> Any:
    """Return the rows whose keys are not in a table."""
    return rows.anti_join(table, list(keys)).select(*rows.columns)


def label_columns(spec: ReleaseSpec) -> list[str]:
    """Return the columns of the label event in force that choose candidates, and those of order."""
    unused = () if spec.labels.expected_response == "required" else ("expected_response",)
    return [name for name in LABEL_COLUMNS if name not in unused]


def repeated_ids(rows: Any) -> Any:
    """Return the ids of traces that have several rows."""
    counted = rows.group_by("trace_id").aggregate(times=rows.count())
    return counted.filter(counted.times > 1).select("trace_id")


def labels_in_force(labels: Any) -> Any:
    """Return the label event of the highest revision of each trace, the later one of two."""
    order = [labels.revision.desc(), labels.decided_at.desc(), labels.label_event_id.desc()]
    rank = ibis.row_number().over(ibis.window(group_by=labels.trace_id, order_by=order))
    ranked = labels.mutate(rank=rank)
    return ranked.filter(ranked.rank == 0).drop("rank")


def candidates(spec: ReleaseSpec, traces: Any, labels: Any) -> Any:
    """Return the traces that the spec allows, with stratum and cluster.

    ``traces`` may hold several rows of a trace, if all of them are in the window, and ``labels``
    several label events.
    """
    read = traces.select(*trace_columns(spec))
    rows = in_force(in_window(spec, read))
    return candidates_in_force(spec, rows, labels_in_force(labels.select(*LABEL_COLUMNS)))


def candidates_in_force(spec: ReleaseSpec, traces: Any, labels: Any) -> Any:
    """Return the candidates among rows of the window and label events that are in force."""
    allowed = _allowed(spec, _joined(spec, traces, labels))
    stratum = stratum_text(allowed, spec.strata, spec.bands)
    return allowed.select(*_KEYS, stratum=stratum, cluster=cluster_of(spec, allowed))


def cells(spec: ReleaseSpec, candidates: Any) -> Any:
    """Return one row per cluster and stratum with candidates; ``traces`` counts them.

    ``represents`` is how many traces they stand for, in `SAMPLING_UNITS`: a trace that was kept
    with a probability stands for 1 / probability. ``draw`` orders the cells of a stratum.
    """
    if spec.one_per == "trace":
        grouped = candidates.mutate(
            traces=ibis.literal(1, "int64"), represents=_units_of(candidates)
        )
    else:
        # One struct, not one column each: engines keep the inputs of an ordered aggregate.
        keys = ibis.struct({name: candidates[name] for name in _KEYS})
        h = md5(ibis.literal(f"{spec.seed}:trace:").concat(candidates.trace_id))
        by_cell = candidates.group_by(_CELL).aggregate(
            traces=candidates.count(),
            represents=_units_of(candidates).sum(),
            first=keys.argmin(h),
        )
        grouped = by_cell.select(
            *_CELL, "traces", "represents", **{name: by_cell.first[name] for name in _KEYS}
        )
    return grouped.select(*_CELL, "traces", "represents", *_KEYS, draw=_draw_of(spec, grouped))


def _draw_of(spec: ReleaseSpec, rows: Any) -> Any:
    """Return the hash that orders the cells of a stratum."""
    cell = ibis.literal(f"{spec.seed}:cell:").concat(rows.stratum, ":", rows.cluster)
    return md5(cell)


def _units_of(rows: Any) -> Any:
    return _sampling_units(rows.sampling_probability)


def _sampling_units(probability: Any) -> Any:
    """Return how many traces a trace stands for, as a whole number of units.

    Whole numbers add up to the same in any order.
    """
    units = SAMPLING_UNITS / ibis.greatest(probability, ibis.literal(LEAST_PROBABILITY))
    whole = (units + 0.5).floor().cast("int64")
    return ibis.ifelse(is_missing(probability), ibis.literal(SAMPLING_UNITS, "int64"), whole)


def strata(spec: ReleaseSpec, candidates: Any) -> Any:
    """Return the number of traces and of cells of each stratum, and what they represent."""
    is_cell = spec.one_per == "trace"
    cells = candidates.count() if is_cell else candidates.cluster.nunique()
    return candidates.group_by("stratum").aggregate(
        traces=candidates.count(), cells=cells, represents=_units_of(candidates).sum()
    )


def first_cells(spec: ReleaseSpec, candidates: Any, limits: Any) -> Any:
    """Return the cells whose ``draw`` is below the limit of their stratum.

    ``limits`` is a table of strata and limits (``stratum``, ``below``).
    """
    limited = candidates.join(limits, "stratum")
    kept = limited.filter(_draw_of(spec, limited) < limited.below).drop("below")
    return cells(spec, kept).drop("represents")


def cells_of(candidates: Any) -> Any:
    """Return the cells of these candidates: stratum, cluster, and how many traces."""
    return candidates.group_by(_CELL).aggregate(traces=candidates.count())


def labels_of(labels: Any, trace_ids: Any) -> Any:
    """Return the label events in force of the traces whose ids are in table ``trace_ids``."""
    return labels_in_force(rows_in(labels.select(*LABEL_COLUMNS), trace_ids))


def named_traces(spec: ReleaseSpec, traces: Any) -> Any:
    """Return the traces that a spec names, whatever their time, each once."""
    selected = traces.filter(traces.trace_id.isin(list(spec.named)))
    rows = in_force(selected.select(*dict.fromkeys([*_KEYS, *IN_FORCE_COLUMNS]), "_policy"))
    return rows.select(*_KEYS, "_policy", cluster=cluster_of(spec, rows))


def synthetic_strata(spec: ReleaseSpec, rows: Any) -> Any:
    """Return trace id and stratum of those synthetic rows that meet the spec's `where`."""
    conditions = [
        meets_condition(column_expression(rows, c), condition)
        for c, condition in spec.where.items()
    ]
    fitting = rows.filter(*conditions) if conditions else rows
    return fitting.select("trace_id", stratum=stratum_text(fitting, spec.strata, spec.bands))


def count_by_policy(spec: ReleaseSpec, traces: Any) -> Any:
    """Return how many traces of the window there are under each redaction policy."""
    rows = in_window(spec, traces)
    return rows.group_by("_policy").aggregate(traces=rows.count())


def hash_limit(target: int, cells: int) -> str | None:
    """Return a hash with about ``target`` of ``cells`` below it, rather more than fewer."""
    if cells == 0:
        return None
    share = (target + 6 * target**0.5 + 20) / cells
    if share >= 1:
        return None
    return f"{int(share * 16**13):013x}".ljust(HASH_DIGITS, "0")


def in_window(spec: ReleaseSpec, traces: Any) -> Any:
    """Return the traces that started in the window of a spec."""
    first, last = spec.window.days
    return traces.filter(
        traces.event_date >= first,
        traces.event_date <= last,
        traces.started_at >= ibis.literal(spec.window.start),
        traces.started_at < ibis.literal(spec.window.end),
    )


def in_force(traces: Any) -> Any:
    """Return the rows in force (`schemas.trace_in_force`), among all rows of their traces."""
    ranked = _ranked(traces)
    return ranked.filter(ranked.rank == 0, ranked.duplicate_of.isnull()).drop("rank")


def outranked(traces: Any) -> Any:
    """Return the coordinates of the rows that do not count, among all rows of their traces."""
    ranked = _ranked(traces)
    return ranked.filter(ranked.rank > 0).select(*COORDINATES)


def _ranked(traces: Any) -> Any:
    order = [
        traces.revision.desc(nulls_first=True),
        traces["_offset"].asc(),
        traces["_topic"].asc(),
        traces["_partition"].asc(),
    ]
    rank = ibis.row_number().over(ibis.window(group_by=traces.trace_id, order_by=order))
    return traces.mutate(rank=rank)


def _joined(spec: ReleaseSpec, traces: Any, labels: Any) -> Any:
    if not (any(needs_label(c) for c in spec.columns) or _requires_label(spec)):
        return traces
    named = labels.rename(label_trace_id="trace_id")
    wide = traces.left_join(named, traces.trace_id == named.label_trace_id)
    return wide.mutate(
        label=ibis.coalesce(wide.label, ibis.literal(NO_LABEL)),
        confidence=ibis.greatest(wide.p_fail, 1 - wide.p_fail),
    )


def _requires_label(spec: ReleaseSpec) -> bool:
    return spec.labels.require_event or len(spec.labels.accept) < 4


def _allowed(spec: ReleaseSpec, rows: Any) -> Any:
    conditions = [
        meets_condition(column_expression(rows, c), condition)
        for c, condition in spec.where.items()
    ]
    if spec.redaction_policies != "any":
        conditions.append(rows["_policy"].isin(spec.redaction_policies))
    required = spec.labels
    if len(required.accept) < 4:
        conditions.append(rows.label.isin(required.accept))
    if required.min_confidence > 0:
        conditions.append(rows.confidence >= required.min_confidence)
    if required.policies:
        conditions.append(rows.policy_version.isin(required.policies))
    if required.expected_response == "required":
        conditions.append(rows.expected_response.notnull())
    if spec.named:
        conditions.append(rows.trace_id.notin(list(spec.named)))
    return rows.filter(*conditions) if conditions else rows


def meets_condition(value: Any, condition: list[str] | NumberRange) -> Any:
    """Return the expression that a value meets a condition of `where`."""
    if not isinstance(condition, NumberRange):
        return value.isin(condition)
    above = True if condition.min is None else value >= condition.min
    return above & (True if condition.max is None else value <= condition.max)


def cluster_of(spec: ReleaseSpec, rows: Any) -> Any:
    """Return the cluster of a row: its conversation or user, or itself if it has none."""
    own = ibis.literal("t:").concat(rows.trace_id)
    conversation = ibis.literal("s:").concat(rows.session_id)
    if spec.one_per == "conversation":
        return ibis.coalesce(conversation, own)
    if spec.one_per == "user":
        return ibis.coalesce(ibis.literal("u:").concat(rows.user_id), conversation, own)
    return own
