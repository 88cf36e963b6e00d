"""Shows a Spark Connect server the traces in force of some days, chosen among those of all days.

The rule is that of `schemas.trace_in_force`, and the rows are those of
`batch.traces_in_force_view`, which does the same on DuckDB.
"""

from datetime import date
from typing import Final

from batch.engines.spark_lake import SparkLake
from batch.traces_in_force_view import REPEATING_TRACES, STORED_TRACES
from lake.snapshot import TableSnapshot
from schemas.arrow import EVENT_DATE, TABLES
from schemas.trace_in_force import IN_FORCE_ORDER_SQL

_COLUMNS: Final = ", ".join(f"`{name}`" for name in TABLES["traces"].arrow.names)
_OTHER_TRACES: Final = "other_traces"
_RANKED_TRACES: Final = "ranked_traces"
_OF_DAYS: Final = f"SELECT {_COLUMNS}, true AS inside FROM {STORED_TRACES}"  # noqa: S608


def show_traces_in_force(spark: SparkLake, traces: TableSnapshot, days: tuple[date, date]) -> None:
    """Show the rows in force of some days (both included) as view ``traces``.

    Rows of other days outrank them if they came as records, or are later revisions. View
    ``stored_traces`` has all rows of the days, ``repeating_traces`` the ids of those that repeat
    another trace.
    """
    spark.show_table(STORED_TRACES, traces, days)
    spark.show_table(_OTHER_TRACES, traces)
    first, last = (f"DATE '{day.isoformat()}'" for day in days)
    _show_first(
        spark,
        f"""
        {_OF_DAYS}
        UNION ALL
        SELECT {_COLUMNS}, false FROM {_OTHER_TRACES}
        WHERE NOT {EVENT_DATE} BETWEEN {first} AND {last}
        AND (revision IS NULL OR revision >= 2)
        AND trace_id IN (SELECT trace_id FROM {STORED_TRACES})
        """,  # noqa: S608 - names of this program
    )


def show_plain_traces(spark: SparkLake, traces: TableSnapshot, days: tuple[date, date]) -> None:
    """Show the views as above for a table without assembled rows: only the days are read."""
    spark.show_table(STORED_TRACES, traces, days)
    _show_first(spark, _OF_DAYS)


def _show_first(spark: SparkLake, rows: str) -> None:
    """Show the views over rows of traces: the rows that count for their trace."""
    spark.show_sql(
        _RANKED_TRACES,
        f"""
        SELECT *, row_number() OVER (
            PARTITION BY trace_id ORDER BY {IN_FORCE_ORDER_SQL}
        ) AS place
        FROM ({rows})
        """,  # noqa: S608 - names of this program
    )
    first = f"FROM {_RANKED_TRACES} WHERE place = 1 AND duplicate_of IS"
    spark.show_sql("traces", f"SELECT {_COLUMNS} {first} NULL AND inside")
    spark.show_sql(REPEATING_TRACES, f"SELECT trace_id {first} NOT NULL")
