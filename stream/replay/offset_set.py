"""Sets of offsets, and which offsets of a replay's ranges a table holds.

A million offsets take a megabyte, whatever the size of the rows. In a topic of spans a member is an
item of a record, or a record that is in quarantine as one; a million of these take eight.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.quarantine import ingested_since
from lake.tables import FILE_COLUMN, Table
from schemas.arrow import EVENT_DATE, SPANS_TABLE
from stream.replay.plan import ReplayPlan

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
_COLUMNS = ("_topic", "_partition", "_offset", "_index", FILE_COLUMN)
_PLACES = 2**17
"""More than a record has items: see `stream.signal_decoder.MOST_ROW_BYTES`."""


@dataclass(frozen=True, slots=True)
class OffsetSet:
    """A set of offsets: flags by partition, indexed from the start of the partition's range."""

    starts: Mapping[int, int]
    flags: Mapping[int, Flags]

    @classmethod
    def none(cls, plan: ReplayPlan) -> "OffsetSet":
        """Return the empty set for a plan's ranges, of items if its records hold items."""
        if plan.table == SPANS_TABLE:
            return ItemSet.of_plan(plan)
        starts = {span.partition: span.start for span in plan.spans}
        return cls(starts, {s.partition: np.zeros(s.offsets, np.bool_) for s in plan.spans})

    def add(self, rows: Any) -> None:
        """Add the coordinates of rows; those outside of the ranges are ignored."""
        for partition, at, _ in self._inside(rows):
            self.flags[partition][at] = True

    def mask(self, rows: Any) -> Flags:
        """Return for each row whether its coordinates are in the set."""
        selected = np.zeros(len(rows), np.bool_)
        for partition, at, inside in self._inside(rows):
            selected[inside] = self.flags[partition][at]
        return selected

    def __and__(self, other: "OffsetSet") -> "OffsetSet":
        return self._with(other, np.logical_and)

    def __or__(self, other: "OffsetSet") -> "OffsetSet":
        return self._with(other, np.logical_or)

    def __sub__(self, other: "OffsetSet") -> "OffsetSet":
        return self._with(other, lambda own, removed: own & ~removed)

    def __len__(self) -> int:
        return sum(self.counts().values())

    def counts(self) -> dict[int, int]:
        """Return the number of offsets by partition."""
        return {partition: int(flags.sum()) for partition, flags in self.flags.items()}

    def _inside(self, rows: Any) -> list[tuple[int, Any, Any]]:
        partitions = np.asarray(rows["_partition"])
        offsets = np.asarray(rows["_offset"])
        selected = []
        for partition, flags in self.flags.items():
            at = offsets - self.starts[partition]
            inside = (partitions == partition) & (at >= 0) & (at < len(flags))
            selected.append((partition, at[inside], inside))
        return selected

    def _with(self, other: "OffsetSet", join: Callable[[Flags, Flags], Flags]) -> "OffsetSet":
        joined = {p: join(flags, other.flags[p]) for p, flags in self.flags.items()}
        return OffsetSet(self.starts, joined)


@dataclass(frozen=True, slots=True)
class ItemSet(OffsetSet):
    """A set of items: their numbers by partition, sorted.

    The number of an item counts the places from the start of the partition's range; a whole record
    has the place before its first item.
    """

    numbers: dict[int, Numbers] = field(default_factory=dict)
    ends: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of_plan(cls, plan: ReplayPlan) -> "ItemSet":
        """Return the empty set for a plan's ranges."""
        empty = {span.partition: np.zeros(0, np.int64) for span in plan.spans}
        starts = {span.partition: span.start for span in plan.spans}
        return cls(starts, {}, empty, {span.partition: span.end for span in plan.spans})

    def add(self, rows: Any) -> None:
        """Add the coordinates of rows; those outside of the ranges are ignored."""
        for partition, numbers, _ in self._inside(rows):
            self.numbers[partition] = np.union1d(self.numbers[partition], numbers)

    def mask(self, rows: Any) -> Flags:
        """Return for each row whether its coordinates are in the set."""
        selected = np.zeros(len(rows), np.bool_)
        for partition, numbers, inside in self._inside(rows):
            selected[inside] = np.isin(numbers, self.numbers[partition], assume_unique=False)
        return selected

    def __and__(self, other: OffsetSet) -> OffsetSet:
        return self._combine(other, np.intersect1d)

    def __or__(self, other: OffsetSet) -> OffsetSet:
        return self._combine(other, np.union1d)

    def __sub__(self, other: OffsetSet) -> OffsetSet:
        return self._combine(other, np.setdiff1d)

    def counts(self) -> dict[int, int]:
        """Return the number of members by partition."""
        return {partition: len(numbers) for partition, numbers in self.numbers.items()}

    def _inside(self, rows: Any) -> list[tuple[int, Any, Any]]:
        partitions, offsets = np.asarray(rows["_partition"]), np.asarray(rows["_offset"])
        places = np.asarray(pc.add(pc.fill_null(rows["_index"].cast("int64"), -1), 1))
        selected = []
        for partition, start in self.starts.items():
            inside = (partitions == partition) & (offsets >= start)
            inside &= offsets < self.ends[partition]
            numbers = (offsets[inside] - start) * _PLACES + places[inside]
            selected.append((partition, numbers, inside))
        return selected

    def _combine(self, other: OffsetSet, join: Callable[..., Numbers]) -> "ItemSet":
        if not isinstance(other, ItemSet):
            raise TypeError("items are not compared with records")
        joined = {p: join(numbers, other.numbers[p]) for p, numbers in self.numbers.items()}
        return ItemSet(self.starts, {}, joined, self.ends)


