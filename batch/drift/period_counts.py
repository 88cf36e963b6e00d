"""Counts the values of a period with DuckDB, reading each needed column and day once.

Traces are those in force: a trace that came twice, or was assembled again, counts once.

Memory is limited to what DuckDB is given; it spills the rest to the caller's folder. Labels are
counted as they were some days after the trace's day, equally for every day. Otherwise the newest
days, which still wait for feedback, would always look different.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from batch.assembled_rows import has_assembled_rows
from batch.bounded_duckdb import connect_duckdb
from batch.drift.tally import (
    BANDS_PER_OCTAVE,
    CATEGORY_FEATURES,
    FINDINGS_FEATURE,
    LABEL_FEATURE,
    NO_VALUE,
    NUMERIC_FEATURES,
    OTHER_VALUES,
    P_FAIL_BANDS,
    P_FAIL_FEATURE,
    QUARANTINE_FEATURE,
    SEGMENT_PREFIX,
    SPAN_PREFIX,
    STORED_RECORDS,
    ZERO_BAND,
    FeatureTally,
    FeatureValues,
    TallyCell,
)
from batch.traces_in_force_view import (
    REPEATING_TRACES,
    create_plain_traces_view,
    create_traces_view,
)
from lake.parquet import PARTITION_COLUMN
from lake.snapshot import TableSnapshot, open_snapshot
from lake.tables import Lake
from schemas.arrow import PRIMARY_TABLES, SPANS_TABLE
from schemas.errors import FatalError
from schemas.times import shift_day

EPOCH: Final = date(1970, 1, 1)
MAX_VALUES: Final = 50
"""How many values of a category, and keys of segments, are counted separately."""

_CLOCKS: Final = 2  # a label is younger than its trace, unless clocks are wrong
_TABLES: Final = ("labels", "quarantine", "redactions", SPANS_TABLE)
_DAY: Final = f"datediff('day', DATE '1970-01-01', {PARTITION_COLUMN})"
_DAY_US: Final = 86_400_000_000
_STORED: Final = pa.schema([("day", pa.int64()), ("feature", pa.string()), ("n", pa.int64())])
_ORDERED: Final = ", ".join(f"'{name}'" for name in (*NUMERIC_FEATURES, P_FAIL_FEATURE))


class DayRange(NamedTuple):
    """A range of days (UTC), both ends included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


class PeriodCounts:
    """Counts a range of days of the lake. Use as a context manager."""

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
        traces = open_snapshot(self._lake, "traces")
        view = create_traces_view if has_assembled_rows(traces) else create_plain_traces_view
        view(self._connection, traces, (self._days.first, self._days.last), self._run)
        self._run(
            "CREATE TEMP TABLE counted (day BIGINT, feature VARCHAR, value VARCHAR, n DOUBLE)"
        )
        for part in (_columns(), _segments(), self._labels(), _findings(), _quarantine()):
            self._run(f"INSERT INTO counted {part}")
        segments = f"SELECT DISTINCT feature FROM counted WHERE feature ^@ '{SEGMENT_PREFIX}'"  # noqa: S608
        self._without_value(segments)
        self._without_value(f"SELECT '{LABEL_FEATURE}' AS feature")
        self._stored()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _dataset(self, table: TableSnapshot) -> Any:
        first, last = self._days
        if table.name == "labels":
            return table.dataset((shift_day(first, -_CLOCKS), shift_day(last, self._settled + 1)))
        return table.dataset((first, last))

    def common_values(self) -> FeatureValues:
        """Return the values to count separately: the commonest of each category, all bands."""
        rows = self._run(
            f"""
            WITH keys AS (
                SELECT feature FROM counted
                WHERE feature ^@ '{SEGMENT_PREFIX}' AND value <> '{NO_VALUE}'
                GROUP BY feature ORDER BY sum(n) DESC, feature LIMIT {MAX_VALUES})
            SELECT feature, value FROM counted
            WHERE NOT feature ^@ '{SEGMENT_PREFIX}' OR feature IN (FROM keys)
            GROUP BY feature, value
            QUALIFY row_number() OVER (PARTITION BY feature ORDER BY sum(n) DESC, value)
                    <= {MAX_VALUES}
                    OR feature IN ({_ORDERED})
            """  # noqa: S608
        )
        return frozenset(rows)

    def tally(self, values: FeatureValues) -> FeatureTally:
        """Return the counts of some values, and of the remaining values of their features."""
        columns = {"feature": [pair[0] for pair in values], "value": [pair[1] for pair in values]}
        self._connection.register("separate", pa.table(columns))
        rows = self._run(
            f"""
            SELECT day, feature,
                   CASE WHEN separate.value IS NULL THEN '{OTHER_VALUES}' ELSE value END AS shown,
                   sum(n)
            FROM counted LEFT JOIN separate USING (feature, value)
            WHERE feature IN (SELECT feature FROM separate) GROUP BY ALL
            """  # noqa: S608
        )
        tally = FeatureTally()
        tally.add(TallyCell(feature, day, value, count) for day, feature, value, count in rows)
        return tally

    def _labels(self) -> str:
        """Count labels in force, and their p_fail by bands, as of some days after the trace."""
        first, last = ((day - EPOCH).days for day in self._days)
        bands = f"least({P_FAIL_BANDS - 1}, CAST(floor(event.p_fail * {P_FAIL_BANDS}) AS BIGINT))"
        return f"""
            WITH known AS (
                SELECT trace_id, label, p_fail, revision, decided_at, label_event_id,
                       epoch_us(trace_started_at) // {_DAY_US} AS day
                FROM labels WHERE trace_started_at IS NOT NULL
                      AND trace_id NOT IN (SELECT trace_id FROM {REPEATING_TRACES})),
            in_force AS (
                SELECT day, arg_max(struct_pack(label, p_fail),
                                    struct_pack(revision, decided_at, label_event_id)) AS event
                FROM known
                WHERE day BETWEEN {first} AND {last}
                      AND epoch_us(decided_at) < (day + {1 + self._settled}) * {_DAY_US}
                GROUP BY day, trace_id)
            SELECT day, '{LABEL_FEATURE}', event.label, count(*) FROM in_force GROUP BY ALL
            UNION ALL
            SELECT day, '{P_FAIL_FEATURE}', CAST({bands} AS VARCHAR), count(*)
            FROM in_force GROUP BY ALL
        """  # noqa: S608

    def _without_value(self, features: str) -> None:
        """Count the traces of each day without a value of some features."""
        self._run(
            f"""
            INSERT INTO counted
            WITH traces_of AS (
                SELECT day, sum(n) AS all_of_them FROM counted
                WHERE feature = '{CATEGORY_FEATURES[0]}' GROUP BY day)
            SELECT day, feature, '{NO_VALUE}', all_of_them - coalesce(sum(n), 0) AS without
            FROM (SELECT * FROM traces_of, ({features})) LEFT JOIN counted USING (day, feature)
            GROUP BY day, feature, all_of_them HAVING without > 0
            """  # noqa: S608
        )

    def _stored(self) -> None:
        """Count the rows that were not quarantined, by day, from the logs alone.

        Rows that were assembled from spans are no records: they are not in quarantine either.
        """
        counts: Counter[tuple[int, str]] = Counter()
        for name in PRIMARY_TABLES:
            feature = SPAN_PREFIX * (name == SPANS_TABLE) + QUARANTINE_FEATURE
            for day, count in self._rows_of(name):
                counts[day, feature] += count
        rows = [{"day": day, "feature": name, "n": n} for (day, name), n in counts.items()]
        self._connection.register("stored", pa.Table.from_pylist(rows, schema=_STORED))
        self._run(f"INSERT INTO counted SELECT day, feature, '{STORED_RECORDS}', n FROM stored")  # noqa: S608

    def _rows_of(self, name: str) -> Iterator[tuple[int, int]]:
        table = self._lake.table(name)
        table.refresh()
        files = table.active_files()
        if len(files):
            days = files[f"partition.{PARTITION_COLUMN}"].to_pylist()
            rows = pc.fill_null(files["num_records"], 0).to_pylist()
            for day, count in zip(days, rows, strict=True):
                event_day = day if isinstance(day, date) else date.fromisoformat(day)
                if self._days.first <= event_day <= self._days.last:
                    yield (event_day - EPOCH).days, count

    def _run(self, sql: str) -> list[tuple[Any, ...]]:
        with _memory():
            return self._connection.execute(sql).fetchall()


