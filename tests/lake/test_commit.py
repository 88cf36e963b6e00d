"""A commit is done once, whatever is lost on the way, and never by two owners."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake.exceptions import CommitFailedError, DeltaError

from lake.commit import commit
from lake.ledger import EntryKind, Incarnation, LedgerEntry
from lake.table_commit import CommitWatch, Guard, Move, TableCommit
from lake.table_log import claim_app, incarnation_app, position_app
from lake.tables import Table
from schemas.errors import CommitUnknownError, FatalError, FencedError
from tests.lake.kit import (
    HERE,
    OTHER,
    SOURCE,
    TOPIC,
    append,
    commit_context,
    make_lake,
    offsets,
    open_lake,
    patience,
)

Hook = Callable[[], object]


class Meddled:
    """The real handle, with something that happens before a commit, after it, or at a refresh."""

    def __init__(self, real: Any, **hooks: Hook) -> None:
        self._real = real
        self._hooks = hooks
        self.sent = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def update_incremental(self) -> None:
        """Refresh, or fail to."""
        self._once("refresh")
        self._real.update_incremental()

    def create_write_transaction(self, *args: Any, **more: Any) -> None:
        """Commit between two hooks."""
        self.sent += 1
        self._once("before")
        self._real.create_write_transaction(*args, **more)
        self._once("after")

    def _once(self, name: str) -> None:
        hook = self._hooks.pop(name, None)
        if hook:
            hook()


def raising(error: Exception) -> Callable[[], None]:
    """Return a hook that raises."""

    def hook() -> None:
        raise error

    return hook


@pytest.fixture
def empty_table(tmp_path: Path) -> Table:
    """An empty table."""
    return make_lake(tmp_path).table("feedback")


@pytest.fixture
def other_worker_table(empty_table: Table, tmp_path: Path) -> Table:
    """The same table, as another worker has it."""
    return open_lake(tmp_path).table("feedback")


def log_of(table: Table, version: int) -> str:
    """Return the text of a commit."""
    folder = Path(table.handle.table_uri.removeprefix("file:"))
    return (folder / f"_delta_log/{version:020}.json").read_text()


ERRORS = [OSError("no answer"), DeltaError("hook failed"), CommitFailedError("412")]


@pytest.mark.parametrize("error", ERRORS)
def test_a_lost_reply_does_not_double_the_rows(empty_table: Table, error: Exception) -> None:
    """The commit landed and its reply did not: the position tells, and nothing is sent again."""
    handle = Meddled(empty_table.handle, after=raising(error))
    unknown: list[str] = []
    settled: list[str] = []
    watch = CommitWatch(lambda name, _error: unknown.append(name), settled.append)
    assert append(empty_table, None, 3, handle=handle, watch=watch) is False
    assert (handle.sent, unknown, settled) == (1, ["feedback"], ["feedback"])
    assert offsets(empty_table) == [0, 1, 2]
    assert len(empty_table.ledger()) == 1


@pytest.mark.parametrize("error", ERRORS)
def test_a_lost_request_is_sent_again(empty_table: Table, error: Exception) -> None:
    """Nothing landed: the same commit is made by the second attempt."""
    handle = Meddled(empty_table.handle, before=raising(error))
    assert append(empty_table, None, 3, handle=handle) is True
    assert handle.sent == 2
    assert offsets(empty_table) == [0, 1, 2]


def test_a_log_that_cannot_be_read_is_read_again(empty_table: Table) -> None:
    """Nothing is sent before the newest version is known."""
    handle = Meddled(empty_table.handle, refresh=raising(OSError("no answer")))
    assert append(empty_table, None, 3, handle=handle) is True
    assert handle.sent == 1


def test_an_error_of_another_kind_is_not_hidden(empty_table: Table) -> None:
    """A mistake in the program is no reason to try again."""
    handle = Meddled(empty_table.handle, before=raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        append(empty_table, None, 3, handle=handle)


def test_a_lake_that_stays_silent_is_fatal(empty_table: Table) -> None:
    """Trying has an end, and the error says what was tried."""
    handle = Meddled(empty_table.handle)
    handle.update_incremental = raising(OSError("no answer"))  # type: ignore[method-assign]
    with pytest.raises(FatalError, match="committing to table feedback: still failing after 9 s"):
        append(empty_table, None, 3, handle=handle, retry=patience(9))


def test_told_to_stop_it_does_not_try_again(empty_table: Table) -> None:
    """A shutdown ends the waiting; whether the commit landed is for the next owner to read."""
    handle = Meddled(empty_table.handle, before=raising(OSError("no answer")))
    with pytest.raises(CommitUnknownError):
        append(empty_table, None, 3, handle=handle, retry=patience(sleep=lambda _wait: True))


def test_an_outcome_that_stays_unknown_is_no_failure(empty_table: Table) -> None:
    """A commit whose reply is lost may have landed, also if the log cannot be read after it."""

    def lose_the_reply() -> None:
        handle.update_incremental = raising(OSError("no answer"))  # type: ignore[method-assign]
        raise OSError("no answer")

    handle = Meddled(empty_table.handle, after=lose_the_reply)
    with pytest.raises(FatalError, match="the change may have been made") as failure:
        append(empty_table, None, 3, handle=handle, retry=patience(9))
    assert isinstance(failure.value.__cause__, CommitUnknownError)
    assert offsets(empty_table) == [0, 1, 2]


def test_a_commit_that_sends_nothing_is_no_unknown_one(empty_table: Table) -> None:
    """A log that cannot be read leaves the table as it was, and the error says nothing else."""
    handle = Meddled(empty_table.handle)
    handle.update_incremental = raising(OSError("no answer"))  # type: ignore[method-assign]
    with pytest.raises(FatalError) as failure:
        append(empty_table, None, 3, handle=handle, retry=patience(9))
    assert not isinstance(failure.value.__cause__, CommitUnknownError)
    assert "may have been made" not in str(failure.value)


def test_a_stale_handle_is_refreshed(empty_table: Table, other_worker_table: Table) -> None:
    """Commits of other partitions' owners are read before the next one is made."""
    append(other_worker_table, None, 5, source=OTHER)
    append(empty_table, None, 3)
    assert (offsets(empty_table), offsets(empty_table, OTHER)) == ([0, 1, 2], [0, 1, 2, 3, 4])


