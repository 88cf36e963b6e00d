"""Tombstones are written once and read whole; past a fence nobody commits who knows them not."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake.exceptions import CommitFailedError

from lake.fences import ERASURE_FENCE
from lake.ledger import EntryKind, LedgerEntry
from lake.live_files import list_live_files
from lake.location import LakeLocation
from lake.objects import FolderStore, ObjectStore
from lake.rewrite import replace_files
from lake.table_commit import CommitWatch, TableCommit
from lake.tables import Table
from lake.tombstones import (
    Tombstone,
    newest_tombstone,
    open_tombstones,
    put_tombstone,
    read_tombstones,
)
from schemas.errors import FatalError, FencedError
from tests.lake.kit import (
    OTHER,
    append,
    commit_context,
    make_lake,
    offsets,
    open_lake,
    span,
)

UNTIL = 1_793_491_200_000_000


def _tombstone(number: int) -> Tombstone:
    return Tombstone(number, UNTIL, {"k1.a": ("m1",)}, {"k1.a": ("t1", "t2")}, {"k1.a": ("f1",)})


def _put(folder: Path, times: int, until_us: int) -> None:
    for _ in range(times):
        put_tombstone(FolderStore(folder), lambda number: Tombstone(number, until_us))


def _fence(table: Table, number: int) -> bool:
    return ERASURE_FENCE.raise_to(table, number, commit_context())


@pytest.fixture
def tombstone_files(tmp_path: Path) -> ObjectStore:
    """Return the tombstones of an empty lake."""
    return open_tombstones(LakeLocation(str(tmp_path / "lake")))


class Meddled:
    """The real handle, with something that happens just before a commit is sent."""

    def __init__(self, real: Any, before: Callable[[], object]) -> None:
        self._real, self._before = real, [before]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def create_write_transaction(self, *args: Any, **more: Any) -> None:
        """Commit, the first time after what was given has been done."""
        while self._before:
            self._before.pop()()
        self._real.create_write_transaction(*args, **more)


def test_tombstones_are_read_as_they_were_put(tombstone_files: ObjectStore) -> None:
    """A tombstone comes back as it was written; only newer ones are read if so asked."""
    assert (newest_tombstone(tombstone_files), read_tombstones(tombstone_files)) == (0, [])

    first, second = (
        put_tombstone(tombstone_files, _tombstone),
        put_tombstone(tombstone_files, _tombstone),
    )
    tombstone_files.put("1.receipt.json", b"{}")

    assert (first.number, second.number, newest_tombstone(tombstone_files)) == (1, 2, 2)
    assert read_tombstones(tombstone_files) == [_tombstone(1), _tombstone(2)]
    assert read_tombstones(tombstone_files, after=1) == [_tombstone(2)]


def test_same_tombstone_is_the_same_bytes() -> None:
    """The order in which marks were found does not show."""
    turned = Tombstone(1, UNTIL, {"b": ("y", "x"), "a": ("z",)})

    assert turned.to_json() == Tombstone(1, UNTIL, {"a": ("z",), "b": ("x", "y", "y")}).to_json()


def test_two_processes_get_numbers_of_their_own(tmp_path: Path) -> None:
    """Erasures at the same time each get a number, and none is left out."""
    folder = tmp_path / "lake" / "erasures"
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_put, args=(folder, 10, n)) for n in (1, 2)]
    for process in both:
        process.start()
    for process in both:
        process.join()

    found = read_tombstones(FolderStore(folder))
    assert [t.number for t in found] == list(range(1, 21))
    assert sorted(t.until_us for t in found) == [1] * 10 + [2] * 10


def test_missing_tombstone_is_an_error(tombstone_files: ObjectStore) -> None:
    """A tombstone that was removed would bring somebody back: nothing is read without it."""
    for _ in range(3):
        put_tombstone(tombstone_files, _tombstone)
    tombstone_files.remove("2.json")

    with pytest.raises(FatalError, match=r"erasures/2\.json is missing"):
        read_tombstones(tombstone_files)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "cannot be read"),
        (b"[]", "cannot be read"),
        (_tombstone(1).to_json().replace(b'"format": 1', b'"format": 2'), "has format 2"),
        (_tombstone(2).to_json(), "holds tombstone 2"),
        (_tombstone(1).to_json().replace(b'"traces"', b'"trails"'), "cannot be read"),
    ],
)
def test_damaged_tombstone_is_an_error(
    tombstone_files: ObjectStore, content: bytes, told: str
) -> None:
    """What cannot be understood is not passed over."""
    tombstone_files.put("1.json", content)

    with pytest.raises(FatalError, match=told):
        read_tombstones(tombstone_files)


def test_behind_the_fence_only_who_knows_may_commit(tmp_path: Path) -> None:
    """A commit is made by one who has read the tombstone, and refused to one who has not."""
    lake = make_lake(tmp_path)
    table = lake.table("feedback")
    append(table, None, 2, guards=[ERASURE_FENCE.guard(0)])

    assert _fence(table, 1)

    with pytest.raises(FencedError, match="were removed before it"):
        append(table, 2, 4, guards=[ERASURE_FENCE.guard(0)], token=2)
    append(table, 2, 4, guards=[ERASURE_FENCE.guard(1)], token=3)
    append(table, 4, 6, guards=[ERASURE_FENCE.guard(7)], token=4)
    assert offsets(table) == [0, 1, 2, 3, 4, 5]


def test_fence_between_comparing_and_sending(tmp_path: Path) -> None:
    """A commit that was compared before the fence and sent after it does not get in."""
    make_lake(tmp_path)
    ours, theirs = (open_lake(tmp_path).table("feedback") for _ in range(2))
    append(ours, None, 2)
    theirs.refresh()
    told: list[BaseException] = []

    with pytest.raises(FencedError, match="were removed before it"):
        append(
            ours,
            2,
            4,
            guards=[ERASURE_FENCE.guard(0)],
            token=2,
            handle=Meddled(ours.handle, lambda: _fence(theirs, 1)),
            watch=CommitWatch(unknown=lambda _table, error: told.append(error)),
        )

    assert [type(error) for error in told] == [CommitFailedError]
    assert offsets(ours) == [0, 1]


def test_fence_between_comparing_and_replacing(tmp_path: Path) -> None:
    """What was made of a file before the fence cannot take its place after it."""
    make_lake(tmp_path)
    ours, theirs = (open_lake(tmp_path).table("feedback") for _ in range(2))
    append(ours, None, 2)
    _fence(theirs, 1)
    ours.refresh()
    wanted = TableCommit(
        entry=LedgerEntry(EntryKind.REDRIVE, [span(0, 2)]),
        token=1,
        guards=[ERASURE_FENCE.guard(0)],
        removes=list_live_files(ours),
        adds=[],
    )

    with pytest.raises(FencedError, match="were removed before it"):
        replace_files(ours, wanted, commit_context())
    assert offsets(ours) == [0, 1]


def test_fence_only_ever_rises(tmp_path: Path) -> None:
    """Two erasures at once leave the higher number; fencing again changes nothing."""
    make_lake(tmp_path)
    ours, theirs = (open_lake(tmp_path).table("traces") for _ in range(2))

    assert _fence(theirs, 2)
    assert not _fence(ours, 1)
    version = ours.handle.version()
    assert not _fence(ours, 2)

    assert (ours.txn_version(ERASURE_FENCE.app), ours.handle.version()) == (2, version)


def test_fence_survives_a_checkpoint(tmp_path: Path) -> None:
    """A worker that opens the table from a checkpoint is fenced as well."""
    table = make_lake(tmp_path).table("feedback")
    append(table, None, 2)
    _fence(table, 3)
    table.refresh()
    table.checkpoint()

    assert open_lake(tmp_path).table("feedback").txn_version(ERASURE_FENCE.app) == 3


def test_owners_do_not_hinder_each_other(tmp_path: Path) -> None:
    """Commits of two owners under the same guard do not make each other fail."""
    make_lake(tmp_path)
    ours, theirs = (open_lake(tmp_path).table("feedback") for _ in range(2))
    _fence(ours, 1)
    theirs.refresh()
    told: list[BaseException] = []

    def other() -> None:
        append(theirs, None, 2, guards=[ERASURE_FENCE.guard(1)], source=OTHER, incarnations={})

    append(
        ours,
        None,
        2,
        guards=[ERASURE_FENCE.guard(1)],
        handle=Meddled(ours.handle, other),
        incarnations={},
        watch=CommitWatch(unknown=lambda _table, error: told.append(error)),
    )

    assert told == []
