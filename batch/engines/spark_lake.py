"""Shows a Spark Connect server the tables of a lake, each at one version, and asks it queries.

Queries are Ibis expressions, sent as the SQL of Spark. Databricks speaks it, too. The server reads
the tables; only answers and small tables pass through here. Nothing is written there: a table is a
view of the session, and the session ends with the context.
"""

import importlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

import ibis
import pyarrow as pa

from batch.engines.unbound_tables import table_of_schema, type_of
from batch.progress import ReportStep, no_step
from lake.parquet import PARTITION_COLUMN
from lake.snapshot import TableSnapshot
from schemas.arrow import TABLES
from schemas.errors import FatalError, GoldpanError, UsageError

_DIALECT: Final = "databricks"
_VARIABLE: Final = ("${", "$\\u007b")
"""Spark replaces ``${…}``, in texts too, unless the brace is written as an escape."""


@dataclass(frozen=True, slots=True)
class SparkAddress:
    """Where a Spark Connect server is (``sc://HOST:PORT``), and where it sees the lake.

    ``token`` is sent with each call; ``lake_uri`` is None if the server sees the lake where this
    machine does.
    """

    url: str
    token: str | None = None
    lake_uri: str | None = None

    def __repr__(self) -> str:
        return f"SparkAddress({self.url!r})"


class SparkLake:
    """The tables of a lake on a Spark Connect server. Use it as a context."""

    def __init__(self, address: SparkAddress, report: ReportStep = no_step) -> None:
        self._client = _load_client()
        self._address = address
        self._report = report
        self._session: Any = None
        self._endpoint = ""

    def __enter__(self) -> Self:
        """Open a session; RetryableError if the server cannot be reached."""
        address = self._address
        self._session, self._endpoint = self._client.open_session(address.url, address.token)
        try:
            self._session.registerProgressHandler(self._show_progress)
            self._check_dialect()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close_session(self._session)

    def show_table(
        self, name: str, table: TableSnapshot, days: tuple[date, date] | None = None
    ) -> None:
        """Show a table at its version as a view: the rows of these days (both included), or all.

        Raises FatalError if the server sees no such table, or another one, at that location.
        """
        location = self._location(table)
        with self._errors(location):
            self._check_identity(table, location)
            reader = self._session.read.format("delta").option("versionAsOf", table.version)
            stored = reader.load(location)
            stored.createOrReplaceTempView(f"{name}_as_stored")
            query = with_all_columns(table.name, f"{name}_as_stored", stored.columns)
            if days is not None:
                day = query[PARTITION_COLUMN]
                query = query.filter(day >= days[0], day <= days[1])
            self._session.sql(as_spark_sql(query)).createOrReplaceTempView(name)

    def show_query(self, name: str, query: Any) -> None:
        """Show the rows of a query as a view; it is run wherever the view is read."""
        self.show_sql(name, as_spark_sql(query))

    def show_sql(self, name: str, sql: str) -> None:
        """Show the rows of a query, in the SQL of Spark, as a view."""
        with self._errors():
            self._session.sql(sql).createOrReplaceTempView(name)

    def keep(self, name: str, query: Any) -> None:
        """Run a query now, and show its rows as a view.

        The server keeps the rows where it runs, until the session ends.
        """
        self.keep_sql(name, as_spark_sql(query))

    def keep_sql(self, name: str, sql: str) -> None:
        """Run a query in the SQL of Spark now, and show its rows as a view, as above."""
        kept = self._on_server(lambda: self._client.checkpoint(self._session, sql))
        with self._errors():
            kept.createOrReplaceTempView(name)

    def give(self, name: str, rows: pa.Table) -> Any:
        """Send a small table, and return it for queries."""
        with self._errors():
            self._session.createDataFrame(rows).createOrReplaceTempView(name)
        return table_of_schema(rows.schema, name)

    def ask(self, query: Any) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        return list(self.table(query).to_pylist())

    def table(self, query: Any) -> pa.Table:
        """Return the rows of a query as an Arrow table.

        Raises RetryableError if the server is lost, UsageError if files are missing, FatalError if
        the query fails. Ctrl-C cancels the query on the server.
        """
        return self._run(as_spark_sql(query))

    def _run(self, sql: str) -> pa.Table:
        return self._on_server(lambda: self._session.sql(sql).toArrow())

    def _on_server(self, step: Callable[[], Any]) -> Any:
        """Run a step that may take long; Ctrl-C cancels it on the server."""
        try:
            with self._errors():
                return step()
        except KeyboardInterrupt:
            with suppress(GoldpanError), self._errors():
                self._session.interruptAll()
            raise

    def _errors(self, location: str | None = None) -> Any:
        return self._client.spark_errors(self._endpoint, location)

    def _location(self, table: TableSnapshot) -> str:
        if self._address.lake_uri is not None:
            return f"{self._address.lake_uri.rstrip('/')}/{table.name}"
        return server_location(table.handle.table_uri)

    def _check_identity(self, table: TableSnapshot, location: str) -> None:
        quoted = location.replace("`", "``")
        detail = self._session.sql(f"DESCRIBE DETAIL delta.`{quoted}`").toArrow().to_pylist()
        if [row["id"] for row in detail] != [table.handle.metadata().id]:
            raise self._client.unseen_table(self._endpoint, location, "another table is there")

    def _check_dialect(self) -> None:
        """Refuse a server whose settings give another meaning to what is asked here."""
        found = self._run(as_spark_sql(_PROBE)).to_pylist()
        if found != [_EXPECTED]:
            raise FatalError(
                f"the Spark server at {self._endpoint} does not read SQL as goldpan writes it: "
                "its settings of spark.sql.parser, spark.sql.legacy or spark.sql.timestampType "
                "must have their defaults"
            )

    def _show_progress(self, stages: Any, inflight_tasks: int, **_: Any) -> None:
        tasks = sum(stage.num_tasks for stage in stages or ())
        done = sum(stage.num_completed_tasks for stage in stages or ())
        if tasks:
            self._report(f"{done} of {tasks} tasks on Spark are done, {inflight_tasks} run")


