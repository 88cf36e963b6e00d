"""Views over a lake with the names that Databricks gives to its tables of traces.

``_otel_spans`` has one row for each span, ``_trace_unified`` one for each trace in force, with its
spans and the feedback on it. Columns have the name and the meaning of those in Unity Catalog where
the lake has their content (Databricks, "Query OpenTelemetry traces stored in Unity Catalog" and
"Unified trace table schema reference"); the others are left out. Databases keep the text of a view,
not its rows, so a view shows the tables as they are when it is read.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from lake.sql_names import quote_words
from lake.view_dialects import VIEW_DIALECTS, Pairs, ViewDialect
from schemas.arrow import SPANS_TABLE
from schemas.trace_in_force import in_force_sql

SPANS_VIEW: Final = "_otel_spans"
TRACES_VIEW: Final = "_trace_unified"
SOURCE_TABLES: Final = ("traces", "feedback", SPANS_TABLE)
"""The tables that the views read."""

SESSION_KEY: Final = "mlflow.trace.session"
USER_KEY: Final = "mlflow.trace.user"
"""The keys under which MLflow keeps the session and the user of a trace."""


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
    place = "" if schema is None else f"{quote_words(dialect, schema)}."
    view = own.local_view if addresses is None else own.view
    tables = [own.table(f"{place}{name}", at) for name, at in (addresses or {}).items()]
    statements = [*tables, *view_statements(own, view, place, prefix)]
    return "\n".join(f"{text};\n" for text in statements)


def view_statements(own: ViewDialect, view: str, qualifier: str, prefix: str) -> Iterator[str]:
    """Yield the statements that create the two views over tables that are known by their names.

    ``view`` begins each statement, ``qualifier`` goes before the name of every table and view, and
    ``prefix`` before the names of the two views.
    """
    spans, traces = f"{qualifier}{prefix}{SPANS_VIEW}", f"{qualifier}{prefix}{TRACES_VIEW}"
    yield f"{view} {spans} AS\n{_span_query(own, f'{qualifier}{SPANS_TABLE}')}"
    yield f"{view} {traces} AS\n{_trace_query(own, qualifier, spans)}"


def _span_query(own: ViewDialect, table: str) -> str:
    """Return the query for one row of each span: the whole one, or the part that ended last."""
    order = "part = 'fragment', end_time_unix_nano DESC NULLS LAST, _topic, _partition, _offset"
    columns = (
        ("record_id", _record_id(own)),
        ("time", own.time("started_at")),
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
            ("feedback", own.struct((("value", "feedback.value"),))),
            ("source", own.struct((("source_type", _SOURCE_TYPE), ("source_id", "user_id")))),
            ("rationale", "comment"),
            ("create_time", own.time("occurred_at")),
        )
    )
    assessments = own.gathered(assessment, None)
    columns = (
        ("trace_id", "trace.trace_id"),
        ("client_request_id", "trace.request_id"),
        ("request_time", own.time("trace.started_at")),
        ("state", "upper(trace.status)"),
        ("execution_duration_ms", "trace.latency_ms"),
        ("request", own.json_text("trace.messages")),
        ("response", "trace.response"),
        (
            "trace_metadata",
            own.metadata(((SESSION_KEY, "trace.session_id"), (USER_KEY, "trace.user_id"))),
        ),
        ("tags", "trace.segments"),
        ("spans", own.in_order("span.spans")),
        ("assessments", "assessment.assessments"),
    )
    return f"""SELECT {_select(columns)}
FROM ({in_force_sql(f"{place}traces")}) AS trace
LEFT JOIN (
  SELECT trace_id, {own.gathered(span, _SPAN_ORDER)} AS spans FROM {spans} GROUP BY trace_id
) AS span ON span.trace_id = trace.trace_id
LEFT JOIN (
  SELECT trace_id, {assessments} AS assessments FROM {place}feedback AS feedback
  GROUP BY trace_id
) AS assessment ON assessment.trace_id = trace.trace_id"""  # noqa: S608 - as above


_STATUS_CODE: Final = (
    "CASE status_code WHEN 1 THEN 'STATUS_CODE_OK' WHEN 2 THEN 'STATUS_CODE_ERROR' "
    "ELSE 'STATUS_CODE_UNSET' END"
)
_SPAN_ORDER: Final = "coalesce(start_time_unix_nano, 0), span_id"
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
    plain = [(name, own.item(name)) for name in names]
    return own.struct([*plain, ("attributes", own.document(own.item("attributes")))])


def _record_id(own: ViewDialect) -> str:
    numbers = map(own.text, ("_partition", "_offset", "coalesce(_index, 0)"))
    return f"concat_ws('/', _topic, {', '.join(numbers)})"


def _select(columns: Pairs) -> str:
    return ",\n  ".join(text if text == name else f"{text} AS {name}" for name, text in columns)
