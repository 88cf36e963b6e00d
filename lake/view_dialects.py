"""How databases write what the views of spans and traces need (`lake.trace_views`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

Pairs: TypeAlias = Sequence[tuple[str, str]]
"""Names, and the expression for each."""


@dataclass(frozen=True, slots=True)
class ViewDialect:
    """How a database writes what the views need.

    ``view`` begins a statement that creates a view, ``local_view`` one over tables that only the
    session knows. ``table`` makes a Delta table at an address known by a name. ``document`` is a
    JSON document from its text, ``json_text`` the text of a list as JSON. ``mapped`` is a list with
    each item changed, and ``item`` a field of that item. ``gathered`` is a list of the values of a
    group in an order, ``in_order`` puts spans in order where ``gathered`` cannot. ``text`` is a
    number as text, ``time`` a time as a view may hold it.
    """

    view: str
    local_view: str
    table: Callable[[str, str], str]
    document: Callable[[str], str]
    struct: Callable[[Pairs], str]
    mapped: Callable[[str, str], str]
    metadata: Callable[[Pairs], str]
    gathered: Callable[[str, str | None], str]
    in_order: Callable[[str], str] = str
    text: Callable[[str], str] = str
    time: Callable[[str], str] = str
    json_text: Callable[[str], str] = "to_json({})".format
    item: Callable[[str], str] = "item.{}".format


def quote_text(text: str) -> str:
    """Return a text as a literal of SQL; for databases that know no other escape than ``''``."""
    return f"'{text.replace(chr(39), chr(39) * 2)}'"


def quote_with_backslashes(text: str) -> str:
    """Return a text as a literal of SQL, for Spark and Snowflake, which know backslashes too."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _no_table(name: str, address: str) -> str:
    raise NotImplementedError(f"{name} at {address}: see lake.warehouse_ddl")


def _spark_struct(pairs: Pairs) -> str:
    fields = ", ".join(f"'{name}', {text}" for name, text in pairs)
    return f"named_struct({fields})"


def _spark_order(spans: str) -> str:
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


def _duckdb_metadata(pairs: Pairs) -> str:
    entries = ", ".join(f"'{key}': {value}" for key, value in pairs)
    return f"map_concat(trace.attributes, MAP {{{entries}}})"


def _trino_metadata(pairs: Pairs) -> str:
    keys = ", ".join(f"'{key}'" for key, _ in pairs)
    values = ", ".join(value for _, value in pairs)
    return f"map_concat(trace.attributes, map(ARRAY[{keys}], ARRAY[{values}]))"


def _snowflake_object(pairs: Pairs) -> str:
    fields = ", ".join(f"'{name}', {text}" for name, text in pairs)
    return f"object_construct_keep_null({fields})"


def _ordered_list(function: str) -> Callable[[str, str | None], str]:
    def gathered(item: str, order: str | None) -> str:
        return f"{function}({item})" if order is None else f"{function}({item} ORDER BY {order})"

    return gathered


def _snowflake_list(item: str, order: str | None) -> str:
    within = "" if order is None else f" WITHIN GROUP (ORDER BY {order})"
    return f"array_agg({item}){within}"


def _trino_types(*, document: str, time: str) -> Mapping[str, str]:
    """Return the type of each field that a row of the views may have."""
    event = f"row(time_unix_nano bigint, name varchar, attributes {document})"
    link = f"row(trace_id varchar, span_id varchar, attributes {document})"
    texts = (
        *("message", "code", "name", "kind", "trace_id", "span_id", "parent_span_id"),
        *("assessment_id", "assessment_name", "source_type", "source_id", "rationale"),
    )
    return {
        **dict.fromkeys(texts, "varchar"),
        "flags": "bigint",
        "time_unix_nano": "bigint",
        "start_time_unix_nano": "bigint",
        "end_time_unix_nano": "bigint",
        "attributes": document,
        "events": f"array({event})",
        "links": f"array({link})",
        "status": "row(message varchar, code varchar)",
        "resource": f"row(attributes {document})",
        "instrumentation_scope": "row(name varchar)",
        "value": "double",
        "feedback": "row(value double)",
        "source": "row(source_type varchar, source_id varchar)",
        "create_time": time,
    }


