"""Files give way to others once, to one of those who want it; no row is lost or made."""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from lake.delta_log import commit_path, read_actions
from lake.ledger import EntryKind, LedgerEntry
from lake.live_files import LiveFile, concat_rows, list_live_files, read_file_rows, rewrite_rows
from lake.rewrite import FileReplacedError, replace_files
from lake.table_commit import CommitWatch, Move, TableCommit
from lake.tables import Lake, Table
from schemas.errors import CommitUnknownError, FatalError, FencedError
from tests.lake.kit import (
    OTHER,
    SOURCE,
    append,
    commit_context,
    make_lake,
    offsets,
    open_lake,
    patience,
)
from tests.lake.test_commit import Meddled, raising

ENTRY = LedgerEntry(EntryKind.REDRIVE, [])
TOKENS = count(1)


@pytest.fixture
def three_file_table(tmp_path: Path) -> Table:
    """A table of three files, of three, three and two rows."""
    table = make_lake(tmp_path).table("feedback")
    for number, (start, end) in enumerate([(None, 3), (3, 6), (6, 8)]):
        append(table, start, end, token=number)
    table.refresh()
    return table


@pytest.fixture
def other_process_table(tmp_path: Path, three_file_table: Table) -> Table:
    """The same table, as another process has it."""
    return open_lake(tmp_path).table("feedback")


def files(table: Table) -> list[LiveFile]:
    """Return the files of a table as they are now."""
    table.refresh()
    return list_live_files(table)


def compacted(table: Table, old: Sequence[LiveFile], **more: Any) -> TableCommit:
    """Return the replacement of files by one with the same rows."""
    rows = concat_rows([read_file_rows(table, file) for file in old]).sorted_by("_offset")
    new = rewrite_rows(table, rows, instead_of=old, retry=patience())
    given: dict[str, Any] = {"entry": ENTRY, "token": next(TOKENS), "same_rows": True} | more
    return TableCommit(removes=old, adds=[new], **given)


def without(table: Table, old: LiveFile, offset: int) -> TableCommit:
    """Return the replacement of a file by one that lacks a row."""
    rows = read_file_rows(table, old)
    left = rows.filter(pc.not_equal(rows.rows["_offset"], offset))
    new = [rewrite_rows(table, left, instead_of=[old], retry=patience())] if len(left) else []
    return TableCommit(entry=ENTRY, token=next(TOKENS), removes=[old], adds=new)


def make(table: Table, wanted: TableCommit, **more: Any) -> None:
    """Replace, without waiting."""
    replace_files(table, wanted, commit_context(**more))


def meddled(table: Table, **hooks: Callable[[], object]) -> Meddled:
    """Put something between a table and its handle."""
    handle = Meddled(table.handle, **hooks)
    table.handle = handle  # type: ignore[assignment]
    return handle


def holding(table: Table, offset: int) -> LiveFile:
    """Return the file that holds a row."""
    return next(
        f for f in files(table) if offset in read_file_rows(table, f).rows["_offset"].to_pylist()
    )


def test_many_files_become_one(three_file_table: Table) -> None:
    """The rows stay, the files are fewer, and followers are told that nothing changed."""
    make(three_file_table, compacted(three_file_table, files(three_file_table)))
    assert offsets(three_file_table) == list(range(8))
    assert [file.rows for file in files(three_file_table)] == [8]
    said = read_actions(three_file_table.files, three_file_table.handle.version(), "remove")
    assert said is not None
    assert [action["dataChange"] for action in said] == [False] * 3


def test_a_row_is_taken_out(three_file_table: Table) -> None:
    """The others of its file stay as they were, in types that any reader knows."""
    before = three_file_table.handle.to_pyarrow_table().sort_by("_offset")
    make(three_file_table, without(three_file_table, holding(three_file_table, 4), 4))
    assert offsets(three_file_table) == [0, 1, 2, 3, 5, 6, 7]
    after = three_file_table.handle.to_pyarrow_table().sort_by("_offset")
    assert after == before.filter(pc.not_equal(before["_offset"], 4))
    dataset = three_file_table.handle.to_pyarrow_dataset()
    assert dataset.count_rows(filter=pc.field("_topic") == SOURCE.topic) == 7


def test_text_is_stored_as_text(three_file_table: Table) -> None:
    """Also where the old file was one that delta-rs has rewritten, which holds views of text."""
    three_file_table.handle.delete("_offset = 4")
    make(three_file_table, compacted(three_file_table, files(three_file_table)))
    [file] = files(three_file_table)
    schema = pq.read_schema(pc.pa.BufferReader(three_file_table.files.get(file.path)))
    assert str(schema.field("_topic").type) == "string"
    assert offsets(three_file_table) == [0, 1, 2, 3, 5, 6, 7]


def test_a_file_can_go_altogether(three_file_table: Table) -> None:
    """Retention drops files without putting others in their place."""
    old = holding(three_file_table, 7)
    make(three_file_table, TableCommit(entry=ENTRY, token=1, removes=[old], adds=[]))
    assert offsets(three_file_table) == list(range(6))


