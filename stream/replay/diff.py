"""Computes what promoting a replay would change: rows, columns, and findings of personal data.

Live and staged rows are matched by their coordinates, a few thousand offsets at a time. What
promotion would leave alone is counted too: rows that Kafka no longer had, and staged records that
are no longer in a live table.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lake.quarantine import ingested_since
from lake.tables import Table
from schemas.arrow import EVENT_DATE, TABLES
from stream.replay.offset_set import OffsetSet
from stream.replay.plan import ReplayPlan
from stream.replay.replay_range import ReplaySpan
from stream.replay.samples import ChangedValue, find_changed_values
from stream.replay.table_pair import TablePair, select_replaced

COMPARED_OFFSETS = 4_096
"""Offsets compared at once: some tens of megabytes of rows."""
_UNCOMPARED = frozenset(
    {"_topic", "_partition", "_offset", "_index", "_ingested_at", "_policy", EVENT_DATE}
)
RowKey = tuple[int, int | None, str]
"""Offset, index and policy of a row of one partition."""
KEEP_OPERATOR = "keep"
"""The operator of findings that the policy leaves unchanged."""

_FINDINGS = ("_offset", "_index", "_policy", "_ingested_at", "counts")


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that changes, and its changed values; see `stream.replay.samples` for what is shown."""

    partition: int
    offset: int
    values: Sequence[ChangedValue]


