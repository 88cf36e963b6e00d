"""The witness of "exactly once" sees what is missing, doubled or strange."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, Transaction, write_deltalake

from tests.servers.lake_reader import LakeReader
from tests.servers.worker import settings


def write(lake: Path, table: str, *places: tuple[int, int]) -> None:
    """Append rows of topic ``t``, as a worker would, with the position after them."""
    columns = {
        "_topic": ["t"] * len(places),
        "_partition": pa.array([p for p, _ in places], pa.int32()),
        "_offset": pa.array([o for _, o in places], pa.int64()),
    }
    position = Transaction(app_id="t/0", version=1 + max(o for _, o in places))
    properties = CommitProperties(app_transactions=[position])
    write_deltalake(
        str(lake / table), pa.table(columns), mode="append", commit_properties=properties
    )


@pytest.fixture
def folder_reader(tmp_path: Path) -> LakeReader:
    """Reads the lake in the test's folder."""
    return LakeReader(settings("nowhere:9092", tmp_path))


def test_places_are_counted_per_topic(tmp_path: Path, folder_reader: LakeReader) -> None:
    """Each coordinate with the number of its rows; another topic is another matter."""
    write(tmp_path, "traces", (0, 0), (0, 1))
    write(tmp_path, "traces", (0, 1))
    assert folder_reader.places("traces", "t") == {(0, 0): 1, (0, 1): 2}
    assert folder_reader.places("traces", "another") == {}
    assert folder_reader.places("quarantine", "t") == {}
    assert folder_reader.position("traces", "t", 0) == 2
    assert folder_reader.position("traces", "t", 1) is None


@pytest.mark.parametrize(
    ("stored", "quarantined", "complaint"),
    [
        ([(0, 0), (0, 1)], [(0, 3)], "1 missing: [(0, 2)]"),
        ([(0, 0), (0, 1), (0, 1), (0, 2)], [(0, 3)], "1 more than once: [(0, 1)]"),
        ([(0, 0), (0, 1), (0, 2), (0, 3)], [(0, 3)], "1 more than once: [(0, 3)]"),
        ([(0, 0), (0, 1), (0, 2), (1, 0)], [(0, 3)], "1 that were not expected: [(1, 0)]"),
    ],
)
def test_it_complains(
    tmp_path: Path,
    folder_reader: LakeReader,
    stored: list[tuple[int, int]],
    quarantined: list[tuple[int, int]],
    complaint: str,
) -> None:
    """A record may be in the table or in quarantine: neither in none nor in both."""
    write(tmp_path, "traces", *stored)
    write(tmp_path, "quarantine", *quarantined)
    with pytest.raises(AssertionError, match=re.escape(complaint)):
        folder_reader.assert_exactly_once("t", [(0, 0), (0, 1), (0, 2), (0, 3)])


def test_a_dropped_record_must_be_nowhere(tmp_path: Path, folder_reader: LakeReader) -> None:
    """What a rule drops and a table holds all the same is strange."""
    write(tmp_path, "traces", (0, 0), (0, 1))
    with pytest.raises(AssertionError, match="not expected"):
        folder_reader.assert_exactly_once("t", [(0, 0), (0, 1)], dropped=[(0, 1)])
