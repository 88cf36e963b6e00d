"""What a handle remembers of a table's numbers is what the log says at the handle's version."""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.delta_log import commit_path
from lake.handle import LAST_CHECKPOINT, MAX_COMMITS, TableHandle
from lake.objects import FolderStore
from schemas.errors import RetryableError
from tests.lake.kit import SOURCE, append, make_lake, offsets, open_lake

APPS = ["t/0", "t/0#by", 'a "quoted" txn', "ü"]


class Counting(FolderStore):
    """A folder that counts what is read of it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.read: list[str] = []

    def find(self, path: str) -> bytes | None:
        """Return the content, or None."""
        self.read.append(path)
        return super().find(path)


def make(folder: Path) -> DeltaTable:
    """Make a table."""
    schema = pa.schema([("n", pa.int64())])
    return DeltaTable.create(str(folder), schema)


def put(table: DeltaTable, numbers: Sequence[tuple[str, int]]) -> None:
    """Commit numbers of applications."""
    table.create_write_transaction(
        [],
        "append",
        table.schema(),
        commit_properties=CommitProperties(app_transactions=[Transaction(*n) for n in numbers]),
    )
    table.update_incremental()


def handle(folder: Path, *, max_commits: int = MAX_COMMITS) -> TableHandle:
    """Open a table anew."""
    return TableHandle(str(folder), {}, Counting(folder), max_commits=max_commits)


def remembered(one: TableHandle) -> dict[str, int | None]:
    """Return what a handle answers."""
    return {app: one.transaction_version(app) for app in APPS}


def true(folder: Path, version: int) -> dict[str, int | None]:
    """Return what delta-rs answers at a version, with nothing remembered."""
    table = DeltaTable(str(folder), version=version)
    return {app: table.transaction_version(app) for app in APPS}


numbers = st.dictionaries(st.sampled_from(APPS), st.integers(0, 2**62), max_size=3)
steps = st.lists(
    st.one_of(
        numbers.map(lambda n: ("commit", list(n.items()))),
        st.sampled_from(["refresh", "ask", "reopen", "checkpoint", "tidy"]).map(lambda s: (s, [])),
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(steps, st.sampled_from([2, 5, 200]))
def test_it_answers_as_delta_rs_does(history: list[tuple[str, Any]], ahead: int) -> None:
    """Whatever was committed, checkpointed and tidied away, by the time it is asked."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        writer = make(folder)
        one = handle(folder, max_commits=ahead)
        for step, given_numbers in history:
            match step:
                case "commit":
                    put(writer, given_numbers)
                case "checkpoint":
                    writer.create_checkpoint()
                case "tidy":
                    tidy(folder, one.version())
                case "refresh":
                    one.update_incremental()
                case "reopen":
                    one = handle(folder, max_commits=ahead)
                case "ask":
                    assert remembered(one) == true(folder, one.version())
        one.update_incremental()
        assert remembered(one) == true(folder, one.version())


def tidy(folder: Path, version: int) -> None:
    """Delete the commits before the last checkpoint, unless the handle is older than that.

    delta-rs itself can then read nothing at its version any more.
    """
    hint = folder / LAST_CHECKPOINT
    at = int(json.loads(hint.read_text())["version"]) if hint.exists() else 0
    for old in range(at if at <= version else 0):
        (folder / commit_path(old)).unlink(missing_ok=True)


def test_a_commit_is_read_once(tmp_path: Path) -> None:
    """However many numbers are asked for, and however often."""
    writer = make(tmp_path)
    put(writer, [("t/0", 1)])
    one = handle(tmp_path)
    for n in range(3):
        put(writer, [("t/0", n)])
        one.update_incremental()
        for _ in range(2):
            assert remembered(one)["t/0"] == n
    assert isinstance(one.files, Counting)
    assert one.files.read == [LAST_CHECKPOINT, *(commit_path(v) for v in range(5))]


def test_after_a_checkpoint_only_what_follows_is_read(tmp_path: Path) -> None:
    """A worker that starts on a long history does not read it."""
    writer = make(tmp_path)
    for n in range(30):
        put(writer, [("t/0", n)])
    writer.create_checkpoint()
    put(writer, [("t/0#by", 7)])
    one = handle(tmp_path)
    assert remembered(one) == {**dict.fromkeys(APPS), "t/0": 29, "t/0#by": 7}
    assert isinstance(one.files, Counting)
    assert [p for p in one.files.read if p.endswith(".json")] == [commit_path(31)]


