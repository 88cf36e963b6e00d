"""Which row of a trace is in force: one rule, the same in each of its forms."""

from collections import defaultdict
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.trace_in_force import (
    ASSEMBLED_FROM,
    assembled_revision,
    choose_in_force,
    in_force_sql,
    mask_in_force,
    precedence_numbers,
)

Row = dict[str, Any]
SCHEMA = pa.schema(
    [
        ("trace_id", pa.string()),
        ("revision", pa.int64()),
        ("duplicate_of", pa.string()),
        ("_offset", pa.int64()),
        ("_topic", pa.string()),
        ("_partition", pa.int32()),
    ]
)


def record(offset: int, *, topic: str = "llm.traces", partition: int = 0) -> Row:
    """A row of a trace that came as one record."""
    return row(None, None, offset, topic, partition)


def assembled(revision: int, offset: int, *, duplicate_of: str | None = None) -> Row:
    """A row of a trace that was assembled from spans."""
    return row(revision, duplicate_of, offset, "#assembly", 3)


def row(
    revision: int | None, duplicate_of: str | None, offset: int, topic: str, partition: int
) -> Row:
    """A row of the trace ``t``."""
    values = ("t", revision, duplicate_of, offset, topic, partition)
    return dict(zip(SCHEMA.names, values, strict=True))


def test_a_record_comes_before_an_assembled_row() -> None:
    """Whatever the revision, the number of the row, or the order in the table."""
    first = record(900)
    assert choose_in_force([assembled(1, 0), first, assembled(7, 5)]) is first


def test_of_two_records_the_lowest_coordinates_count() -> None:
    """By offset first: it says the order in which one partition got them."""
    first = record(4, topic="z", partition=9)
    assert choose_in_force([record(5), first, record(6)]) is first
    tied = record(4, topic="a", partition=9)
    assert choose_in_force([first, tied]) is tied


def test_of_two_assembled_rows_the_highest_revision_counts() -> None:
    """The number that the row got in its shard says nothing."""
    last = assembled(3, 0)
    assert choose_in_force([assembled(1, 2), last, assembled(2, 1)]) is last


def test_a_trace_that_repeats_another_has_no_row_in_force() -> None:
    """Neither the row that says so, nor the revisions before it; a later revision takes it back."""
    before = [assembled(1, 0), assembled(2, 1, duplicate_of="other")]
    assert choose_in_force(before) is None
    back = assembled(3, 2)
    assert choose_in_force([*before, back]) is back
    came_whole = record(8)
    assert choose_in_force([*before, came_whole]) is came_whole
    assert choose_in_force([]) is None


keys = st.builds(
    lambda trace, revision, repeats, offset, topic, partition: dict(
        zip(
            SCHEMA.names,
            (
                trace,
                revision,
                "other" if repeats and revision is not None else None,
                offset,
                topic if revision is None else "#assembly",
                partition,
            ),
            strict=True,
        )
    ),
    st.sampled_from(["t1", "t2", "t3", "t4"]),
    st.none() | st.integers(1, 4),
    st.booleans(),
    st.integers(0, 5),
    st.sampled_from(["a", "b"]),
    st.integers(0, 2),
)


@settings(max_examples=60)
@given(st.lists(keys, max_size=30, unique_by=lambda row: tuple(map(str, row.values()))))
def test_all_forms_choose_the_same_rows(rows: list[Row]) -> None:
    """Python, Arrow and SQL, for any rows in any order."""
    by_trace: dict[str, list[Row]] = defaultdict(list)
    for each in rows:
        by_trace[each["trace_id"]].append(each)
    chosen = [row for of_trace in by_trace.values() if (row := choose_in_force(of_trace))]
    expected = sorted(map(str, chosen))
    table = pa.Table.from_pylist(rows, SCHEMA)
    assert sorted(map(str, table.filter(pa.array(mask_in_force(table))).to_pylist())) == expected
    columns = ", ".join(SCHEMA.names)
    with duckdb.connect() as connection:
        connection.register("traces", table)
        found = connection.sql(in_force_sql("traces", columns)).to_arrow_table().to_pylist()
    assert sorted(map(str, found)) == expected


@given(st.lists(keys, min_size=1, max_size=12))
def test_the_numbers_of_precedence_order_rows_of_one_place(rows: list[Row]) -> None:
    """Of rows of one partition, the one that counts has the lowest number."""
    same = [{**each, "trace_id": "t", "_topic": "a", "_partition": 0} for each in rows]
    revisions = np.array([-1 if r["revision"] is None else r["revision"] for r in same])
    offsets = np.array([r["_offset"] for r in same])
    numbers = precedence_numbers(offsets, revisions)
    best = same[int(np.argmin(numbers))]
    rule = min(same, key=lambda r: (r["revision"] is not None, -(r["revision"] or 0)))
    assert best["revision"] == rule["revision"]
    if best["revision"] is None:
        assert best["_offset"] == min(r["_offset"] for r in same if r["revision"] is None)
    assert assembled_revision(int(numbers.min())) == (best["revision"] or 0)
    assert (numbers < ASSEMBLED_FROM).tolist() == (revisions < 0).tolist()
