"""Whether each record is where the commits say it is, by reading the coordinates of all rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lake.ledger import SourcePartition

_KEY = ["_topic", "_partition", "_offset"]
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ExpectedRows:
    """What the commits say of a source partition.

    ``spans`` are the offsets that were covered, one range for each incarnation of the topic;
    ``quarantined`` is how many records are in quarantine now. Unless the logs are ``whole``, there
    may be rows of commits that they have lost.
    """

    spans: Sequence[range]
    quarantined: int
    whole: bool = True


def find_misplaced_rows(
    table: str, stored: pa.Table, aside: pa.Table, expected: Mapping[SourcePartition, ExpectedRows]
) -> list[str]:
    """Return one sentence for each law that the rows of a primary table and of quarantine break.

    ``stored`` and ``aside`` are the coordinates of all rows of these two.

    Each record is in one of the two tables, once; no row lies outside of what was consumed, but for
    those of quarantine, which may be ahead; quarantine holds as many as were set aside.
    """
    topics = sorted({source.topic for source in expected})
    stored, aside = stored.select(_KEY), aside.select(_KEY)
    aside = aside.filter(pc.is_in(aside["_topic"], pa.array(topics, pa.string())))
    return [
        *_uncovered(table, stored, expected),
        *_repeated(pa.concat_tables([stored, aside]), expected),
        *_missing(aside, expected),
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
        told = expected.get(source, _of_nothing(expected))
        spans = told.spans if told.whole else [range(told.spans[0].start), *told.spans]
        if not all(
            any(offset in span for span in spans)
            for offset in (row["_offset_min"], row["_offset_max"])
        ):
            problems.append(f"{source}: table {table} holds rows that no commit covers")
    return problems


def _repeated(rows: pa.Table, expected: Mapping[SourcePartition, ExpectedRows]) -> list[str]:
    counts = rows.group_by(_KEY).aggregate([([], "count_all")])
    several = counts.filter(pc.greater(counts["count_all"], 1)).sort_by(
        [(name, "ascending") for name in _KEY]
    )
    found = [
        f"{source}@{row['_offset']}"
        for row in several.to_pylist()
        for source in (SourcePartition(row["_topic"], row["_partition"]),)
        if row["count_all"] > _lives(expected.get(source), row["_offset"])
    ]
    if not found:
        return []
    some = ", ".join(found[:_SHOWN])
    return [f"{len(found)} records are there more than once, such as {some}"]


def _of_nothing(expected: Mapping[SourcePartition, ExpectedRows]) -> ExpectedRows:
    """Return what is expected of a partition that no commit speaks of."""
    whole = all(one.whole for one in expected.values())
    return ExpectedRows([] if whole else [range(2**63)], 0)


def _lives(expected: ExpectedRows | None, offset: int) -> int:
    """Return in how many incarnations of its topic an offset was covered, or is about to be."""
    if expected is None:
        return 1
    *past, now = expected.spans
    return max(1, sum(offset in span for span in past) + (offset >= now.start))


def _missing(aside: pa.Table, expected: Mapping[SourcePartition, ExpectedRows]) -> list[str]:
    """Compare counts, where the offsets of another incarnation cannot be mistaken for these."""
    problems = []
    for source, told in expected.items():
        if len(told.spans) > 1 or not told.whole:
            continue
        mine = aside.filter(
            (pc.field("_topic") == source.topic)
            & (pc.field("_partition") == source.partition)
            & (pc.field("_offset") >= told.spans[0].start)
            & (pc.field("_offset") < told.spans[0].stop)
        )
        if len(mine) != told.quarantined:
            problems.append(
                f"{source}: {told.quarantined} records should be in quarantine, "
                f"but {len(mine)} of its rows are theirs"
            )
    return problems
