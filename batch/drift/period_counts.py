"""Counts the values of a period on an engine, reading each needed column of each day once or twice.

Traces are those in force: a trace that came twice, or was assembled again, counts once.

Labels are counted as they were some days after the trace's day, equally for every day. Otherwise
the newest days, which still wait for feedback, would always look different.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any, Final

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
_FEATURES: Final = pa.schema([("feature", pa.string())])
_VALUES: Final = pa.schema([("feature", pa.string()), ("value", pa.string())])


class PeriodCounts:
    """The counts of a range of days, on an engine that shows their rows."""

    def __init__(
        self, engine: PeriodEngine, tables: PinnedTables, days: DayRange, settled_days: int
    ) -> None:
        self._engine = engine
        traces, spans = unbound_table(TRACES), unbound_table(SPANS_TABLE)
        topics = engine.ask(count_queries.topics_of(spans))["_topic"].to_pylist()
        first, last = ((day - EPOCH).days for day in days)
        repeating = table_of_schema(_TRACE_IDS, REPEATING_TRACES)
        labels = count_queries.label_groups(
            unbound_table(LABELS_TABLE), repeating, (first, last), settled_days
        )
        categories = engine.keep("category_groups", count_queries.category_groups(traces))
        numbers = engine.keep("number_groups", count_queries.number_groups(traces))
        segments = engine.keep("segment_groups", count_queries.segment_groups(traces))
        self._segments = count_queries.segment_counts(segments)
        parts = [
            count_queries.category_counts(categories),
            count_queries.number_counts(numbers),
            count_queries.label_counts(engine.keep("label_groups", labels)),
            count_queries.finding_counts(unbound_table(AUDIT_TABLE), topics),
            count_queries.quarantine_counts(unbound_table(QUARANTINE_TABLE), topics),
            engine.give("stored_records", _stored_records(tables, days)),
        ]
        self._counts = engine.keep("counts", union_counts(parts))

    def common_values(self) -> FeatureValues:
        """Return the values to count separately: the commonest of each category, all bands."""
        keys = self._engine.ask(count_queries.common_keys(self._segments))
        chosen = self._engine.give("common_keys", keys.cast(_FEATURES))
        values = self._engine.ask(count_queries.common_values(self._counted(chosen)))
        return frozenset((row["feature"], row["value"]) for row in values.to_pylist())

    def tally(self, values: FeatureValues) -> FeatureTally:
        """Return the counts of some values, and of the remaining values of their features."""
        rows = [{"feature": feature, "value": value} for feature, value in sorted(values)]
        separate = self._engine.give("separate", pa.Table.from_pylist(rows, schema=_VALUES))
        keys = sorted({name for name, _ in values if name.startswith(SEGMENT_PREFIX)})
        chosen = self._engine.give("chosen_keys", pa.table({"feature": keys}, schema=_FEATURES))
        counted = self._counted(chosen)
        tally = FeatureTally()
        tally.add(
            # DuckDB adds up in 128 bits, which Arrow shows as a decimal.
            TallyCell(row["feature"], row["day"], row["value"], int(row["n"]))
            for row in self._engine.ask(count_queries.tally_cells(counted, separate)).to_pylist()
        )
        return tally

    def _counted(self, keys: Any) -> Any:
        """Return all counts but those of other segments than the given ones."""
        segments = count_queries.rows_of(self._segments, keys)
        without = count_queries.without_value(segments, self._counts)
        return union_counts([self._counts, segments, without])


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
