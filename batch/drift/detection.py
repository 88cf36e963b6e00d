"""Finds drift: which days are compared with what, and the comparison.

The window ends with the last day that has settled: labels come late, and so do some traces. The
reference is the days just before, or a release.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa

from batch.drift.period_counts import DayRange, PeriodCounts
from batch.drift.release_tally import tally_release
from batch.drift.report import FREEDOM, DriftReport, compare_tallies
from batch.drift.tally import FeatureTally, FeatureValues
from batch.temp_dirs import remove_stale_temp_dirs, temp_dir, temp_root
from lake.tables import Lake
from schemas.errors import UsageError


@dataclass(frozen=True, slots=True)
class DriftRequest:
    """What is to be compared, and when a difference counts. ``today`` is the day in UTC."""

    today: date
    days: int
    against_days: int
    settled_days: int
    alpha: float
    least: float
    memory_bytes: int

    @property
    def window(self) -> DayRange:
        """Return the days that are looked at."""
        last = self.today - timedelta(days=1 + self.settled_days)
        return DayRange(last - timedelta(days=self.days - 1), last)

    @property
    def reference(self) -> DayRange:
        """Return the days before them."""
        last = self.window.first - timedelta(days=1)
        return DayRange(last - timedelta(days=self.against_days - 1), last)


def compare_with_days(lake: Lake, asked: DriftRequest) -> DriftReport:
    """Compare the window with the days before it."""
    remove_stale_temp_dirs(temp_root())
    with ExitStack() as stack:
        before, after = (_period(stack, lake, asked, d) for d in (asked.reference, asked.window))
        told = before.commonest() | after.commonest()
        return compare_tallies(
            before.tally(told),
            after.tally(told),
            reference=str(asked.reference),
            window=str(asked.window),
            alpha=asked.alpha,
            least=asked.least,
        )


def compare_with_release(lake: Lake, asked: DriftRequest, rows: pa.Table, name: str) -> DriftReport:
    """Compare the window with the rows of a release.

    Raises UsageError if the window is too short to know how far its days differ by themselves.
    """
    if asked.days <= FREEDOM:
        raise UsageError(
            f"a release does not tell how days differ, so the window must: --days {FREEDOM + 1} "
            "or more"
        )
    remove_stale_temp_dirs(temp_root())
    with ExitStack() as stack:
        after, before = _period(stack, lake, asked, asked.window), tally_release(rows)
        told = after.commonest() | _values(before)
        return compare_tallies(
            before,
            after.tally(told),
            reference=name,
            window=str(asked.window),
            alpha=asked.alpha,
            least=asked.least,
            weighed=True,
        )


def _period(stack: ExitStack, lake: Lake, asked: DriftRequest, days: DayRange) -> PeriodCounts:
    period = PeriodCounts(
        lake,
        days,
        settled_days=asked.settled_days,
        folder=stack.enter_context(temp_dir(temp_root())),
        memory_bytes=asked.memory_bytes // 2,
    )
    return stack.enter_context(period)


def _values(tally: FeatureTally) -> FeatureValues:
    return frozenset((name, value) for name in tally.features for value in tally.values(name))
