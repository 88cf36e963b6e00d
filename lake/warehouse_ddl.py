"""Statements that make a lake readable in a warehouse: its tables there, described, and the views.

Nothing is copied: each warehouse reads the Delta tables where they are. What a column holds and its
class of personal data stand on views. On the table itself, ``COMMENT ON`` would be a commit to the
log of the lake in Databricks and Trino, and change the metadata that commits of workers rest on. So
a table is registered as ``traces_delta`` and read as ``traces``. Athena has comments on neither:
there they are comments in the file.

BigQuery is left out: it accepts no column whose name begins with ``_partition``, and takes the
columns of an external Delta table from the table.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from lake.sql_names import quote_words
from lake.trace_views import SPANS_VIEW, TRACES_VIEW, view_statements
from lake.view_dialects import WAREHOUSE_VIEWS, quote_text, quote_with_backslashes
from schemas.arrow import TABLES
from schemas.column_docs import DescribedColumn, describe_columns
from schemas.contract import CONTRACTS
from schemas.errors import UsageError

SOURCE_SUFFIX: Final = "_delta"
"""Ends the name of a registered table; the described view has the name without it."""


@dataclass(frozen=True, slots=True)
class WarehousePlace:
    """Where the statements put the tables, and where these lie.

    ``schema`` has the parts that `Warehouse.schema_parts` names, with dots. ``address`` is that of
    the lake as the warehouse sees it. ``volume``, ``volume_address`` and ``integration`` are of
    Snowflake: the external volume, the address at which it begins, the catalog integration.
    """

    schema: str
    address: str
    volume: str = ""
    volume_address: str = ""
    integration: str = ""

    def table_address(self, table: str) -> str:
        """Return the address of a table of the lake."""
        return f"{self.address.rstrip('/')}/{table}"


@dataclass(frozen=True, slots=True)
class Warehouse:
    """How a warehouse is told of the tables.

    ``schema_parts`` are the parts of a schema's name. ``register`` makes a table known by a name;
    ``described`` yields the statements of a view with its columns' comments, None if the warehouse
    has no such comments. ``volume`` is whether the options for Snowflake's volume are needed.
    """

    schema_parts: tuple[str, ...]
    register: Callable[[WarehousePlace, str, str], str]
    described: Callable[[str, str, str, list[DescribedColumn]], Iterator[str]] | None
    volume: bool = False


@dataclass(frozen=True, slots=True)
class WarehouseStatements:
    """The statements for one warehouse, in order, and the names of what they make."""

    tables: tuple[str, ...]
    views: tuple[str, ...]
    statements: tuple[str, ...]

    @property
    def sql(self) -> str:
        """Return the statements as one file."""
        return "\n".join(f"{text};\n" for text in self.statements)


def write_warehouse_ddl(
    name: str, destination: WarehousePlace, *, prefix: str = ""
) -> WarehouseStatements:
    """Return the statements for a warehouse of `WAREHOUSES`.

    ``prefix`` goes before the names of the two views of spans and traces.
    """
    own, views = WAREHOUSES[name], WAREHOUSE_VIEWS[name]
    suffix = "" if own.described is None else SOURCE_SUFFIX
    schema_name = quote_words(name, destination.schema)
    statements: list[str] = []
    for table, schema in TABLES.items():
        source, shown = (f"{schema_name}.{table}{end}" for end in (suffix, ""))
        doc, columns = CONTRACTS[schema.record].doc, describe_columns(schema)
        if own.described is None:
            statements.append(_remarks(doc, columns) + own.register(destination, source, table))
        else:
            statements.append(own.register(destination, source, table))
            statements += own.described(shown, source, doc, columns)
    statements += view_statements(views, views.view, f"{schema_name}.", prefix)
    described = () if own.described is None else tuple(TABLES)
    return WarehouseStatements(
        tuple(f"{table}{suffix}" for table in TABLES),
        (*described, f"{prefix}{SPANS_VIEW}", f"{prefix}{TRACES_VIEW}"),
        tuple(statements),
    )


def path_in_volume(address: str, volume_address: str) -> str:
    """Return the path of an address within an external volume.

    Raises UsageError if it is not there.
    """
    inside = f"{volume_address.rstrip('/')}/"
    if not address.startswith(inside):
        raise UsageError(
            f"the tables at {address} are not in the external volume at {volume_address}: "
            "--volume-address is the STORAGE_BASE_URL of the volume"
        )
    return address.removeprefix(inside)


def bucket_address(address: str) -> str:
    """Return the address of the bucket that an address is in."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}/"


