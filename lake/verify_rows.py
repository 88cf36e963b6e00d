"""Verifies that each record is where the commits say, by reading all rows' coordinates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lake.ledger import SourcePartition

_RECORD = ["_topic", "_partition", "_offset"]
_KEY = [*_RECORD, "_index"]
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ExpectedRows:
    """The rows of a source partition that the commits account for.

    ``spans`` are the covered offsets, one range for each incarnation of the topic. ``quarantined``
    is how many records are in quarantine now. Unless the logs are complete (``is_complete``), there
    may be rows of commits that the logs have lost.
    """

    spans: Sequence[range]
    quarantined: int
    is_complete: bool = True


def find_misplaced_rows(
    table: str,
    stored: pa.Table,
    quarantined: pa.Table,
    expected: Mapping[SourcePartition, ExpectedRows],
) -> list[str]:
    """Return one sentence for each law that the rows of a primary table and of quarantine break.

    ``stored`` and ``quarantined`` are the coordinates of all rows of the two tables.

    Each item of a record is in one of the two tables, once; a record that is in quarantine as one
    has no item anywhere else. No row is outside the consumed offsets, except in
    quarantine, which may be ahead. Quarantine holds as many records as were rejected.
    """
    topics = sorted({source.topic for source in expected})
    stored, quarantined = stored.select(_KEY), quarantined.select(_KEY)
    quarantined = quarantined.filter(pc.is_in(quarantined["_topic"], pa.array(topics, pa.string())))
    return [
        *_uncovered(table, stored, expected),
        *_repeated(pa.concat_tables([stored, quarantined]), expected),
        *_split(stored, quarantined),
        *_missing(quarantined, expected),
    ]


def _uncovered(
    table: str, rows: pa.Table, expected: Mapping[SourcePartition, ExpectedRows]
) -> list[str]:
    ends = rows.group_by(["_topic", "_partition"]).aggregate(
        [("_offset", "min"), ("_offset", "max")]
    )
    problems = []
    for row in ends.to_pylist():
        source = SourcePartition(row["_topic"], row["_partition"])
        rows_here = expected.get(source, _no_rows(expected))
        spans = rows_here.spans
        if not rows_here.is_complete:
            spans = [range(spans[0].start), *spans]
        if not all(
            any(offset in span for span in spans)
            for offset in (row["_offset_min"], row["_offset_max"])
        ):
            problems.append(f"{source}: table {table} holds rows that no commit covers")
    return problems


def _repeated(rows: pa.Table, expected: Mapping[SourcePartition, ExpectedRows]) -> list[str]:
    counts = rows.group_by(_KEY).aggregate([([], "count_all")])
    repeated = counts.filter(pc.greater(counts["count_all"], 1)).sort_by(
        [(name, "ascending") for name in _KEY]
    )
    records = [
        f"{source}@{row['_offset']}{_place(row['_index'])}"
        for row in repeated.to_pylist()
        for source in (SourcePartition(row["_topic"], row["_partition"]),)
        if row["count_all"] > _count_incarnations(expected.get(source), row["_offset"])
    ]
    if not records:
        return []
    examples = ", ".join(records[:_SHOWN])
    return [f"{len(records)} records are there more than once, such as {examples}"]


def _place(item: int | None) -> str:
    return "" if item is None else f"#{item}"


def _split(stored: pa.Table, quarantined: pa.Table) -> list[str]:
    """Report records that are in quarantine as one while some of their items are stored.

    A record of a contract has no index in either table: `_repeated` finds it.
    """
    items = stored.filter(pc.is_valid(stored["_index"])).select(_RECORD)
    whole = quarantined.filter(pc.is_null(quarantined["_index"])).select(_RECORD)
    if not len(items) or not len(whole):
        return []
    both = whole.join(items, _RECORD, join_type="left semi").sort_by(
        [(name, "ascending") for name in _RECORD]
    )
    if not len(both):
        return []
    shown = [f"{r['_topic']}/{r['_partition']}@{r['_offset']}" for r in both.to_pylist()[:_SHOWN]]
    return [
        f"{len(both)} records are in quarantine, and some of their items in the table too, such as "
        f"{', '.join(shown)}"
    ]


def _no_rows(expected: Mapping[SourcePartition, ExpectedRows]) -> ExpectedRows:
    """Return what is expected of a partition that no commit mentions."""
    is_complete = all(rows.is_complete for rows in expected.values())
    return ExpectedRows([] if is_complete else [range(2**63)], 0)


def _count_incarnations(expected: ExpectedRows | None, offset: int) -> int:
    """Return in how many incarnations of its topic an offset was, or is about to be, covered."""
    if expected is None:
        return 1
    *past, now = expected.spans
    return max(1, sum(offset in span for span in past) + (offset >= now.start))


def _missing(quarantined: pa.Table, expected: Mapping[SourcePartition, ExpectedRows]) -> list[str]:
    """Compare counts where offsets of another incarnation cannot be confused with these."""
    problems = []
    for source, rows_here in expected.items():
        if len(rows_here.spans) > 1 or not rows_here.is_complete:
            continue
        own = quarantined.filter(
            (pc.field("_topic") == source.topic)
            & (pc.field("_partition") == source.partition)
            & (pc.field("_offset") >= rows_here.spans[0].start)
            & (pc.field("_offset") < rows_here.spans[0].stop)
        )
        if len(own) != rows_here.quarantined:
            problems.append(
                f"{source}: {rows_here.quarantined} records should be in quarantine, but it holds "
                f"{len(own)} of them"
            )
    return problems
