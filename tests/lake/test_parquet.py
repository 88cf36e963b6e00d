"""Files: one a day, named by what is in them, with statistics that never hide a row."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lake.ledger import SourcePartition
from lake.parquet import DataFile, coverage_name, encode_files, partition_values
from lake.snapshot import open_snapshot
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Lake
from schemas.redacted import Redacted
from tests.batch.release.world import add, conversations
from tests.lake.kit import OTHER, SOURCE, START, At, append, make_lake, open_lake, rows, span

LAYOUT = TABLE_LAYOUTS["feedback"]
RANGE = span(0, 4)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
TIMES = st.datetimes(
    START.replace(year=1970, tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC)
)


def encoded(*batches: Redacted[pa.RecordBatch], table: str = "feedback") -> list[DataFile]:
    """Encode batches under one range."""
    return encode_files(batches, ranges=[RANGE], layout=TABLE_LAYOUTS[table])


def stats(file: DataFile) -> dict[str, Any]:
    """Return the statistics of a file."""
    found: dict[str, Any] = json.loads(file.stats)
    return found


def test_nothing_gives_no_file() -> None:
    """A flush without rows only moves positions."""
    assert encoded() == []
    assert encoded(rows([])) == []


def test_each_day_has_its_file_with_rows_in_their_order() -> None:
    """Days come in order, and the rows of all partitions of a day are together."""
    late, early = rows([(1, 0), (0, 0)], day=3), rows([(0, 1)], day=-1)
    files = encoded(late, early, rows([(1, 1)], day=3))
    assert [file.day for file in files] == [date(2026, 10, 31), date(2026, 11, 4)]
    table = pq.read_table(pa.BufferReader(files[1].data))
    found = zip(table["_partition"].to_pylist(), table["_offset"].to_pylist(), strict=True)
    assert list(found) == [(1, 0), (0, 0), (1, 1)]
    assert [partition_values(file.day) for file in files] == [
        {"event_date": "2026-10-31"},
        {"event_date": "2026-11-04"},
    ]
    assert [file.rows for file in files] == [1, 3]
    assert "event_date" not in table.column_names


def test_the_same_rows_give_the_same_bytes_under_the_same_name() -> None:
    """A flush that is written twice leaves what was there."""
    once, again = encoded(rows([(0, 0), (0, 1)])), encoded(rows([(0, 0), (0, 1)]))
    assert [bytes(file.data) for file in once] == [bytes(file.data) for file in again]
    assert [(f.path, f.stats) for f in once] == [(f.path, f.stats) for f in again]


def test_other_rows_or_ranges_give_another_name() -> None:
    """A worker that was stopped cannot write over a file that is in the table."""
    mine = encoded(rows([(0, 0)]))[0].path
    theirs = encoded(rows([(0, 0)], ingested_at=START + timedelta(seconds=1)))[0].path
    other = encode_files([rows([(0, 0)])], ranges=[span(0, 5)], layout=LAYOUT)[0].path
    assert len({mine, theirs, other}) == 3


def test_ranges_have_one_name_in_any_order() -> None:
    """The order in which partitions were assigned does not matter."""
    one, two = span(0, 4), span(3, 9, source=OTHER)
    assert coverage_name([one, two]) == coverage_name([two, one]) != coverage_name([one])
    assert coverage_name([span(0, 4, source=SourcePartition("a/1", 2))]) != coverage_name([one])


@given(st.lists(TIMES, min_size=1, max_size=5))
@example([LAST])
@example([datetime(1970, 1, 1, microsecond=1, tzinfo=UTC)])
def test_bounds_of_times_are_rounded_outward(times: Sequence[datetime]) -> None:
    """Delta keeps milliseconds; a bound that cuts microseconds off would hide rows."""
    batches = [rows([(0, i)], ingested_at=time) for i, time in enumerate(times)]
    found = stats(encoded(*batches)[0])
    low, high = (parsed(found[key]["_ingested_at"]) for key in ("minValues", "maxValues"))
    assert low <= min(times)
    assert max(times) <= high
    assert min(times) - low < timedelta(milliseconds=1)
    assert high - max(times) < timedelta(milliseconds=1)


def parsed(text: str) -> datetime:
    """Read a bound."""
    return datetime.fromisoformat(text)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=90), min_size=1))
@example(["\U0010ffff" * 100])
@example(["z" * 31 + "\U0010ffff" * 5 + "a", "a"])
def test_bounds_of_texts_hold_and_are_short(texts: list[str]) -> None:
    """Delta compares the bytes of UTF-8, and no long text goes into the log."""
    found = stats(encoded(*[rows([(0, i)], trace_id=t) for i, t in enumerate(texts)])[0])
    low, high = found["minValues"]["trace_id"], found["maxValues"]["trace_id"]
    assert all(low.encode() <= text.encode() <= high.encode() for text in texts)


def test_every_column_that_is_worth_it_has_statistics() -> None:
    """One that lacks them is taken for a column of nulls by readers that prune."""
    for table in TABLE_LAYOUTS:
        if table in ("traces", "feedback", "quarantine"):
            found = stats(encoded(rows([(0, 0), (0, 1)], table=table), table=table)[0])
            assert found["numRecords"] == 2
            assert found["nullCount"] == dict.fromkeys(TABLE_LAYOUTS[table].statistics, 0)
            assert set(found["minValues"]) == set(found["maxValues"]) == set(found["nullCount"])


@pytest.fixture(scope="module")
def four_file_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with four files: two partitions, two ranges each."""
    folder = tmp_path_factory.mktemp("pruning")
    make_lake(folder)
    lake = open_lake(folder)
    for source in (SOURCE, OTHER):
        append(lake.table("feedback"), None, 7, source=source)
        append(lake.table("feedback"), 7, 12, source=source, token=2)
    lake.table("feedback").refresh()
    return lake