def _remarks(doc: str, columns: list[DescribedColumn]) -> str:
    lines = [doc, *(f"{column.name}: {column.comment}" for column in columns)]
    return "".join(f"-- {line}\n" for line in lines)


def _snowflake_table(place: WarehousePlace, name: str, table: str) -> str:
    base = path_in_volume(place.table_address(table), place.volume_address)
    return (
        f"CREATE ICEBERG TABLE IF NOT EXISTS {name}\n"
        f"  EXTERNAL_VOLUME = {quote_with_backslashes(place.volume)}\n"
        f"  CATALOG = {quote_with_backslashes(place.integration)}\n"
        f"  BASE_LOCATION = {quote_with_backslashes(base)}\n"
        "  AUTO_REFRESH = TRUE"
    )


def _databricks_table(place: WarehousePlace, name: str, table: str) -> str:
    return WAREHOUSE_VIEWS["databricks"].table(name, place.table_address(table))


def _trino_table(place: WarehousePlace, name: str, table: str) -> str:
    catalog, schema = place.schema.split(".")
    return (
        f"CALL {quote_words('trino', catalog)}.system.register_table(\n"
        f"  schema_name => {quote_text(schema)},\n"
        f"  table_name => {quote_text(name.rpartition('.')[2])},\n"
        f"  table_location => {quote_text(place.table_address(table))})"
    )


def _athena_table(place: WarehousePlace, name: str, table: str) -> str:
    return (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS `{place.schema}`.`{name.rpartition('.')[2]}`\n"
        f"LOCATION {quote_text(place.table_address(table) + '/')}\n"
        "TBLPROPERTIES ('table_type' = 'DELTA')"
    )


def _view_with_comments(comment: str) -> Callable[..., Iterator[str]]:
    """Return what writes a view whose columns have comments; ``comment`` begins the view's own."""

    def described(
        shown: str, source: str, doc: str, columns: list[DescribedColumn]
    ) -> Iterator[str]:
        listed = ",\n  ".join(
            f"{column.name} COMMENT {quote_with_backslashes(column.comment)}" for column in columns
        )
        names = ", ".join(column.name for column in columns)
        yield (
            f"CREATE OR REPLACE VIEW {shown} (\n  {listed})\n"
            f"{comment} {quote_with_backslashes(doc)} AS\nSELECT {names}\nFROM {source}"
        )

    return described


def _trino_described(
    shown: str, source: str, doc: str, columns: list[DescribedColumn]
) -> Iterator[str]:
    names = ", ".join(column.name for column in columns)
    yield (
        f"CREATE OR REPLACE VIEW {shown} COMMENT {quote_text(doc)} AS\n"
        f"SELECT {names}\nFROM {source}"
    )
    for column in columns:
        yield f"COMMENT ON COLUMN {shown}.{column.name} IS {quote_text(column.comment)}"


WAREHOUSES: Final[Mapping[str, Warehouse]] = {
    "snowflake": Warehouse(
        ("DATABASE", "SCHEMA"), _snowflake_table, _view_with_comments("COMMENT ="), volume=True
    ),
    "athena": Warehouse(("DATABASE",), _athena_table, None),
    "trino": Warehouse(("CATALOG", "SCHEMA"), _trino_table, _trino_described),
    "databricks": Warehouse(
        ("CATALOG", "SCHEMA"), _databricks_table, _view_with_comments("COMMENT")
    ),
}
"""The warehouses that a lake can be shown in."""
