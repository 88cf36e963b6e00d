"""Detects drift: chooses the days to compare, and compares them.

The window ends with the last settled day, since labels and some traces arrive late. The reference
is the days just before the window, or a release.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa

from batch.drift.period_counts import PeriodCounts
from batch.drift.period_engine import DayRange, OpenPeriod, PinnedTables
from batch.drift.release_tally import tally_release
from batch.drift.report import MIN_FREEDOM, DriftReport, compare_tallies
from batch.drift.tally import FeatureTally, FeatureValues
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
