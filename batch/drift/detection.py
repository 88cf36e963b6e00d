"""Detects drift: chooses the days to compare, and compares them.

The window ends with the last settled day, since labels and some traces arrive late. The reference
is the days just before the window, or a release.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa

from batch.bounded_duckdb import remove_stale_temp_dirs, temp_dir, temp_root
from batch.drift.duckdb_period import DuckDbPeriod
from batch.drift.period_counts import PeriodCounts
from batch.drift.period_engine import DayRange, OpenPeriod, PeriodEngine, PinnedTables
from batch.drift.release_tally import tally_release
from batch.drift.report import MIN_FREEDOM, DriftReport, compare_tallies
from batch.drift.spark_period import SparkPeriod
from batch.drift.tally import FeatureTally, FeatureValues
from batch.engines.spark_lake import SparkAddress
from batch.progress import ReportStep, no_step
from schemas.errors import UsageError


@dataclass(frozen=True, slots=True)
class DriftRequest:
    """What to compare, and which differences count. ``today`` is the day in UTC."""

    today: date
    days: int
    against_days: int
    settled_days: int
    alpha: float
    least: float

    @property
    def window(self) -> DayRange:
        """Return the days to examine."""
        last = self.today - timedelta(days=1 + self.settled_days)
        return DayRange(last - timedelta(days=self.days - 1), last)

    @property
    def reference(self) -> DayRange:
        """Return the days before the window."""
        last = self.window.first - timedelta(days=1)
        return DayRange(last - timedelta(days=self.against_days - 1), last)


def compare_with_days(
    tables: PinnedTables, request: DriftRequest, engine: OpenPeriod
) -> DriftReport:
    """Compare the window with the days before it."""
    with ExitStack() as stack:
        before, after = (
            _open_period(stack, tables, request, days, engine)
            for days in (request.reference, request.window)
        )
        values = before.common_values() | after.common_values()
        return compare_tallies(
            before.tally(values),
            after.tally(values),
            reference=str(request.reference),
            window=str(request.window),
            alpha=request.alpha,
            least=request.least,
        )


def compare_with_release(
    tables: PinnedTables, request: DriftRequest, engine: OpenPeriod, rows: pa.Table, name: str
) -> DriftReport:
    """Compare the window with the rows of a release.

    Raises UsageError if the window is too short to estimate how much days differ by chance.
    """
    if request.days <= MIN_FREEDOM:
        raise UsageError(
            f"a release does not show how days differ, so the window must: give --days "
            f"{MIN_FREEDOM + 1} or more"
        )
    with ExitStack() as stack:
        after = _open_period(stack, tables, request, request.window, engine)
        before = tally_release(rows)
        values = after.common_values() | _tallied_values(before)
        return compare_tallies(
            before,
            after.tally(values),
            reference=name,
            window=str(request.window),
            alpha=request.alpha,
            least=request.least,
            weighed=True,
        )


@contextmanager
def open_duckdb_period(
    tables: PinnedTables, days: DayRange, settled_days: int, *, memory_bytes: int
) -> Iterator[PeriodEngine]:
    """Open a period on DuckDB, in this process, with half of the memory: there may be two."""
    remove_stale_temp_dirs(temp_root())
    with (
        temp_dir(temp_root()) as folder,
        DuckDbPeriod(
            tables, days, settled_days, folder=folder, memory_bytes=memory_bytes // 2
        ) as period,
    ):
        yield period


def open_spark_period(
    tables: PinnedTables,
    days: DayRange,
    settled_days: int,
    *,
    address: SparkAddress,
    report: ReportStep = no_step,
) -> AbstractContextManager[PeriodEngine]:
    """Open a period on a Spark Connect server."""
    return SparkPeriod(tables, days, settled_days, address=address, report=report)


def _open_period(
    stack: ExitStack,
    tables: PinnedTables,
    request: DriftRequest,
    days: DayRange,
    engine: OpenPeriod,
) -> PeriodCounts:
    settled = request.settled_days
    opened = stack.enter_context(engine(tables, days, settled))
    return PeriodCounts(opened, tables, days, settled)


def _tallied_values(tally: FeatureTally) -> FeatureValues:
    return frozenset((name, value) for name in tally.features for value in tally.values(name))