CONDITIONS = st.tuples(
    st.sampled_from(["_partition", "_offset"]),
    st.sampled_from(["__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"]),
    st.integers(-1, 13),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(conditions=st.lists(CONDITIONS, min_size=1, max_size=3))
def test_filters_find_what_a_look_at_every_row_finds(
    four_file_lake: Lake, conditions: list[tuple[str, str, int]]
) -> None:
    """Files that are left out because of their statistics hold no row that matches."""
    every = [At(p, o) for p in (0, 1) for o in range(12)]
    wanted = pc.scalar(True)
    for column, compare, value in conditions:
        wanted = wanted & getattr(pc.field(column), compare)(pc.scalar(value))
        place = 0 if column == "_partition" else 1
        every = [at for at in every if getattr(at[place], compare)(value)]
    found = four_file_lake.table("feedback").read(["_partition", "_offset"], wanted).to_pylist()
    assert sorted(At(row["_partition"], row["_offset"]) for row in found) == every


def test_no_character_hides_a_row(tmp_path: Path) -> None:
    """The greatest text of a file is read as it is, whatever plane of Unicode it is from."""
    lake = make_lake(tmp_path)
    template = conversations(1)[0]
    texts = ["\x00", '"', "\\", "\u2028", *(chr(plane << 16 | 0xFFFD) for plane in range(17))]
    for text in texts:
        add(lake, "traces", [{**template, "trace_id": text}])
    dataset = open_snapshot(lake, "traces").dataset()
    for text in texts:
        assert dataset.count_rows(filter=pc.field("trace_id") == text) == 1, ascii(text)


def test_delta_sees_the_statistics(four_file_lake: Lake, tmp_path: Path) -> None:
    """They are in the log under their names, so that any reader can prune by them."""
    active = four_file_lake.table("feedback").active_files().sort_by("min._offset")
    assert active["min._offset"].to_pylist() == [0, 0, 7, 7]
    assert active["max._offset"].to_pylist() == [6, 6, 11, 11]
    assert active["num_records"].to_pylist() == [7, 7, 5, 5]