def test_of_two_who_replace_a_file_one_wins(
    three_file_table: Table, other_process_table: Table
) -> None:
    """The second finds the file gone: what it made of it is void."""
    mine, theirs = (
        without(three_file_table, holding(three_file_table, 4), 4),
        without(other_process_table, holding(other_process_table, 4), 5),
    )
    make(other_process_table, theirs)
    with pytest.raises(FileReplacedError, match="1 of 1 files were replaced by another"):
        make(three_file_table, mine)
    assert offsets(three_file_table) == [0, 1, 2, 3, 4, 6, 7]


def test_what_came_too_late_is_removed(three_file_table: Table, other_process_table: Table) -> None:
    """Somebody may have been erased meanwhile: no file that nobody can commit stays behind."""
    mine, theirs = (
        without(three_file_table, holding(three_file_table, 4), 4),
        without(other_process_table, holding(other_process_table, 4), 5),
    )
    make(other_process_table, theirs)
    with pytest.raises(FileReplacedError):
        make(three_file_table, mine)
    assert three_file_table.files.size(mine.adds[0].path) is None
    same = (
        compacted(three_file_table, files(three_file_table)[:2]),
        compacted(other_process_table, files(other_process_table)[:2]),
    )
    assert same[0].adds[0].path == same[1].adds[0].path
    make(other_process_table, same[1])
    with pytest.raises(FileReplacedError):
        make(three_file_table, same[0])
    assert offsets(three_file_table) == [0, 1, 2, 3, 4, 6, 7]


@pytest.mark.parametrize("same_rows", [True, False])
@pytest.mark.parametrize("theirs_same_rows", [True, False])
def test_one_who_comes_between_compare_and_commit_wins(
    three_file_table: Table,
    other_process_table: Table,
    same_rows: bool,
    theirs_same_rows: bool,
) -> None:
    """Also a compaction, after which delta-rs itself would let both in and double the rows."""
    mine = compacted(three_file_table, files(three_file_table)[:2], same_rows=same_rows)
    theirs = compacted(
        other_process_table, files(other_process_table)[:2], same_rows=theirs_same_rows
    )
    handle = meddled(three_file_table, before=lambda: make(other_process_table, theirs))
    with pytest.raises(FileReplacedError):
        make(three_file_table, mine)
    assert handle.sent == 1
    assert offsets(three_file_table) == list(range(8))


def test_another_program_that_compacts_in_between_wins(
    three_file_table: Table, other_process_table: Table
) -> None:
    """One that knows nothing of goldpan's positions and tokens."""
    other_process_table.refresh()
    meddled(three_file_table, before=lambda: bool(other_process_table.handle.optimize.compact()))
    with pytest.raises(FileReplacedError):
        make(three_file_table, without(three_file_table, holding(three_file_table, 4), 4))
    assert offsets(three_file_table) == list(range(8))


def test_two_who_replace_different_files_both_succeed(
    three_file_table: Table, other_process_table: Table
) -> None:
    """They give way to each other."""
    mine, theirs = (
        without(three_file_table, holding(three_file_table, 0), 0),
        without(other_process_table, holding(other_process_table, 7), 7),
    )
    meddled(three_file_table, before=lambda: make(other_process_table, theirs))
    make(three_file_table, mine)
    assert offsets(three_file_table) == [1, 2, 3, 4, 5, 6]


def test_appends_meanwhile_are_no_conflict(
    three_file_table: Table, other_process_table: Table
) -> None:
    """A worker commits between compare and commit: the same replacement is sent once more."""
    handle = meddled(
        three_file_table, before=lambda: bool(append(other_process_table, None, 2, source=OTHER))
    )
    make(three_file_table, compacted(three_file_table, files(three_file_table)))
    assert handle.sent == 2
    assert (offsets(three_file_table), offsets(three_file_table, OTHER)) == (list(range(8)), [0, 1])


def test_a_replacement_meanwhile_is_no_conflict_for_an_append(
    three_file_table: Table, other_process_table: Table
) -> None:
    """A worker whose commit comes second tries again, with its files."""
    wanted = compacted(other_process_table, files(other_process_table))
    handle = Meddled(three_file_table.handle, before=lambda: make(other_process_table, wanted))
    append(three_file_table, 8, 10, token=9, handle=handle)
    assert offsets(three_file_table) == list(range(10))


ERRORS = [OSError("no answer"), DeltaError("hook failed"), CommitFailedError("412")]


@pytest.mark.parametrize("error", ERRORS)
def test_a_lost_reply_is_settled_by_the_log(three_file_table: Table, error: Exception) -> None:
    """The commit landed: its token is found, and nothing is sent again."""
    settled: list[str] = []
    handle = meddled(three_file_table, after=raising(error))
    make(
        three_file_table,
        without(three_file_table, holding(three_file_table, 4), 4),
        watch=CommitWatch(settled=settled.append),
    )
    assert (handle.sent, settled) == (1, ["feedback"])
    assert offsets(three_file_table) == [0, 1, 2, 3, 5, 6, 7]