def test_a_lower_position_is_refused(empty_table: Table) -> None:
    """Positions never go backwards, not even through a fresh handle."""
    append(empty_table, None, 10)
    with pytest.raises(FencedError, match="is at 10, not None"):
        append(empty_table, None, 5, token=2)
    with pytest.raises(FencedError, match="is at 10, not 5"):
        append(empty_table, 5, 8, token=2)
    assert offsets(empty_table) == list(range(10))


def test_the_same_flush_twice_lands_once(empty_table: Table) -> None:
    """A flush that is handed over again is known by its token."""
    assert append(empty_table, None, 3, token=7) is True
    assert append(empty_table, None, 3, token=7) is False
    assert offsets(empty_table) == [0, 1, 2]


def test_another_owner_at_the_same_end_is_told_apart(
    empty_table: Table, other_worker_table: Table
) -> None:
    """Two buffers that end at the same offset are two: the later one is fenced."""
    append(other_worker_table, None, 3, token=8, quarantined={1})
    with pytest.raises(FencedError):
        append(empty_table, None, 3, token=7)
    assert offsets(empty_table) == [0, 2]


def test_an_owner_between_compare_and_commit_wins(
    empty_table: Table, other_worker_table: Table
) -> None:
    """delta-rs refuses a commit whose position was moved after the handle was refreshed."""
    handle = Meddled(
        empty_table.handle, before=lambda: bool(append(other_worker_table, None, 4, token=8))
    )
    with pytest.raises(FencedError, match="is at 4, not None"):
        append(empty_table, None, 3, handle=handle, token=7)
    assert offsets(empty_table) == [0, 1, 2, 3]


