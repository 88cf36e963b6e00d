"""Shows a Spark Connect server the traces in force of some days, chosen among those of all days.

The rule is that of `schemas.trace_in_force`, and the rows are those of
`batch.traces_in_force_view`, which does the same on DuckDB. Most traces have one row, so only the
others are put in order.
"""

from collections.abc import Callable
from datetime import date
from typing import Final

from batch.engines.spark_lake import SparkLake
from batch.traces_in_force_view import REPEATING_TRACES, STORED_TRACES
from lake.snapshot import TableSnapshot
from schemas.arrow import EVENT_DATE
from schemas.trace_in_force import IN_FORCE_COLUMNS, IN_FORCE_ORDER_SQL

_KEYS: Final = ", ".join(IN_FORCE_COLUMNS)
_OTHER_TRACES: Final = "other_traces"
_SEVERAL_ROWS: Final = "several_rows"
_SENT_AGAIN: Final = f"""
    SELECT trace_id FROM {STORED_TRACES} GROUP BY trace_id
    HAVING count(*) > 1 OR count(duplicate_of) > 0
"""  # noqa: S608 - names of this program
_OF_DAYS: Final = f"SELECT {_KEYS}, true AS inside FROM {STORED_TRACES}"  # noqa: S608

ShowSql = Callable[[str, str], object]
"""Shows the rows of a query as a view of this name; it may compute them first."""


def show_traces_in_force(
    spark: SparkLake,
    traces: TableSnapshot,
    days: tuple[date, date],
    show_several: ShowSql | None = None,
) -> None:
    """Show the rows in force of some days (both included) as view ``traces``.

    Rows of other days outrank them if they came as records, or are later revisions. View
    ``stored_traces`` has all rows of the days, ``repeating_traces`` the ids of those that repeat
    another trace. ``show_several`` shows the rows of traces that have several, with their places.
    """
    spark.show_table(STORED_TRACES, traces, days)
    spark.show_table(_OTHER_TRACES, traces)
    first, last = (f"DATE '{day.isoformat()}'" for day in days)
    others = f"""
        SELECT {_KEYS}, false FROM {_OTHER_TRACES}
        WHERE NOT {EVENT_DATE} BETWEEN {first} AND {last}
        AND (revision IS NULL OR revision >= 2)
        AND trace_id IN (SELECT trace_id FROM {STORED_TRACES})
    """  # noqa: S608 - names of this program
    _show_first(
        spark,
        f"{_OF_DAYS} UNION ALL {others}",
        f"{_SENT_AGAIN} UNION SELECT trace_id FROM ({others})",  # noqa: S608
        show_several or spark.show_sql,
    )


def show_plain_traces(
    spark: SparkLake,
    traces: TableSnapshot,
    days: tuple[date, date],
    show_several: ShowSql | None = None,
) -> None:
    """Show the views as above for a table without assembled rows: only the days are read."""
    spark.show_table(STORED_TRACES, traces, days)
    _show_first(spark, _OF_DAYS, _SENT_AGAIN, show_several or spark.show_sql)


def _show_first(spark: SparkLake, rows: str, several: str, show_several: ShowSql) -> None:
    """Show the views over rows of traces, of which only those of ``several`` need an order."""
    show_several(
        _SEVERAL_ROWS,
        f"""
        SELECT *, row_number() OVER (
            PARTITION BY trace_id ORDER BY {IN_FORCE_ORDER_SQL}
        ) AS place
        FROM ({rows}) WHERE trace_id IN ({several})
        """,  # noqa: S608 - names of this program
    )
    spark.show_sql(
        "traces",
        f"""
        SELECT * FROM {STORED_TRACES} AS stored WHERE NOT EXISTS (
            SELECT 1 FROM {_SEVERAL_ROWS} AS again
            WHERE stored.trace_id = again.trace_id AND stored._topic = again._topic
            AND stored._partition = again._partition AND stored._offset = again._offset
            AND (again.place > 1 OR again.duplicate_of IS NOT NULL)
        )
        """,  # noqa: S608 - names of this program
    )
    spark.show_sql(
        REPEATING_TRACES,
        f"SELECT trace_id FROM {_SEVERAL_ROWS} WHERE place = 1 AND duplicate_of IS NOT NULL",  # noqa: S608
    )