def test_a_lost_reply_is_settled_although_the_new_file_was_replaced_since(
    three_file_table: Table, other_process_table: Table
) -> None:
    """Another has compacted what this call wrote before it could look: it was done all the same."""

    def compact_then_fail() -> None:
        make(other_process_table, compacted(other_process_table, files(other_process_table)))
        raise OSError("no answer")

    handle = meddled(three_file_table, after=compact_then_fail)
    make(three_file_table, without(three_file_table, holding(three_file_table, 4), 4))
    assert handle.sent == 1
    assert offsets(three_file_table) == [0, 1, 2, 3, 5, 6, 7]


@pytest.mark.parametrize("error", ERRORS)
def test_a_lost_request_is_sent_again(three_file_table: Table, error: Exception) -> None:
    """Nothing landed: the second attempt does it."""
    handle = meddled(three_file_table, before=raising(error))
    make(three_file_table, without(three_file_table, holding(three_file_table, 4), 4))
    assert handle.sent == 2
    assert offsets(three_file_table) == [0, 1, 2, 3, 5, 6, 7]


def test_an_outcome_that_cannot_be_told_is_said(three_file_table: Table) -> None:
    """The log was tidied away before it could be read: that is no success and no failure."""

    def lose_the_log() -> None:
        folder = Path(three_file_table.handle.table_uri.removeprefix("file:"))
        fresh = DeltaTable(str(folder))
        fresh.create_checkpoint()
        (folder / commit_path(fresh.version())).unlink()
        raise OSError("no answer")

    meddled(three_file_table, after=lose_the_log)
    with pytest.raises(FatalError, match="the log lacks version 4"):
        make(three_file_table, without(three_file_table, holding(three_file_table, 4), 4))


def test_told_to_stop_it_ends(three_file_table: Table) -> None:
    """A shutdown ends the waiting."""
    meddled(three_file_table, before=raising(OSError("no answer")))
    with pytest.raises(CommitUnknownError):
        make(
            three_file_table,
            without(three_file_table, holding(three_file_table, 4), 4),
            retry=patience(sleep=lambda _: True),
        )


def test_positions_move_with_the_files(three_file_table: Table) -> None:
    """One commit for both, and a position that is elsewhere lets nothing through."""
    old = holding(three_file_table, 4)
    wanted = without(three_file_table, old, 4)
    moving = TableCommit(
        entry=ENTRY, token=5, moves=[Move("g", None, 1)], removes=[old], adds=wanted.adds
    )
    make(three_file_table, moving)
    three_file_table.refresh()
    assert three_file_table.txn_version("g") == 1
    again = without(three_file_table, holding(three_file_table, 5), 5)
    stale = TableCommit(
        entry=ENTRY, token=6, moves=[Move("g", None, 1)], removes=again.removes, adds=again.adds
    )
    with pytest.raises(FencedError, match="g is at 1, not None"):
        make(three_file_table, stale)


def test_the_same_rows_are_held_to(three_file_table: Table) -> None:
    """Who promises that no row changes cannot lose one by mistake."""
    old = holding(three_file_table, 4)
    with pytest.raises(ValueError, match="removes 3 and adds 2"):
        TableCommit(
            entry=ENTRY,
            token=1,
            removes=[old],
            adds=without(three_file_table, old, 4).adds,
            same_rows=True,
        )


def test_nothing_is_replaced_by_nothing(three_file_table: Table) -> None:
    """Without a file that goes there is nothing to compare with."""
    with pytest.raises(ValueError, match="must move a number"):
        TableCommit(entry=ENTRY, token=1, removes=[], adds=[])


def test_rows_of_different_days_or_tables_do_not_mix(tmp_path: Path) -> None:
    """A file belongs to one day of one table."""
    lake = make_lake(tmp_path)
    rows = []
    for name in ("feedback", "traces"):
        append(lake.table(name), None, 2)
        rows.append(read_file_rows(lake.table(name), files(lake.table(name))[0]))
    with pytest.raises(ValueError, match="one table and one day"):
        concat_rows(rows)
    with pytest.raises(ValueError, match="cannot be written to table"):
        rewrite_rows(lake.table("traces"), rows[0], instead_of=[], retry=patience())


def test_old_versions_can_still_be_read(three_file_table: Table) -> None:
    """The old files stay until vacuum: who reads an older version finds it."""
    before = three_file_table.handle.version()
    make(three_file_table, without(three_file_table, holding(three_file_table, 4), 4))
    old = DeltaTable(three_file_table.handle.table_uri, version=before)
    assert sorted(old.to_pyarrow_table()["_offset"].to_pylist()) == list(range(8))


def test_every_table_can_be_rewritten(tmp_path: Path) -> None:
    """Nested columns too come back as they were."""
    lake: Lake = make_lake(tmp_path)
    for name in ("traces", "quarantine"):
        table = lake.table(name)
        append(table, None, 3)
        append(table, 3, 5, token=2)
        table.refresh()
        before = table.handle.to_pyarrow_table().sort_by("_offset")
        make(table, compacted(table, files(table)))
        table.refresh()
        assert table.handle.to_pyarrow_table().sort_by("_offset") == before