def as_spark_sql(query: Any) -> str:
    """Return an Ibis expression as the SQL of Spark, whatever texts are in it."""
    return str(ibis.to_sql(query, dialect=_DIALECT)).replace(*_VARIABLE)


def server_location(table_uri: str) -> str:
    """Return the address of a table as Hadoop's file systems take it: they decode none."""
    address = urlsplit(table_uri)
    path = unquote(address.path) if address.scheme == "file" else table_uri
    return path.rstrip("/")


def with_all_columns(table: str, view: str, stored: Sequence[str]) -> Any:
    """Return a table's columns; those that a version did not have yet are null."""
    schema = TABLES[table].arrow
    present = pa.schema([field for field in schema if field.name in stored])
    base = table_of_schema(present, view)
    missing = {f.name: ibis.null(type_of(f.type)) for f in schema if f.name not in stored}
    return base.mutate(**missing).select(*schema.names)


def _load_client() -> Any:
    try:
        return importlib.import_module("batch.engines.spark_client")
    except ImportError:
        raise UsageError("--engine spark needs the extra `spark`: install goldpan[spark]") from None


_TEXT: Final = "'\\\"`${x}\x1f\\n\\u0041%_\u00e9"
_TIME: Final = datetime(2026, 3, 29, 1, 59, 59, 999999, tzinfo=UTC)  # summer time begins in Europe
_PROBE: Final = (
    ibis.literal(_TEXT)
    .name("text")
    .as_table()
    .mutate(time=ibis.literal(_TIME), none=ibis.null("array<string>").length())
)
_EXPECTED: Final = {"text": _TEXT, "time": _TIME, "none": None}
"""The answer of a server whose settings are those that Spark begins with, in UTC."""
