"""Counts the values of a period on an engine, reading each needed column of each day once or twice.

Traces are those in force: a trace that came twice, or was assembled again, counts once.

Labels are counted as they were some days after the trace's day, equally for every day. Otherwise
the newest days, which still wait for feedback, would always look different.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from typing import Any, Final, NamedTuple

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from batch.drift import count_queries
from batch.drift.count_queries import union_counts
from batch.drift.period_engine import TRACES, DayRange, PeriodEngine, PinnedTables
from batch.drift.tally import (
    QUARANTINE_FEATURE,
    SEGMENT_PREFIX,
    SPAN_PREFIX,
    STORED_RECORDS,
    FeatureTally,
    FeatureValues,
    TallyCell,
)
from batch.engines.unbound_tables import table_of_schema, unbound_table
from batch.traces_in_force_view import REPEATING_TRACES
from lake.parquet import PARTITION_COLUMN
from lake.snapshot import TableSnapshot
from schemas.arrow import AUDIT_TABLE, LABELS_TABLE, PRIMARY_TABLES, QUARANTINE_TABLE, SPANS_TABLE

EPOCH: Final = date(1970, 1, 1)
_COUNTS: Final = pa.schema(
    [
        ("feature", pa.string()),
        ("day", pa.int64()),
        ("value", pa.string()),
        ("n", pa.int64()),
    ]
)
_TRACE_IDS: Final = pa.schema([("trace_id", pa.string())])
_PERIOD: Final = pa.schema([(name, pa.int64()) for name in ("first", "last", "settled")])
_FEATURES: Final = pa.schema([("feature", pa.string())])
_VALUES: Final = pa.schema([("feature", pa.string()), ("value", pa.string())])


class _Queries(NamedTuple):
    """What is asked of a period: queries whose rows are kept, and those over them."""

    kept: Mapping[str, Any]
    common_keys: Any
    common_values: Any
    tally_cells: Any


class PeriodCounts:
    """The counts of a range of days, on an engine that shows their rows."""

    def __init__(
        self, engine: PeriodEngine, tables: PinnedTables, days: DayRange, settled_days: int
    ) -> None:
        self._engine = engine
        self._queries = _queries()
        first, last = ((day - EPOCH).days for day in days)
        period = {"first": [first], "last": [last], "settled": [settled_days]}
        engine.give("period", pa.table(period, schema=_PERIOD))
        engine.give("stored_records", _stored_records(tables, days))
        for name, query in self._queries.kept.items():
            engine.keep(name, query)

    def common_values(self) -> FeatureValues:
        """Return the values to count separately: the commonest of each category, all bands."""
        keys = self._engine.table(self._queries.common_keys)
        self._engine.give("keys", keys.cast(_FEATURES))
        values = self._engine.table(self._queries.common_values)
        return frozenset((row["feature"], row["value"]) for row in values.to_pylist())

    def tally(self, values: FeatureValues) -> FeatureTally:
        """Return the counts of some values, and of the remaining values of their features."""
        rows = [{"feature": feature, "value": value} for feature, value in sorted(values)]
        keys = sorted({name for name, _ in values if name.startswith(SEGMENT_PREFIX)})
        self._engine.give("separate", pa.Table.from_pylist(rows, schema=_VALUES))
        self._engine.give("keys", pa.table({"feature": keys}, schema=_FEATURES))
        tally = FeatureTally()
        tally.add(
            # DuckDB adds up in 128 bits, which Arrow shows as a decimal.
            TallyCell(row["feature"], row["day"], row["value"], int(row["n"]))
            for row in self._engine.table(self._queries.tally_cells).to_pylist()
        )
        return tally


@cache
def _queries() -> _Queries:
    """Return the queries, which are the same for every period."""
    traces, spans = unbound_table(TRACES), unbound_table(SPANS_TABLE)
    repeating = table_of_schema(_TRACE_IDS, REPEATING_TRACES)
    period = table_of_schema(_PERIOD, "period")
    kept = {
        "category_groups": count_queries.category_groups(traces),
        "number_groups": count_queries.number_groups(traces),
        "segment_groups": count_queries.segment_groups(traces),
        "label_groups": count_queries.label_groups(unbound_table(LABELS_TABLE), repeating, period),
    }
    categories, numbers, pairs, labels = (ibis.table(q.schema(), name=n) for n, q in kept.items())
    parts = [
        count_queries.category_counts(categories),
        count_queries.number_counts(numbers),
        count_queries.label_counts(labels),
        count_queries.finding_counts(unbound_table(AUDIT_TABLE), spans),
        count_queries.quarantine_counts(unbound_table(QUARANTINE_TABLE), spans),
        table_of_schema(_COUNTS, "stored_records"),
    ]
    kept["counts"] = union_counts(parts)
    counts, segments = table_of_schema(_COUNTS, "counts"), count_queries.segment_counts(pairs)
    # Of segments, only the keys that are compared.
    compared = count_queries.rows_of(segments, table_of_schema(_FEATURES, "keys"))
    every = union_counts([counts, compared, count_queries.without_value(compared, counts)])
    return _Queries(
        kept,
        count_queries.common_keys(segments),
        count_queries.common_values(every),
        count_queries.tally_cells(every, table_of_schema(_VALUES, "separate")),
    )


def _stored_records(tables: PinnedTables, days: DayRange) -> pa.Table:
    """Return the counts of the rows that were not quarantined, by day, from the logs alone.

    Rows that were assembled from spans are no records: they are not in quarantine either.
    """
    counts: Counter[tuple[str, int]] = Counter()
    for name in PRIMARY_TABLES:
        feature = SPAN_PREFIX * (name == SPANS_TABLE) + QUARANTINE_FEATURE
        for day, count in _rows_by_day(tables[name], days):
            counts[feature, day] += count
    rows = [
        {"feature": name, "day": day, "value": STORED_RECORDS, "n": n}
        for (name, day), n in counts.items()
    ]
    return pa.Table.from_pylist(rows, schema=_COUNTS)


def _rows_by_day(table: TableSnapshot, days: DayRange) -> Iterator[tuple[int, int]]:
    files = table.active_files()
    if len(files):
        dates = files[f"partition.{PARTITION_COLUMN}"].to_pylist()
        rows = pc.fill_null(files["num_records"], 0).to_pylist()
        for day, count in zip(dates, rows, strict=True):
            event_day = day if isinstance(day, date) else date.fromisoformat(day)
            if days.first <= event_day <= days.last:
                yield (event_day - EPOCH).days, count