@pytest.mark.parametrize(
    "hint", ["", "{", "[]", "{}", '{"version": 2, "parts": 2}', '{"version": 99}', '{"version": 2}']
)
def test_a_damaged_hint_costs_time_and_nothing_else(tmp_path: Path, hint: str) -> None:
    """The last checkpoint may be named wrongly, be missing, or be no Parquet file."""
    writer = make(tmp_path)
    put(writer, [("t/0", 4)])
    one = handle(tmp_path)
    (tmp_path / LAST_CHECKPOINT).write_text(hint)
    (tmp_path / f"_delta_log/{2:020}.checkpoint.parquet").write_bytes(b"PAR1")
    assert one.transaction_version("t/0") == 4
    assert one.transaction_version("t/0#by") is None


def test_a_damaged_checkpoint_holds_no_numbers(tmp_path: Path) -> None:
    """delta-rs is asked instead, and says what is wrong, if it matters."""
    writer = make(tmp_path)
    for n in range(3):
        put(writer, [("t/0", n)])
    files = Counting(tmp_path)
    one = TableHandle(str(tmp_path), {}, files)
    (tmp_path / LAST_CHECKPOINT).write_text('{"version": 2}')
    (tmp_path / f"_delta_log/{2:020}.checkpoint.parquet").write_bytes(b"PAR1")
    assert remembered(one) == {app: 2 if app == "t/0" else None for app in APPS}
    assert files.read[-4:] == [commit_path(version) for version in range(4)]


def test_a_log_that_cannot_be_read_is_read_again(tmp_path: Path) -> None:
    """A failure in the middle leaves nothing behind that is half known."""
    writer = make(tmp_path)
    one = handle(tmp_path)
    remembered(one)
    for n in range(3):
        put(writer, [("t/0", n), ("t/0#by", n)])
    one.update_incremental()
    good, one.files = one.files, Failing(tmp_path)
    with pytest.raises(RetryableError):
        one.transaction_version("t/0")
    one.files = good
    assert remembered(one) == {**dict.fromkeys(APPS), "t/0": 2, "t/0#by": 2}


class Failing(FolderStore):
    """A folder of which the second file that is asked for cannot be read."""

    asked = 0

    def find(self, path: str) -> bytes | None:
        """Return the content, or fail."""
        self.asked += 1
        if self.asked == 2:
            raise RetryableError("no answer")
        return super().find(path)


def test_a_worker_on_a_tidied_log_goes_on(tmp_path: Path) -> None:
    """The log's old commits are gone, as retention leaves them; positions still hold."""
    table = make_lake(tmp_path).table("feedback")
    for n in range(5):
        append(table, n or None, n + 1, token=n)
    table.refresh()
    table.checkpoint()
    folder = Path(table.handle.table_uri.removeprefix("file:"))
    for version in range(5):
        (folder / commit_path(version)).unlink()
    fresh = open_lake(tmp_path).table("feedback")
    assert fresh.positions([SOURCE]) == {SOURCE: 5}
    append(fresh, 5, 7, token=9)
    append(table, 7, 8, token=10)
    assert offsets(fresh) == list(range(8))


def test_a_worker_goes_on_after_the_log_was_cleaned_up(tmp_path: Path) -> None:
    """By delta-rs itself, with a retention that lets every commit go that a checkpoint covers."""
    table = make_lake(tmp_path).table("feedback")
    idle = open_lake(tmp_path).table("feedback")
    assert idle.positions([SOURCE]) == {SOURCE: None}
    for n in range(5):
        append(table, n or None, n + 1, token=n)
    table.refresh()
    table.handle.alter.set_table_properties({"delta.logRetentionDuration": "interval 0 seconds"})
    append(table, 5, 6, token=6)
    table.refresh()
    table.checkpoint()
    table.handle.cleanup_metadata()
    folder = Path(table.handle.table_uri.removeprefix("file:"))
    assert not (folder / commit_path(3)).exists()
    append(idle, 6, 8, token=9)
    append(table, 8, 9, token=10)
    fresh = open_lake(tmp_path).table("feedback")
    assert fresh.positions([SOURCE]) == {SOURCE: 9}
    assert offsets(fresh) == list(range(9))
