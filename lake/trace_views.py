"""Views over a lake with the names that Databricks gives to its tables of traces.

``_otel_spans`` has one row for each span, ``_trace_unified`` one for each trace in force, with its
spans and the feedback on it. Columns have the name and the meaning of those in Unity Catalog where
the lake has their content (Databricks, "Query OpenTelemetry traces stored in Unity Catalog" and
"Unified trace table schema reference"); the others are left out. Databases keep the text of a view,
not its rows, so a view shows the tables as they are when it is read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from schemas.arrow import SPANS_TABLE
from schemas.trace_in_force import in_force_sql

SPANS_VIEW: Final = "_otel_spans"
TRACES_VIEW: Final = "_trace_unified"
SOURCE_TABLES: Final = ("traces", "feedback", SPANS_TABLE)
"""The tables that the views read."""

SESSION_KEY: Final = "mlflow.trace.session"
USER_KEY: Final = "mlflow.trace.user"
"""The keys under which MLflow keeps the session and the user of a trace."""

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ViewDialect:
    """How a database writes what the views need.

    ``view`` begins a statement that creates a view, ``local_view`` one over tables that only the
    session knows. ``table`` makes a Delta table at an address known by a name. ``document`` is a
    JSON document from its text, ``mapped`` a list with each ``item`` changed, ``gathered`` a list
    of the values of a group.
    """

    view: str
    local_view: str
    table: Callable[[str, str], str]
    document: Callable[[str], str]
    struct: Callable[[Pairs], str]
    mapped: Callable[[str, str], str]
    spans: Callable[[str], str]
    metadata: Callable[[Pairs], str]
    gathered: Callable[[str], str]


def write_views(
    dialect: str,
    *,
    addresses: Mapping[str, str] | None = None,
    prefix: str = "",
    schema: str | None = None,
) -> str:
    """Return the statements that create the views in a dialect of `VIEW_DIALECTS`.

    ``addresses`` are those of the tables; None if the database knows the tables by their names.
    ``prefix`` goes before the names of the views. ``schema`` is where views and tables are.
    """
    own = VIEW_DIALECTS[dialect]
    place = "" if schema is None else f"{schema}."
    return "\n".join(f"{text};\n" for text in _statements(own, addresses, place, prefix))


def _statements(
    own: ViewDialect, addresses: Mapping[str, str] | None, place: str, prefix: str
) -> Iterator[str]:
    for name in SOURCE_TABLES if addresses is not None else ():
        yield own.table(f"{place}{name}", (addresses or {})[name])
    spans, traces = f"{place}{prefix}{SPANS_VIEW}", f"{place}{prefix}{TRACES_VIEW}"
    view = own.local_view if addresses is None else own.view
    yield f"{view} {spans} AS\n{_span_query(own, f'{place}{SPANS_TABLE}')}"
    yield f"{view} {traces} AS\n{_trace_query(own, place, spans)}"


def _span_query(own: ViewDialect, table: str) -> str:
    """Return the query for one row of each span: the whole one, or the part that ended last."""
    order = "part = 'fragment', end_time_unix_nano DESC NULLS LAST, _topic, _partition, _offset"
    columns = (
        ("record_id", "concat_ws('/', _topic, _partition, _offset, coalesce(_index, 0))"),
        ("time", "started_at"),
        ("date", "event_date"),
        ("trace_id", "trace_id"),
        ("span_id", "span_id"),
        ("trace_state", "trace_state"),
        ("parent_span_id", "parent_span_id"),
        ("flags", "flags"),
        ("name", "name"),
        ("kind", "'SPAN_KIND_' || upper(kind)"),
        ("start_time_unix_nano", "start_time_unix_nano"),
        ("end_time_unix_nano", "end_time_unix_nano"),
        ("attributes", own.document("attributes")),
        ("dropped_attributes_count", "dropped_attributes"),
        ("events", own.mapped("events", _items(own, ("time_unix_nano", "name")))),
        ("links", own.mapped("links", _items(own, ("trace_id", "span_id")))),
        ("status", own.struct((("message", "status_message"), ("code", _STATUS_CODE)))),
        ("resource", own.struct((("attributes", own.document("resource")),))),
        ("instrumentation_scope", own.struct((("name", "scope"),))),
    )
    return f"""SELECT {_select(columns)}
FROM (
  SELECT *, row_number() OVER (PARTITION BY trace_id, span_id ORDER BY {order}, _index) AS place
  FROM {table} WHERE record IN ('span', 'run'))
WHERE place = 1"""  # noqa: S608 - names of this program, and of the person who runs the statements


def _trace_query(own: ViewDialect, place: str, spans: str) -> str:
    """Return the query for one row of each trace in force."""
    span = own.struct(tuple((name, name) for name in _UNIFIED_SPAN))
    assessment = own.struct(
        (
            ("assessment_id", "feedback_id"),
            ("assessment_name", "kind"),
            ("feedback", own.struct((("value", "value"),))),
            ("source", own.struct((("source_type", _SOURCE_TYPE), ("source_id", "user_id")))),
            ("rationale", "comment"),
            ("create_time", "occurred_at"),
        )
    )
    columns = (
        ("trace_id", "trace.trace_id"),
        ("client_request_id", "trace.request_id"),
        ("request_time", "trace.started_at"),
        ("state", "upper(trace.status)"),
        ("execution_duration_ms", "trace.latency_ms"),
        ("request", "to_json(trace.messages)"),
        ("response", "trace.response"),
        (
            "trace_metadata",
            own.metadata(((SESSION_KEY, "trace.session_id"), (USER_KEY, "trace.user_id"))),
        ),
        ("tags", "trace.segments"),
        ("spans", own.spans("span.spans")),
        ("assessments", "assessment.assessments"),
    )
    return f"""SELECT {_select(columns)}