@dataclass(frozen=True, slots=True)
class RangeContents:
    """What a table holds of a plan's ranges. ``sealed`` are rows with a payload in quarantine.

    ``trimmed`` are rows of days from which retention has removed values in the live table,
    ``expired`` rows of days that it removes entirely. ``files`` holds the coordinates by file path,
    at a dozen bytes per row.
    """

    offsets: OffsetSet
    sealed: OffsetSet
    trimmed: OffsetSet
    expired: OffsetSet
    files: Mapping[str, Sequence[pa.RecordBatch]]

    def touched(self, members: OffsetSet) -> set[str]:
        """Return the paths of the files that hold members of a set."""
        return {
            path
            for path, batches in self.files.items()
            if any(members.mask(batch).any() for batch in batches)
        }


def scan_range(
    table: Table, plan: ReplayPlan, values_from: date | None, rows_from: date | None
) -> RangeContents:
    """Scan a table as of its last refresh.

    Values of days before ``values_from`` and rows of days before ``rows_from`` are expired.
    Ignores rows of an earlier incarnation of the topic, whose offsets are unrelated. Raises
    RetryableError if the lake is unavailable.
    """
    offsets, sealed, trimmed, expired = (OffsetSet.none(plan) for _ in range(4))
    files: dict[str, list[pa.RecordBatch]] = defaultdict(list)
    columns = [*_COLUMNS, EVENT_DATE]
    if table.name == "quarantine":
        columns.append("sealed_key_id")
    for batch in table.batches(columns, build_range_filter(plan)):
        rows = batch.filter(pc.equal(batch.column("_topic"), plan.topic))
        offsets.add(rows)
        for members, since in ((trimmed, values_from), (expired, rows_from)):
            if since is not None:
                members.add(rows.filter(pc.less(rows.column(EVENT_DATE), since)))
        for path in pc.unique(rows.column(FILE_COLUMN)).to_pylist():
            of_file = rows.filter(pc.equal(rows.column(FILE_COLUMN), path))
            files[path].append(of_file.select(["_partition", "_offset", "_index"]))
        if "sealed_key_id" in columns:
            sealed.add(rows.filter(pc.is_valid(rows.column("sealed_key_id"))))
    return RangeContents(offsets, sealed, trimmed, expired, files)


def build_range_filter(plan: ReplayPlan) -> pc.Expression:
    """Return a filter that a plan's rows pass, and few others."""
    current = ingested_since(plan.adopted or 0)
    ranges: pc.Expression | None = None
    for span in plan.spans:
        span_filter = (pc.field("_partition") == span.partition) & (
            pc.field("_offset") >= span.start
        )
        span_filter &= pc.field("_offset") < span.end
        ranges = span_filter if ranges is None else ranges | span_filter
    return current if ranges is None else current & ranges


def match_rows(rows: pa.Table, plan: ReplayPlan, members: OffsetSet) -> Flags:
    """Return for each row of a table whether it is one of the topic's rows in ``members``."""
    since = pa.scalar(plan.adopted or 0, pa.timestamp("us", "UTC"))
    in_topic = pc.and_(
        pc.equal(rows["_topic"], plan.topic), pc.greater_equal(rows["_ingested_at"], since)
    )
    flags: Flags = np.asarray(in_topic).astype(np.bool_) & members.mask(rows)
    return flags