@contextmanager
def _memory() -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise FatalError(
            "counting exceeded its memory limit: compare fewer days, or raise the limit with "
            "--memory-mib"
        ) from None


def _columns() -> str:
    columns = [*CATEGORY_FEATURES, *NUMERIC_FEATURES]
    values = ", ".join(f"CAST({_value(name)} AS VARCHAR) AS v_{name}" for name in columns)
    feature = " ".join(f"WHEN grouping(v_{name}) = 0 THEN '{name}'" for name in columns)
    value = f"coalesce({', '.join(f'v_{name}' for name in columns)}, '{NO_VALUE}')"
    sets = ", ".join(f"(day, v_{name})" for name in columns)
    return f"""
        SELECT day, CASE {feature} END, {value}, count(*)
        FROM (SELECT {_DAY} AS day, {values} FROM traces) GROUP BY GROUPING SETS ({sets})
    """  # noqa: S608


def _value(name: str) -> str:
    if name in CATEGORY_FEATURES:
        return name
    band = f"CAST(floor({BANDS_PER_OCTAVE} * log2({name})) AS BIGINT)"
    return f"CASE WHEN {name} IS NULL THEN NULL WHEN {name} <= 0 THEN {ZERO_BAND} ELSE {band} END"


def _segments() -> str:
    return f"""
        SELECT day, '{SEGMENT_PREFIX}' || pair.key, pair.value, count(*)
        FROM (SELECT {_DAY} AS day, unnest(map_entries(segments)) AS pair FROM traces) GROUP BY ALL
    """  # noqa: S608


def _findings() -> str:
    """Count a record once for each kind replaced in it, or once as without findings."""
    replaced = "list_filter(counts, lambda one: one.operator <> 'keep')"
    kinds = f"""
        CASE WHEN len({replaced}) = 0 THEN ['{NO_VALUE}']
             ELSE list_distinct(list_transform({replaced}, lambda one: one.type)) END
    """
    return f"""
        SELECT day, {_feature(FINDINGS_FEATURE)}, kind, count(*)
        FROM (SELECT {_DAY} AS day, _topic, unnest({kinds}) AS kind FROM redactions) GROUP BY ALL
    """  # noqa: S608


def _quarantine() -> str:
    return f"""
        SELECT {_DAY}, {_feature(QUARANTINE_FEATURE)}, reason, count(*)
        FROM quarantine GROUP BY ALL
    """  # noqa: S608


def _feature(name: str) -> str:
    """Return the name of a feature: that of spans for the records of topics of spans.

    A record of spans holds many items and other texts, so they are not compared together.
    """
    topics = f"SELECT _topic FROM {SPANS_TABLE}"  # noqa: S608 - names of this program
    return f"CASE WHEN _topic IN ({topics}) THEN '{SPAN_PREFIX}{name}' ELSE '{name}' END"
