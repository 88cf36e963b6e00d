"""Which offsets of a replay's ranges a table holds, as one byte an offset; and sets of such.

A million offsets take a megabyte, whatever the rows weigh.
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
    """A set of offsets: flags by partition, the first of which is for the start of its range."""

    starts: Mapping[int, int]
    flags: Mapping[int, Flags]

    @classmethod
    def none(cls, plan: ReplayPlan) -> "OffsetSet":
        """Return the empty set."""
        starts = {span.partition: span.start for span in plan.spans}
        return cls(starts, {s.partition: np.zeros(s.offsets, np.bool_) for s in plan.spans})

    def add(self, rows: Any) -> None:
        """Add the coordinates of rows; those outside of the ranges are passed over."""
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
        """Return how many there are, by partition."""
        return {partition: int(flags.sum()) for partition, flags in self.flags.items()}

    def offsets(self, partition: int, most: int) -> list[int]:
        """Return the first offsets of a partition that are in the set."""
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
    """What a table holds of the ranges. ``sealed`` are those whose payload quarantine keeps.

    ``over`` are rows of days of which the live table keeps less than it got, ``leaving`` those
    of days of which it keeps nothing (retention).
    ``files`` holds the coordinates by the path of their file, at a dozen bytes a row.
    """

    there: OffsetSet
    sealed: OffsetSet
    over: OffsetSet
    leaving: OffsetSet
    files: Mapping[str, Sequence[pa.RecordBatch]]

    def touched(self, marks: OffsetSet) -> set[str]:
        """Return the paths of the files that hold some of a set."""
        return {
            path
            for path, batches in self.files.items()
            if any(marks.mask(batch).any() for batch in batches)
        }


def scan_range(
    table: Table, plan: ReplayPlan, whole: date | None, kept: date | None
) -> RangeContents:
    """Look at a table as of its last refresh; values before ``whole`` and rows before ``kept`` are
    over.

    Rows of an earlier incarnation of the topic are not seen: their offsets are of another topic.
    Raises RetryableError if the lake does not answer.
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
    """Return the condition on numbers that rows of a plan's ranges meet, and few others."""
    found = ingested_since(plan.adopted or 0)
    mine: pc.Expression | None = None
    for span in plan.spans:
        one = (pc.field("_partition") == span.partition) & (pc.field("_offset") >= span.start)
        one &= pc.field("_offset") < span.end
        mine = one if mine is None else mine | one
    return found if mine is None else found & mine


def match_rows(rows: pa.Table, plan: ReplayPlan, marks: OffsetSet) -> Flags:
    """Return for each row of a table whether it is one of the topic's that ``marks`` names."""
    since = pa.scalar(plan.adopted or 0, pa.timestamp("us", "UTC"))
    mine = pc.and_(
        pc.equal(rows["_topic"], plan.topic), pc.greater_equal(rows["_ingested_at"], since)
    )
    flags: Flags = np.asarray(mine).astype(np.bool_) & marks.mask(rows)
    return flags