def test_another_partition_is_no_conflict(empty_table: Table, other_worker_table: Table) -> None:
    """A commit of somebody else's partition in between costs nothing but time."""
    handle = Meddled(
        empty_table.handle, before=lambda: bool(append(other_worker_table, None, 4, source=OTHER))
    )
    append(empty_table, None, 3, handle=handle)
    assert (offsets(empty_table), offsets(empty_table, OTHER)) == ([0, 1, 2], [0, 1, 2, 3])


def claim(table: Table, position: int, token: int) -> None:
    """Claim the partition, as `stream.buffer` does."""
    commit(
        table,
        TableCommit(
            entry=LedgerEntry(EntryKind.CLAIM, [], {TOPIC: HERE}),
            token=token,
            moves=[Move(claim_app(SOURCE), table.txn_version(claim_app(SOURCE)), token)],
            guards=[Guard(position_app(SOURCE), position)],
        ),
        commit_context(),
    )


def test_a_claim_keeps_others_out(empty_table: Table, other_worker_table: Table) -> None:
    """Who took over before the claim can no longer commit; who saw it can."""
    append(empty_table, None, 3)
    other_worker_table.refresh()
    claim(other_worker_table, 3, token=99)
    with pytest.raises(FencedError, match="#claim is at 99, not None"):
        append(empty_table, 3, 6, token=2, guards=[Guard(claim_app(SOURCE), None)])
    append(empty_table, 3, 6, token=3, guards=[Guard(claim_app(SOURCE), 99)])
    assert offsets(empty_table) == list(range(6))


@pytest.mark.parametrize("before", [None, 98])
def test_a_claim_between_compare_and_commit_keeps_others_out(
    empty_table: Table, other_worker_table: Table, before: int | None
) -> None:
    """Also the first claim of all, of which the guard holds no number."""
    append(empty_table, None, 3)
    if before is not None:
        claim(empty_table, 3, token=before)
    other_worker_table.refresh()
    handle = Meddled(empty_table.handle, before=lambda: claim(other_worker_table, 3, token=99))
    with pytest.raises(FencedError, match="#claim is at 99"):
        append(empty_table, 3, 6, handle=handle, token=2, guards=[Guard(claim_app(SOURCE), before)])
    assert offsets(empty_table) == [0, 1, 2]


def test_a_claim_that_comes_too_late_is_refused(
    empty_table: Table, other_worker_table: Table
) -> None:
    """The position has moved on: there is nothing left to claim."""
    append(empty_table, None, 3)
    other_worker_table.refresh()
    append(empty_table, 3, 6, token=2)
    with pytest.raises(FencedError, match="is at 6, not 3"):
        claim(other_worker_table, 3, token=99)


def test_the_incarnation_is_written_once(empty_table: Table) -> None:
    """Two owners of one topic are not in each other's way because of it."""
    append(empty_table, None, 3)
    append(empty_table, 3, 6, token=2)
    empty_table.refresh()
    assert empty_table.incarnation_version(TOPIC) == HERE.version()
    written = [
        version for version in range(1, 3) if incarnation_app(TOPIC) in log_of(empty_table, version)
    ]
    assert written == [1]


def test_a_commit_for_another_incarnation_is_refused(empty_table: Table) -> None:
    """A worker that slept through an adoption may find its old numbers, and still cannot write."""
    append(empty_table, None, 3)
    with pytest.raises(FencedError, match=f"another incarnation of {TOPIC}"):
        append(empty_table, 3, 6, token=2, incarnations={TOPIC: Incarnation("cluster", "topic-2")})


def test_a_delete_elsewhere_is_given_way_to(empty_table: Table, other_worker_table: Table) -> None:
    """Maintenance in another partition of the table makes the commit try again, with its files."""
    append(other_worker_table, None, 4, source=OTHER)

    def delete() -> None:
        other_worker_table.refresh()
        other_worker_table.handle.delete("_partition = 1 AND _offset < 2")

    handle = Meddled(empty_table.handle, before=delete)
    append(empty_table, None, 3, handle=handle)
    assert (offsets(empty_table), offsets(empty_table, OTHER)) == ([0, 1, 2], [2, 3])
