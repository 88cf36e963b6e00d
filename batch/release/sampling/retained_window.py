"""What a release may be drawn from once retention has been at work: days of which all is there.

A day counts if the traces of it are there with their texts, and with their users where a user must
be on one side, and if the label events on them are. Of earlier days a sample would be one of what
is left, whatever the window says, and its rows would be empty. So a spec whose window reaches back
further is refused, unless it says that such days are to be left out.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from batch.release.sampling.spec import ReleaseSpec, SpecWindow
from lake.retention_horizon import PSEUDONYMS_PART, ROWS_PART, TEXT_PART, complete_from
from lake.snapshot import TableSnapshot
from schemas.arrow import TIMESTAMP_US
from schemas.errors import UsageError

NAMED_SETS: Final = ("must_include", "adversarial")


@dataclass(frozen=True, slots=True)
class RetainedWindow:
    """The spec with a window in which nothing has expired, and what that leaves out.

    ``since`` is the first day of which all is there, None if nothing that counts has ever expired;
    ``left_out`` how many traces of the window are still stored, but of earlier days.
    """

    spec: ReleaseSpec
    since: date | None = None
    left_out: int = 0
    cut: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what the manifest says of it: nothing, if the window is whole."""
        if not self.cut or self.since is None:
            return {}
        told = {"whole_from": self.since.isoformat(), "traces_left_out": self.left_out}
        return {"expired": told}

    def check_named(self, rows: pa.Table) -> None:
        """Raise UsageError if a trace that the spec names is of a day of which something is gone.

        ``rows`` are those that were selected.
        """
        if self.since is None:
            return
        early = pc.less(rows["started_at"], pa.scalar(_midnight(self.since), TIMESTAMP_US))
        gone = rows.filter(pc.and_(early, pc.is_in(rows["drawn"], pa.array(NAMED_SETS))))
        if len(gone):
            sets = ", ".join(sorted(set(gone["drawn"].to_pylist())))
            raise UsageError(
                f"{len(gone)} traces that the spec names (in {sets}) are of days before "
                f"{self.since}, of which texts have expired: take them out of the spec"
            )


def retained_window(
    spec: ReleaseSpec, traces: TableSnapshot, labels: TableSnapshot
) -> RetainedWindow:
    """Return the spec for the days of which all is there.

    Raises UsageError if its window reaches back further and it does not say `expired: leave_out`,
    or if nothing of the window is left; RetryableError if the lake does not answer.
    """
    tied = spec.holdout is not None or spec.one_per == "user"
    days = (
        complete_from(traces, ROWS_PART, TEXT_PART, *([PSEUDONYMS_PART] if tied else [])),
        complete_from(labels, ROWS_PART, TEXT_PART),
    )
    since = max((day for day in days if day is not None), default=None)
    if since is None or _midnight(since) <= spec.window.start:
        return RetainedWindow(spec, since)
    count = _stored(traces, spec, since)
    if spec.expired != "leave_out":
        raise UsageError(
            f"the window begins on {spec.window.start.date()}, but texts, users, rows or labels of "
            f"days before {since} have expired ({count} of their traces are still stored): begin "
            f"it on {since}, or say `expired: leave_out` in the spec"
        )
    if _midnight(since) >= spec.window.end:
        raise UsageError(
            f"the whole window has expired: texts, users, rows or labels of days before {since} "
            "are gone"
        )
    window = SpecWindow.model_validate({"from": _midnight(since), "to": spec.window.end})
    return RetainedWindow(spec.model_copy(update={"window": window}), since, count, cut=True)


def _stored(traces: TableSnapshot, spec: ReleaseSpec, since: date) -> int:
    end = min(_midnight(since), spec.window.end)
    started = pc.field("started_at")
    within = (started >= pa.scalar(spec.window.start, TIMESTAMP_US)) & (
        started < pa.scalar(end, TIMESTAMP_US)
    )
    first, last = spec.window.days
    return int(traces.dataset((first, min(last, since))).count_rows(filter=within))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
