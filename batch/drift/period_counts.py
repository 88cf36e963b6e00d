"""Counts a period of the lake with DuckDB: the columns needed, of the days asked for, one time.

Memory is bounded by what DuckDB is given; it spills the rest to the caller's folder. Labels are
taken as they stood some days after the trace's day, the same for every day: otherwise the newest
days, whose feedback is still to come, would always look different.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from batch.bounded_duckdb import connect_duckdb
from batch.drift.tally import (
    BANDS_PER_OCTAVE,
    CATEGORIES,
    FINDINGS,
    LABEL,
    NONE,
    NUMBERS,
    OTHER,
    P_FAIL,
    P_FAIL_BANDS,
    QUARANTINE,
    SEGMENT,
    STORED,
    ZERO,
    FeatureTally,
    FeatureValues,
    TallyCell,
)
from lake.parquet import PARTITION_COLUMN
from lake.snapshot import TableSnapshot, open_snapshot
from lake.tables import Lake
from schemas.arrow import PRIMARY_TABLES
from schemas.errors import FatalError
from schemas.times import shift_day

EPOCH: Final = date(1970, 1, 1)
VALUES: Final = 50
"""So many values of a category, and keys of segments, are told apart: the commonest."""

_CLOCKS: Final = 2  # a label cannot be older than its trace, but for wrong clocks
_TABLES: Final = ("traces", "labels", "quarantine", "redactions")
_DAY: Final = f"datediff('day', DATE '1970-01-01', {PARTITION_COLUMN})"
_DAY_US: Final = 86_400_000_000
_ORDERED: Final = ", ".join(f"'{name}'" for name in (*NUMBERS, P_FAIL))


class DayRange(NamedTuple):
    """Days (UTC), both included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


class PeriodCounts:
    """Days of the lake, to be counted. Use as a context."""

    def __init__(
        self, lake: Lake, days: DayRange, *, settled_days: int, folder: Path, memory_bytes: int
    ) -> None:
        self._lake = lake
        self._days = days
        self._settled = settled_days
        self._connection = connect_duckdb(folder, memory_bytes)

    def __enter__(self) -> Self:
        for name in _TABLES:
            self._connection.register(name, self._dataset(open_snapshot(self._lake, name)))
        self._run(
            "CREATE TEMP TABLE counted (day BIGINT, feature VARCHAR, value VARCHAR, n DOUBLE)"
        )
        for part in (_columns(), _segments(), self._labels(), _findings(), _quarantine()):
            self._run(f"INSERT INTO counted {part}")
        segments = f"SELECT DISTINCT feature FROM counted WHERE feature ^@ '{SEGMENT}'"  # noqa: S608
        self._without_value(segments)
        self._without_value(f"SELECT '{LABEL}' AS feature")
        self._stored()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _dataset(self, table: TableSnapshot) -> Any:
        first, last = self._days
        if table.name == "labels":
            return table.dataset((shift_day(first, -_CLOCKS), shift_day(last, self._settled + 1)))
        return table.dataset((first, last))

    def commonest(self) -> FeatureValues:
        """Return the values to tell apart: the commonest of each category, all bands of numbers."""
        rows = self._run(
            f"""
            WITH keys AS (
                SELECT feature FROM counted WHERE feature ^@ '{SEGMENT}' AND value <> '{NONE}'
                GROUP BY feature ORDER BY sum(n) DESC, feature LIMIT {VALUES})
            SELECT feature, value FROM counted
            WHERE NOT feature ^@ '{SEGMENT}' OR feature IN (FROM keys)
            GROUP BY feature, value
            QUALIFY row_number() OVER (PARTITION BY feature ORDER BY sum(n) DESC, value) <= {VALUES}
                    OR feature IN ({_ORDERED})
            """  # noqa: S608
        )
        return frozenset(rows)

    def tally(self, told: FeatureValues) -> FeatureTally:
        """Return the counts of the values in ``told``, and of the rest of their features."""
        names = {"feature": [one[0] for one in told], "value": [one[1] for one in told]}
        self._connection.register("told", pa.table(names))
        rows = self._run(
            f"""
            SELECT day, feature, CASE WHEN told.value IS NULL THEN '{OTHER}' ELSE value END AS one,
                   sum(n)
            FROM counted LEFT JOIN told USING (feature, value)
            WHERE feature IN (SELECT feature FROM told) GROUP BY ALL
            """  # noqa: S608
        )
        found = FeatureTally()
        found.add(TallyCell(feature, day, value, count) for day, feature, value, count in rows)
        return found

    def _labels(self) -> str:
        """Count labels in force, and their p_fail by bands, as they stood when they had settled."""
        first, last = ((day - EPOCH).days for day in self._days)
        bands = f"least({P_FAIL_BANDS - 1}, CAST(floor(event.p_fail * {P_FAIL_BANDS}) AS BIGINT))"
        return f"""
            WITH known AS (
                SELECT trace_id, label, p_fail, revision, decided_at, label_event_id,
                       epoch_us(trace_started_at) // {_DAY_US} AS day
                FROM labels WHERE trace_started_at IS NOT NULL),
            in_force AS (
                SELECT day, arg_max(struct_pack(label, p_fail),
                                    struct_pack(revision, decided_at, label_event_id)) AS event
                FROM known
                WHERE day BETWEEN {first} AND {last}
                      AND epoch_us(decided_at) < (day + {1 + self._settled}) * {_DAY_US}
                GROUP BY day, trace_id)
            SELECT day, '{LABEL}', event.label, count(*) FROM in_force GROUP BY ALL
            UNION ALL
            SELECT day, '{P_FAIL}', CAST({bands} AS VARCHAR), count(*) FROM in_force GROUP BY ALL
        """  # noqa: S608

    def _without_value(self, features: str) -> None:
        """Count the traces of each day that have no value of a feature at all."""
        self._run(
            f"""
            INSERT INTO counted
            WITH traces_of AS (
                SELECT day, sum(n) AS all_of_them FROM counted
                WHERE feature = '{CATEGORIES[0]}' GROUP BY day)
            SELECT day, feature, '{NONE}', all_of_them - coalesce(sum(n), 0) AS without
            FROM (SELECT * FROM traces_of, ({features})) LEFT JOIN counted USING (day, feature)
            GROUP BY day, feature, all_of_them HAVING without > 0
            """  # noqa: S608
        )

    def _stored(self) -> None:
        """Count the rows that did not go to quarantine, by day, from the logs alone."""
        rows = [row for name in PRIMARY_TABLES for row in self._rows_of(name)]
        for day, count in rows:
            self._run("INSERT INTO counted VALUES (?, ?, ?, ?)", (day, QUARANTINE, STORED, count))

    def _rows_of(self, name: str) -> Iterator[tuple[int, float]]:
        table = self._lake.table(name)
        table.refresh()
        files = table.active_files()
        if len(files):
            days = files[f"partition.{PARTITION_COLUMN}"].to_pylist()
            rows = pc.fill_null(files["num_records"], 0).to_pylist()
            for day, count in zip(days, rows, strict=True):
                at = day if isinstance(day, date) else date.fromisoformat(day)
                if self._days.first <= at <= self._days.last:
                    yield (at - EPOCH).days, float(count)

    def _run(self, sql: str, given: Iterable[Any] = ()) -> list[tuple[Any, ...]]:
        with _memory():
            return self._connection.execute(sql, list(given)).fetchall()


