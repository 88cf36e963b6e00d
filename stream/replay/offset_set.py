"""The offsets of a replay's ranges that a table holds, as one byte per offset; and sets of offsets.

A million offsets take a megabyte, whatever the size of the rows.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.quarantine import ingested_since
from lake.tables import FILE_COLUMN, Table
from schemas.arrow import EVENT_DATE
from stream.replay.plan import ReplayPlan

Flags = npt.NDArray[np.bool_]
_COLUMNS = ("_topic", "_partition", "_offset", FILE_COLUMN)


@dataclass(frozen=True, slots=True)
class OffsetSet:
    """A set of offsets: flags by partition, indexed from the start of the partition's range."""

    starts: Mapping[int, int]
    flags: Mapping[int, Flags]

    @classmethod
    def none(cls, plan: ReplayPlan) -> "OffsetSet":
        """Return the empty set for a plan's ranges."""
        starts = {span.partition: span.start for span in plan.spans}
        return cls(starts, {s.partition: np.zeros(s.offsets, np.bool_) for s in plan.spans})

    def add(self, rows: Any) -> None:
        """Add the coordinates of rows; those outside of the ranges are ignored."""
        for partition, at, _ in self._inside(rows):
            self.flags[partition][at] = True

    def mask(self, rows: Any) -> Flags:
        """Return for each row whether its coordinates are in the set."""
        found = np.zeros(len(rows), np.bool_)
        for partition, at, where in self._inside(rows):
            found[where] = self.flags[partition][at]
        return found

    def __and__(self, other: "OffsetSet") -> "OffsetSet":
        return self._with(other, np.logical_and)

    def __or__(self, other: "OffsetSet") -> "OffsetSet":
        return self._with(other, np.logical_or)

    def __sub__(self, other: "OffsetSet") -> "OffsetSet":
        return self._with(other, lambda mine, others: mine & ~others)

    def __len__(self) -> int:
        return sum(self.counts().values())

    def counts(self) -> dict[int, int]:
        """Return the number of offsets by partition."""
        return {partition: int(flags.sum()) for partition, flags in self.flags.items()}

    def offsets(self, partition: int, most: int) -> list[int]:
        """Return up to ``most`` first offsets of a partition."""
        return [
            int(at) + self.starts[partition] for at in self.flags[partition].nonzero()[0][:most]
        ]

    def _inside(self, rows: Any) -> list[tuple[int, Any, Any]]:
        partitions = np.asarray(rows["_partition"])
        offsets = np.asarray(rows["_offset"])
        found = []
        for partition, flags in self.flags.items():
            at = offsets - self.starts[partition]
            where = (partitions == partition) & (at >= 0) & (at < len(flags))
            found.append((partition, at[where], where))
        return found

    def _with(self, other: "OffsetSet", join: Callable[[Flags, Flags], Flags]) -> "OffsetSet":
        joined = {p: join(flags, other.flags[p]) for p, flags in self.flags.items()}
        return OffsetSet(self.starts, joined)


@dataclass(frozen=True, slots=True)
class RangeContents:
    """What a table holds of a plan's ranges. ``sealed`` are rows with a payload in quarantine.

    ``over`` are rows of days from which the live table has removed values, ``leaving`` rows of days
    that it removes entirely (retention). ``files`` holds the coordinates by file path, at a dozen
    bytes per row.
    """

    there: OffsetSet
    sealed: OffsetSet
    over: OffsetSet
    leaving: OffsetSet
    files: Mapping[str, Sequence[pa.RecordBatch]]

    def touched(self, marks: OffsetSet) -> set[str]:
        """Return the paths of the files that hold members of a set."""
        return {
            path
            for path, batches in self.files.items()
            if any(marks.mask(batch).any() for batch in batches)
        }


def scan_range(
    table: Table, plan: ReplayPlan, whole: date | None, kept: date | None
) -> RangeContents:
    """Scan a table as of its last refresh; values before ``whole`` and rows before ``kept`` expire.

    Ignores rows of an earlier incarnation of the topic, whose offsets are unrelated. Raises
    RetryableError if the lake is unavailable.
    """
    there, sealed, over, leaving = (OffsetSet.none(plan) for _ in range(4))
    files: dict[str, list[pa.RecordBatch]] = defaultdict(list)
    columns = [*_COLUMNS, EVENT_DATE]
    if table.name == "quarantine":
        columns.append("sealed_key_id")
    for batch in table.batches(columns, build_range_filter(plan)):
        rows = batch.filter(pc.equal(batch.column("_topic"), plan.topic))
        there.add(rows)
        for marks, since in ((over, whole), (leaving, kept)):
            if since is not None:
                marks.add(rows.filter(pc.less(rows.column(EVENT_DATE), since)))
        for path in pc.unique(rows.column(FILE_COLUMN)).to_pylist():
            of_file = rows.filter(pc.equal(rows.column(FILE_COLUMN), path))
            files[path].append(of_file.select(["_partition", "_offset"]))
        if "sealed_key_id" in columns:
            sealed.add(rows.filter(pc.is_valid(rows.column("sealed_key_id"))))
    return RangeContents(there, sealed, over, leaving, files)


def build_range_filter(plan: ReplayPlan) -> pc.Expression:
    """Return a filter that a plan's rows pass, and few others."""
    found = ingested_since(plan.adopted or 0)
    mine: pc.Expression | None = None
    for span in plan.spans:
        one = (pc.field("_partition") == span.partition) & (pc.field("_offset") >= span.start)
        one &= pc.field("_offset") < span.end
        mine = one if mine is None else mine | one
    return found if mine is None else found & mine


def match_rows(rows: pa.Table, plan: ReplayPlan, marks: OffsetSet) -> Flags:
    """Return for each row of a table whether it is one of the topic's rows in ``marks``."""
    since = pa.scalar(plan.adopted or 0, pa.timestamp("us", "UTC"))
    mine = pc.and_(
        pc.equal(rows["_topic"], plan.topic), pc.greater_equal(rows["_ingested_at"], since)
    )
    flags: Flags = np.asarray(mine).astype(np.bool_) & marks.mask(rows)
    return flags