def _trino_struct(types: Mapping[str, str]) -> Callable[[Pairs], str]:
    def struct(pairs: Pairs) -> str:
        values = ", ".join(text for _, text in pairs)
        fields = ", ".join(f"{name} {types[name]}" for name, _ in pairs)
        return f"CAST(ROW({values}) AS ROW({fields}))"

    return struct


_TRINO: Final = ViewDialect(
    view="CREATE OR REPLACE VIEW",
    local_view="CREATE OR REPLACE VIEW",
    table=_no_table,
    document="json_parse({})".format,
    struct=_trino_struct(_trino_types(document="json", time="timestamp(3) with time zone")),
    mapped="transform({}, item -> {})".format,
    metadata=_trino_metadata,
    gathered=_ordered_list("array_agg"),
    text="CAST({} AS varchar)".format,
    json_text="json_format(CAST({} AS json))".format,
)
_SPARK: Final = ViewDialect(
    view="CREATE OR REPLACE TEMPORARY VIEW",
    local_view="CREATE OR REPLACE TEMPORARY VIEW",
    table=lambda name, at: (
        f"CREATE OR REPLACE TEMPORARY VIEW {name} AS SELECT * FROM delta.`{at}`"  # noqa: S608 - the lake's address
    ),
    document=str,
    struct=_spark_struct,
    mapped="transform({}, item -> {})".format,
    metadata=_spark_metadata,
    gathered=lambda item, _order: f"collect_list({item})",
    in_order=_spark_order,
)
VIEW_DIALECTS: Final[Mapping[str, ViewDialect]] = {
    "duckdb": ViewDialect(
        view="CREATE OR REPLACE VIEW",
        local_view="CREATE OR REPLACE TEMP VIEW",
        table=lambda name, at: (
            f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM delta_scan({quote_text(at)})"  # noqa: S608 - the lake's address
        ),
        document="CAST({} AS JSON)".format,
        struct=lambda pairs: (
            f"struct_pack({', '.join(f'{name} := {text}' for name, text in pairs)})"
        ),
        mapped="list_transform({}, lambda item: {})".format,
        metadata=_duckdb_metadata,
        gathered=_ordered_list("list"),
    ),
    "spark": _SPARK,
    "databricks": replace(
        _SPARK,
        view="CREATE OR REPLACE VIEW",
        local_view="CREATE OR REPLACE VIEW",
        table=lambda name, at: (
            f"CREATE TABLE IF NOT EXISTS {name} USING DELTA LOCATION {quote_with_backslashes(at)}"
        ),
        document="parse_json({})".format,
    ),
}
"""The databases that `goldpan lake views` writes the views for."""

WAREHOUSE_VIEWS: Final[Mapping[str, ViewDialect]] = {
    "databricks": VIEW_DIALECTS["databricks"],
    "trino": _TRINO,
    # A view in Glue can hold neither JSON nor times with a zone; those of a lake are in UTC.
    "athena": replace(
        _TRINO,
        document=str,
        struct=_trino_struct(_trino_types(document="varchar", time="timestamp(3)")),
        time="CAST({} AS timestamp(3))".format,
    ),
    "snowflake": ViewDialect(
        view="CREATE OR REPLACE VIEW",
        local_view="CREATE OR REPLACE VIEW",
        table=_no_table,
        document="parse_json({})".format,
        struct=_snowflake_object,
        mapped="transform({}, item -> {})".format,
        metadata=lambda pairs: (
            f"map_cat(trace.attributes, CAST({_snowflake_object(pairs)} AS MAP(VARCHAR, VARCHAR)))"
        ),
        gathered=_snowflake_list,
        text="CAST({} AS VARCHAR)".format,
        json_text="to_json(CAST({} AS VARIANT))".format,
        item="item:{}".format,
    ),
}
"""The databases that `goldpan lake ddl` writes the views for."""