@contextmanager
def _memory() -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise FatalError(
            "counting needs more memory than it may use: compare fewer days, or allow more with "
            "--memory-mib"
        ) from None


def _columns() -> str:
    names = [*CATEGORIES, *NUMBERS]
    values = ", ".join(f"CAST({_value(name)} AS VARCHAR) AS v_{name}" for name in names)
    feature = " ".join(f"WHEN grouping(v_{name}) = 0 THEN '{name}'" for name in names)
    value = f"coalesce({', '.join(f'v_{name}' for name in names)}, '{NONE}')"
    sets = ", ".join(f"(day, v_{name})" for name in names)
    return f"""
        SELECT day, CASE {feature} END, {value}, count(*)
        FROM (SELECT {_DAY} AS day, {values} FROM traces) GROUP BY GROUPING SETS ({sets})
    """  # noqa: S608


def _value(name: str) -> str:
    if name in CATEGORIES:
        return name
    band = f"CAST(floor({BANDS_PER_OCTAVE} * log2({name})) AS BIGINT)"
    return f"CASE WHEN {name} IS NULL THEN NULL WHEN {name} <= 0 THEN {ZERO} ELSE {band} END"


def _segments() -> str:
    return f"""
        SELECT day, '{SEGMENT}' || pair.key, pair.value, count(*)
        FROM (SELECT {_DAY} AS day, unnest(map_entries(segments)) AS pair FROM traces) GROUP BY ALL
    """  # noqa: S608


def _findings() -> str:
    """Count a record once for each kind replaced in it, and once as none if there is none."""
    replaced = "list_filter(counts, lambda one: one.operator <> 'keep')"
    kinds = f"""
        CASE WHEN len({replaced}) = 0 THEN ['{NONE}']
             ELSE list_distinct(list_transform({replaced}, lambda one: one.type)) END
    """
    return f"""
        SELECT day, '{FINDINGS}', kind, count(*)
        FROM (SELECT {_DAY} AS day, unnest({kinds}) AS kind FROM redactions) GROUP BY ALL
    """  # noqa: S608


def _quarantine() -> str:
    return f"SELECT {_DAY}, '{QUARANTINE}', reason, count(*) FROM quarantine GROUP BY ALL"  # noqa: S608
