"""Finds drift: which days are compared with what, and the comparison.

The window ends with the last day that has settled: labels come late, and so do some traces. The
reference is the days just before, or a release.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa

from batch.drift.reading import Days, Period
from batch.drift.released import tally_release
from batch.drift.report import FREEDOM, Report, report
from batch.drift.tally import Tally, Told
from batch.scratch import root, scratch, sweep
from lake.tables import Lake
from schemas.errors import UsageError


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be compared, and when a difference counts. ``today`` is the day in UTC."""

    today: date
    days: int
    against_days: int
    settled_days: int
    alpha: float
    least: float
    memory_bytes: int

    @property
    def window(self) -> Days:
        """Return the days that are looked at."""
        last = self.today - timedelta(days=1 + self.settled_days)
        return Days(last - timedelta(days=self.days - 1), last)

    @property
    def reference(self) -> Days:
        """Return the days before them."""
        last = self.window.first - timedelta(days=1)
        return Days(last - timedelta(days=self.against_days - 1), last)


def against_days(lake: Lake, asked: Asked) -> Report:
    """Compare the window with the days before it."""
    sweep(root())
    with ExitStack() as stack:
        before, after = (_period(stack, lake, asked, d) for d in (asked.reference, asked.window))
        told = before.commonest() | after.commonest()
        return report(
            before.tally(told),
            after.tally(told),
            reference=str(asked.reference),
            window=str(asked.window),
            alpha=asked.alpha,
            least=asked.least,
        )


def against_release(lake: Lake, asked: Asked, rows: pa.Table, name: str) -> Report:
    """Compare the window with the rows of a release.

    Raises UsageError if the window is too short to know how far its days differ by themselves.
    """
    if asked.days <= FREEDOM:
        raise UsageError(
            f"a release does not tell how days differ, so the window must: --days {FREEDOM + 1} "
            "or more"
        )
    sweep(root())
    with ExitStack() as stack:
        after, before = _period(stack, lake, asked, asked.window), tally_release(rows)
        told = after.commonest() | _values(before)
        return report(
            before,
            after.tally(told),
            reference=name,
            window=str(asked.window),
            alpha=asked.alpha,
            least=asked.least,
            weighed=True,
        )


def _period(stack: ExitStack, lake: Lake, asked: Asked, days: Days) -> Period:
    period = Period(
        lake,
        days,
        settled_days=asked.settled_days,
        folder=stack.enter_context(scratch(root())),
        memory_bytes=asked.memory_bytes // 2,
    )
    return stack.enter_context(period)


def _values(tally: Tally) -> Told:
    return frozenset((name, value) for name in tally.features for value in tally.values(name))
