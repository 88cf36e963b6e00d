"""The part of a spec's window in which nothing has expired.

A day is complete if its traces have their texts and their label events, and their users where the
split or the clusters need them. A sample of earlier days would be a sample of what is left,
whatever the window says, and its rows would be empty. So a spec whose window begins earlier is
rejected, unless it says that such days are to be left out.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from batch.release.format.manifest import ExpiredFacts
from batch.release.sampling.spec import ReleaseSpec, SpecWindow
from lake.retention_horizon import PSEUDONYMS_PART, ROWS_PART, TEXT_PART, complete_from
from lake.snapshot import TableSnapshot
from schemas.arrow import TIMESTAMP_US
from schemas.errors import UsageError
from schemas.times import midnight

NAMED_SETS: Final = ("must_include", "adversarial")


@dataclass(frozen=True, slots=True)
class RetainedWindow:
    """A spec whose window holds complete days only, and what was left out.

    ``since`` is the first complete day, None if nothing relevant has ever expired. ``left_out``
    counts traces of the window that are still stored, but of earlier days. ``cut`` says whether the
    window was shortened.
    """

    spec: ReleaseSpec
    since: date | None = None
    left_out: int = 0
    cut: bool = False

    def to_json(self) -> ExpiredFacts | None:
        """Return the entry of the manifest, None if the window was not shortened."""
        if not self.cut or self.since is None:
            return None
        return {"whole_from": self.since.isoformat(), "traces_left_out": self.left_out}

    def check_named(self, rows: pa.Table) -> None:
        """Raise UsageError if a trace that the spec names is of a day that is not complete.

        ``rows`` are those that were selected.
        """
        if self.since is None:
            return
        early = pc.less(rows["started_at"], pa.scalar(midnight(self.since), TIMESTAMP_US))
        expired = rows.filter(pc.and_(early, pc.is_in(rows["drawn"], pa.array(NAMED_SETS))))
        if len(expired):
            sets = ", ".join(sorted(set(expired["drawn"].to_pylist())))
            raise UsageError(
                f"{len(expired)} traces that the spec names (in {sets}) are of days before "
                f"{self.since}, whose texts have expired: remove them from the spec"
            )


def retained_window(
    spec: ReleaseSpec, traces: TableSnapshot, labels: TableSnapshot
) -> RetainedWindow:
    """Return the spec for the days that are complete.

    Raises UsageError if its window begins earlier and it does not say `expired: leave_out`, or if
    nothing of the window is left; RetryableError if the lake does not respond.
    """
    needs_users = spec.holdout is not None or spec.one_per == "user"
    days = (
        complete_from(traces, ROWS_PART, TEXT_PART, *([PSEUDONYMS_PART] if needs_users else [])),
        complete_from(labels, ROWS_PART, TEXT_PART),
    )
    since = max((day for day in days if day is not None), default=None)
    if since is None or midnight(since) <= spec.window.start:
        return RetainedWindow(spec, since)
    count = _count_stored(traces, spec, since)
    if spec.expired != "leave_out":
        raise UsageError(
            f"the window begins on {spec.window.start.date()}, but texts, users, rows or labels of "
            f"days before {since} have expired ({count} of their traces are still stored): begin "
            f"it on {since}, or write `expired: leave_out` in the spec"
        )
    if midnight(since) >= spec.window.end:
        raise UsageError(
            f"the whole window has expired: texts, users, rows or labels of days before {since} "
            "are gone"
        )
    window = SpecWindow.model_validate({"from": midnight(since), "to": spec.window.end})
    return RetainedWindow(spec.model_copy(update={"window": window}), since, count, cut=True)


def _count_stored(traces: TableSnapshot, spec: ReleaseSpec, since: date) -> int:
    end = min(midnight(since), spec.window.end)
    started = pc.field("started_at")
    window = (started >= pa.scalar(spec.window.start, TIMESTAMP_US)) & (
        started < pa.scalar(end, TIMESTAMP_US)
    )
    first, last = spec.window.days
    return int(traces.dataset((first, min(last, since))).count_rows(filter=window))
