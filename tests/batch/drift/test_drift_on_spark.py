"""Drift on a real Spark Connect server: the same counts as on DuckDB, to the last one."""

from functools import partial
from pathlib import Path

import pytest

from batch.drift.detection import open_spark_period
from batch.drift.period_engine import OpenPeriod, pin_tables
from batch.engines.spark_lake import SparkAddress
from tests.batch.drift.hostile_lake import BEFORE, SETTLED_DAYS, make_hostile_lake
from tests.batch.drift.test_counts import SEEDS, check_bands, check_counts
from tests.servers.spark import TOKEN, SharedSpark
from tests.short_versions import short


@pytest.fixture
def on_spark(spark: SharedSpark) -> OpenPeriod:
    """Opens periods on the server that all tests share."""
    return partial(open_spark_period, address=SparkAddress(spark.url, TOKEN))


@pytest.mark.parametrize(("seed", "is_assembled"), short(SEEDS, SEEDS[:1]))
def test_spark_counts_as_whoever_counts_row_by_row(
    seed: int, is_assembled: bool, on_spark: OpenPeriod, tmp_path: Path
) -> None:
    """And so as DuckDB, which is held to the same counts in `test_counts`."""
    check_counts(make_hostile_lake(tmp_path, seed, is_assembled=is_assembled), on_spark)


def test_spark_knows_the_edges_of_bands(on_spark: OpenPeriod, tmp_path: Path) -> None:
    """Whatever the last digit of its logarithm is."""
    lake = make_hostile_lake(tmp_path, 0, is_assembled=False)
    with on_spark(pin_tables(lake), BEFORE, SETTLED_DAYS) as engine:
        check_bands(engine)