FROM ({in_force_sql(f"{place}traces")}) AS trace
LEFT JOIN (
  SELECT trace_id, {own.gathered(span)} AS spans FROM {spans} GROUP BY trace_id
) AS span ON span.trace_id = trace.trace_id
LEFT JOIN (
  SELECT trace_id, {own.gathered(assessment)} AS assessments FROM {place}feedback GROUP BY trace_id
) AS assessment ON assessment.trace_id = trace.trace_id"""  # noqa: S608 - as above


_STATUS_CODE: Final = (
    "CASE status_code WHEN 1 THEN 'STATUS_CODE_OK' WHEN 2 THEN 'STATUS_CODE_ERROR' "
    "ELSE 'STATUS_CODE_UNSET' END"
)
_SOURCE_TYPE: Final = "CASE actor WHEN 'system' THEN 'CODE' ELSE 'HUMAN' END"
_UNIFIED_SPAN: Final = (
    "span_id",
    "parent_span_id",
    "flags",
    "name",
    "kind",
    "start_time_unix_nano",
    "end_time_unix_nano",
    "attributes",
    "events",
    "links",
    "status",
    "resource",
    "instrumentation_scope",
)
"""The columns of a span within its trace."""


def _items(own: ViewDialect, names: Sequence[str]) -> str:
    plain = [(name, f"item.{name}") for name in names]
    return own.struct([*plain, ("attributes", own.document("item.attributes"))])


def _select(columns: Pairs) -> str:
    return ",\n  ".join(text if text == name else f"{text} AS {name}" for name, text in columns)


def _spark_struct(pairs: Pairs) -> str:
    fields = ", ".join(f"'{name}', {text}" for name, text in pairs)
    return f"named_struct({fields})"


def _spark_spans(spans: str) -> str:
    """Return spans in the order of their start; documents in them cannot be compared."""
    start, other = (f"coalesce({span}.start_time_unix_nano, 0)" for span in ("l", "r"))
    return (
        f"array_sort({spans}, (l, r) -> CASE WHEN {start} < {other} THEN -1 "
        f"WHEN {start} > {other} THEN 1 WHEN l.span_id < r.span_id THEN -1 "
        "WHEN l.span_id > r.span_id THEN 1 ELSE 0 END)"
    )


def _spark_metadata(pairs: Pairs) -> str:
    keys = ", ".join(f"'{key}'" for key, _ in pairs)
    entries = ", ".join(f"'{key}', {value}" for key, value in pairs)
    others = f"map_filter(trace.attributes, (k, v) -> k NOT IN ({keys}))"
    return f"map_concat({others}, map({entries}))"


def _duckdb_spans(spans: str) -> str:
    ordered = (
        f"list_sort(list_transform({spans}, lambda one: struct_pack(start := "
        "coalesce(one.start_time_unix_nano, 0), id := one.span_id, span := one)))"
    )
    return f"list_transform({ordered}, lambda one: one.span)"


def _duckdb_metadata(pairs: Pairs) -> str:
    entries = ", ".join(f"'{key}': {value}" for key, value in pairs)
    return f"map_concat(trace.attributes, MAP {{{entries}}})"


def _quoted(address: str) -> str:
    return address.replace("'", "''")


_SPARK: Final = ViewDialect(
    view="CREATE OR REPLACE TEMPORARY VIEW",
    local_view="CREATE OR REPLACE TEMPORARY VIEW",
    table=lambda name, at: (
        f"CREATE OR REPLACE TEMPORARY VIEW {name} AS SELECT * FROM delta.`{at}`"  # noqa: S608 - the lake's address
    ),
    document=lambda text: text,
    struct=_spark_struct,
    mapped=lambda column, item: f"transform({column}, item -> {item})",
    spans=_spark_spans,
    metadata=_spark_metadata,
    gathered=lambda item: f"collect_list({item})",
)
VIEW_DIALECTS: Final[Mapping[str, ViewDialect]] = {
    "duckdb": ViewDialect(
        view="CREATE OR REPLACE VIEW",
        local_view="CREATE OR REPLACE TEMP VIEW",
        table=lambda name, at: (
            f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM delta_scan('{_quoted(at)}')"  # noqa: S608 - the lake's address
        ),
        document=lambda text: f"CAST({text} AS JSON)",
        struct=lambda pairs: (
            f"struct_pack({', '.join(f'{name} := {text}' for name, text in pairs)})"
        ),
        mapped=lambda column, item: f"list_transform({column}, lambda item: {item})",
        spans=_duckdb_spans,
        metadata=_duckdb_metadata,
        gathered=lambda item: f"list({item})",
    ),
    "spark": _SPARK,
    "databricks": replace(
        _SPARK,
        view="CREATE OR REPLACE VIEW",
        local_view="CREATE OR REPLACE VIEW",
        table=lambda name, at: (
            f"CREATE TABLE IF NOT EXISTS {name} USING DELTA LOCATION '{_quoted(at)}'"
        ),
        document=lambda text: f"parse_json({text})",
    ),
}
"""The databases that the views are written for."""