@dataclass(slots=True)
class ReplayDifference:
    """Row counts; the names of the first seven are keys of the command's JSON output.

    ``added`` rows leave quarantine for the table and ``gone`` rows the reverse. ``changed`` and
    ``same`` are in the table before and after, ``aside`` in quarantine before and after. ``kept``
    are live rows that promotion leaves alone, ``withheld`` staged records that are live nowhere.
    ``columns`` counts changed rows by column. ``before`` and ``after`` are the findings by type in
    rows that are in the table before and after. ``unaudited`` counts those rows that the live audit
    of redaction does not cover.
    """

    added: int
    gone: int
    aside: int
    kept: int
    withheld: int
    changed: int = 0
    same: int = 0
    columns: Counter[str] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    unaudited: int = 0
    samples: list[ChangedRow] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Return whether promotion would change any table."""
        return bool(self.added or self.gone or self.changed)


@dataclass(frozen=True, slots=True)
class ReplayComparison:
    """Compares one replay with the live tables. The audits are None if none is kept."""

    plan: ReplayPlan
    live: TablePair
    stage: TablePair
    live_audit: Table | None
    staged_audit: Table | None
    report: Callable[[str, int, int], None]

    def run(self, *, samples: int) -> ReplayDifference:
        """Compare; keep up to ``samples`` samples. RetryableError if the lake is unavailable."""
        live = self.live.scan(self.plan)
        staged = self.stage.scan(self.plan, live.horizon)
        swapped = select_replaced(live, staged)
        before, after = live.primary.offsets, staged.primary.offsets
        difference = ReplayDifference(
            added=len((swapped & after) - before),
            gone=len((swapped & before) - after),
            aside=len(swapped - before - after),
            kept=len(live.offsets - swapped),
            withheld=len(staged.offsets - live.offsets),
        )
        for audit in filter(None, (self.live_audit, self.staged_audit)):
            audit.refresh()
        both = swapped & before & after
        compared = 0
        for window in _windows(self.plan.spans):
            self.report("comparing", compared, self.plan.offsets)
            self._compare(window, both, difference, samples)
            compared += window.offsets
        return difference

    def _compare(
        self, window: ReplaySpan, both: OffsetSet, difference: ReplayDifference, samples: int
    ) -> None:
        before, after = (
            self._rows(table, window, both) for table in (self.live.primary, self.stage.primary)
        )
        if not len(before):
            return
        changed = pa.array([False] * len(before))
        for column in TABLES[self.plan.table].arrow.names:
            if column in _UNCOMPARED:
                continue
            differing = _differs(before[column], after[column])
            count = pc.sum(differing).as_py() or 0
            if count:
                difference.columns[column] += count
                changed = pc.or_(changed, differing)
        changes = int(pc.sum(changed).as_py() or 0)
        difference.changed += changes
        difference.same += len(before) - changes
        if changes and len(difference.samples) < samples:
            at = [i for i, flag in enumerate(changed.to_pylist()) if flag]
            for i in at[: samples - len(difference.samples)]:
                difference.samples.append(_sample(window.partition, before, after, i))
        self._count_findings(window, before, after, difference)

    def _count_findings(
        self, window: ReplaySpan, before: pa.Table, after: pa.Table, difference: ReplayDifference
    ) -> None:
        counts_of = self._findings(self.live_audit, window)
        for key in _keys(before):
            counts = counts_of.get(key)
            difference.unaudited += counts is None
            difference.before.update(counts or {})
        counts_of = self._findings(self.staged_audit, window)
        for key in _keys(after):
            difference.after.update(counts_of.get(key, {}))

    def _findings(self, audit: Table | None, window: ReplaySpan) -> dict[RowKey, Mapping[str, int]]:
        """Return the findings of rows by offset, index and policy; the last of several counts."""
        if audit is None:
            return {}
        rows = audit.read(_FINDINGS, self._within(window), texts={"_topic": self.plan.topic})
        rows = rows.sort_by([("_ingested_at", "ascending")])
        return {
            (row["_offset"], row["_index"], row["_policy"]): count_by_type(row["counts"])
            for row in rows.to_pylist()
        }

    def _rows(self, table: Table, window: ReplaySpan, both: OffsetSet) -> pa.Table:
        columns = [name for name in TABLES[table.name].arrow.names if name != EVENT_DATE]
        rows = table.read(columns, self._within(window), texts={"_topic": self.plan.topic})
        place = [("_offset", "ascending"), ("_index", "ascending")]
        return rows.filter(pa.array(both.mask(rows))).sort_by(place)

    def _within(self, window: ReplaySpan) -> pc.Expression:
        return (
            ingested_since(self.plan.adopted or 0)
            & (pc.field("_partition") == window.partition)
            & (pc.field("_offset") >= window.start)
            & (pc.field("_offset") < window.end)
        )


def _windows(spans: Sequence[ReplaySpan]) -> Iterator[ReplaySpan]:
    for span in spans:
        for start in range(span.start, span.end, COMPARED_OFFSETS):
            yield ReplaySpan(span.partition, start, min(start + COMPARED_OFFSETS, span.end))


def _differs(before: pa.ChunkedArray, after: pa.ChunkedArray) -> pa.Array:
    """Return for each row whether two columns differ; null equals null."""
    if pa.types.is_nested(before.type):
        pairs = zip(before.to_pylist(), after.to_pylist(), strict=True)
        return pa.array([left != right for left, right in pairs], pa.bool_())
    differing = pc.fill_null(pc.not_equal(before, after), False)  # noqa: FBT003 - a value
    either = pc.or_(differing, pc.not_equal(pc.is_null(before), pc.is_null(after)))
    return either.combine_chunks()


def _sample(partition: int, before: pa.Table, after: pa.Table, at: int) -> ChangedRow:
    old, new = (rows.slice(at, 1).to_pylist()[0] for rows in (before, after))
    values = [
        value
        for column in old
        if column not in _UNCOMPARED
        for value in find_changed_values(column, old[column], new[column])
    ]
    return ChangedRow(partition, old["_offset"], values)


def _keys(rows: pa.Table) -> Iterator[RowKey]:
    columns = (rows[name].to_pylist() for name in ("_offset", "_index", "_policy"))
    return zip(*columns, strict=True)


def count_by_type(counts: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Return the findings of an audit row by type, without those that the policy keeps."""
    by_type: Counter[str] = Counter()
    for finding in counts:
        if finding["operator"] == KEEP_OPERATOR:
            continue
        by_type[finding["type"]] += finding["count"]
    return by_type
