"""The counts of a period: the same, to the last one, as of whoever counts row by row."""

import math
from collections.abc import Callable, Iterator
from datetime import date
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.drift import count_queries
from batch.drift.duckdb_period import open_duckdb_period
from batch.drift.period_counts import PeriodCounts
from batch.drift.period_engine import OpenPeriod, PeriodEngine, pin_tables
from batch.drift.tally import (
    BANDS_PER_OCTAVE,
    LARGEST_BAND,
    NO_VALUE,
    NUMERIC_FEATURES,
    ZERO_BAND,
    FeatureTally,
    assign_band,
    middle_of_band,
)
from batch.engines.unbound_tables import table_of_schema
from lake.tables import Lake
from tests.batch.drift.hostile_lake import (
    AFTER,
    BEFORE,
    SETTLED_DAYS,
    WHOLE,
    Counts,
    edge_numbers,
    make_hostile_lake,
    plain_common_values,
    plain_counts,
    plain_tally,
)
from tests.batch.release.world import Row
from tests.short_versions import short

ON_DUCKDB: OpenPeriod = partial(open_duckdb_period, memory_bytes=2**28)
SEEDS = [(0, True), (1, False), *((seed, seed % 2 == 0) for seed in range(2, 12))]


def cells_of(tally: FeatureTally) -> Counts:
    """The cells of a tally as one dictionary."""
    return {
        (name, day, value): int(number)
        for name, by_value in tally.cells.items()
        for value, by_day in by_value.items()
        for day, number in by_day.items()
    }


def check_counts(lake: Lake, engine: OpenPeriod) -> None:
    """Both periods, with the values that they would be compared by."""
    tables = pin_tables(lake)
    expected = [plain_counts(lake, days) for days in (BEFORE, AFTER)]
    values = frozenset[tuple[str, str]]().union(*map(plain_common_values, expected))
    for days, counts in zip((BEFORE, AFTER), expected, strict=True):
        with engine(tables, days, SETTLED_DAYS) as opened:
            period = PeriodCounts(opened, tables, days, SETTLED_DAYS)
            assert period.common_values() == plain_common_values(counts)
            assert cells_of(period.tally(values)) == plain_tally(counts, values)


def check_bands(give: Callable[[str, pa.Table], object], ask: Callable[[Any], pa.Table]) -> None:
    """Numbers at the edges of bands are in the band that their exact value belongs to."""
    numbers = edge_numbers()
    rows: list[Row] = [
        {
            "event_date": date(2026, 3, 20),
            "latency_ms": number,
            "cost_usd": -number,
            "input_tokens": WHOLE[place % len(WHOLE)],
            "output_tokens": None,
        }
        for place, number in enumerate(numbers)
    ]
    schema = pa.schema(
        [
            ("event_date", pa.date32()),
            ("latency_ms", pa.float64()),
            ("cost_usd", pa.float64()),
            ("input_tokens", pa.int64()),
            ("output_tokens", pa.int64()),
        ]
    )
    give("numbers", pa.Table.from_pylist(rows, schema=schema))
    table = table_of_schema(schema, "numbers")
    found: Counts = {
        (row["feature"], row["day"], row["value"]): int(row["n"])
        for row in ask(count_queries.number_counts(count_queries.number_groups(table))).to_pylist()
    }
    expected: Counts = {}
    for row in rows:
        for name in NUMERIC_FEATURES:
            cell = (name, 20532, assign_band(name, row[name]))
            expected[cell] = expected.get(cell, 0) + 1
    assert found == expected


@pytest.mark.parametrize(("seed", "is_assembled"), short(SEEDS, SEEDS[:2]))
def test_duckdb_counts_as_whoever_counts_row_by_row(
    seed: int, is_assembled: bool, tmp_path: Path
) -> None:
    """Texts, numbers, times and labels that are hard to count; traces that came twice."""
    check_counts(make_hostile_lake(tmp_path, seed, is_assembled=is_assembled), ON_DUCKDB)


@pytest.fixture
def duckdb_period(tmp_path: Path) -> Iterator[PeriodEngine]:
    """A period of a lake on DuckDB."""
    lake = make_hostile_lake(tmp_path, 0, is_assembled=False)
    with ON_DUCKDB(pin_tables(lake), BEFORE, SETTLED_DAYS) as engine:
        yield engine


def test_duckdb_knows_the_edges_of_bands(duckdb_period: PeriodEngine) -> None:
    """Whatever the last digit of its logarithm is."""
    check_bands(duckdb_period.give, duckdb_period.table)


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_a_band_is_exact(number: float) -> None:
    """2^(band/8) <= x < 2^((band+1)/8), in whole numbers."""
    band = int(assign_band("latency_ms", number))
    eighth = Fraction(number) ** BANDS_PER_OCTAVE
    assert Fraction(2) ** band <= eighth < Fraction(2) ** (band + 1)
    assert math.isfinite(middle_of_band("latency_ms", str(band)))


def test_a_band_is_exact_at_its_edges() -> None:
    """The same for the numbers next to them."""
    for number in edge_numbers():
        if 0 < number < math.inf:
            band = int(assign_band("cost_usd", number))
            eighth = Fraction(number) ** BANDS_PER_OCTAVE
            assert Fraction(2) ** band <= eighth < Fraction(2) ** (band + 1)


def test_numbers_without_a_logarithm_have_a_band() -> None:
    """Infinity is as the largest numbers, what is no number as a missing value."""
    assert assign_band("cost_usd", math.inf) == str(LARGEST_BAND)
    assert assign_band("cost_usd", math.nan) == assign_band("cost_usd", None) == NO_VALUE
    assert {assign_band("cost_usd", x) for x in (0, -0.0, -1, -math.inf)} == {str(ZERO_BAND)}
    assert [assign_band("p_fail", x) for x in (-0.1, 0, 0.02, 1, 1.5)] == [
        "0",
        "0",
        "1",
        "49",
        "49",
    ]
    assert math.isfinite(middle_of_band("cost_usd", str(LARGEST_BAND)))


def test_the_queries_belong_to_no_engine() -> None:
    """They are expressions over tables that nobody has opened."""
    counts = ibis.table({"feature": "string", "day": "int64", "value": "string", "n": "int64"}, "c")
    for query in (count_queries.common_keys(counts), count_queries.common_values(counts)):
        assert query.schema().names[0] == "feature"
        with pytest.raises(Exception, match=r"unbound|backend"):
            query.execute()
