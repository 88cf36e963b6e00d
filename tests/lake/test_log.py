"""A table's log is read in one piece, however long it is."""

import json
from pathlib import Path

import pytest

from lake.delta_log import DamagedLogError, commit_path, read_commits
from lake.objects import FolderStore


def store(folder: Path, commits: int) -> FolderStore:
    """A log of so many commits, each of which adds a file and removes one."""
    (folder / "_delta_log").mkdir()
    for number in range(commits):
        stats = json.dumps({"numRecords": number, "minValues": {"trace_id": f"t{number}"}})
        lines = [
            {"commitInfo": {"timestamp": number, "here": str(number)}},
            {"add": {"path": f"f{number}", "stats": stats}},
            {"remove": {"path": f"f{number - 1}", "stats": stats}},
        ]
        (folder / commit_path(number)).write_text("\n".join(map(json.dumps, lines)))
    return FolderStore(folder)


@pytest.mark.parametrize("commits", [1, 8, 9, 64, 65, 200])
def test_all_commits_in_order(tmp_path: Path, commits: int) -> None:
    """With what each says and adds, oldest first, and no further than it is asked for."""
    files = store(tmp_path, commits)
    for newest in (commits - 1, (commits - 1) // 2):
        found = read_commits(files, newest, table="t")
        assert [one.version for one in found] == list(range(newest + 1))
        assert [one.info["here"] for one in found] == [str(n) for n in range(newest + 1)]
        assert [list(one.added) for one in found] == [[f"f{n}"] for n in range(newest + 1)]


@pytest.mark.parametrize("gone", [0, 5, 70, 135, 136, 199])
def test_a_log_begins_after_what_is_gone(tmp_path: Path, gone: int) -> None:
    """What lies before a commit that is missing is not read as if it led up to the rest."""
    files = store(tmp_path, 200)
    (tmp_path / commit_path(gone)).unlink()
    assert [one.version for one in read_commits(files, 199, table="t")] == list(
        range(gone + 1, 200)
    )


def test_the_digest_is_of_all_but_the_bounds(tmp_path: Path) -> None:
    """Bounds are widened by erasures; counts, paths and what a writer says are not."""
    files, path = store(tmp_path, 3), tmp_path / commit_path(2)
    text = path.read_text()
    before = read_commits(files, 2, table="t")[-1].digest
    for old, new, same in (
        ("t2", "", True),
        ('\\"numRecords\\": 2', '\\"numRecords\\": 3', False),
        ("f2", "f3", False),
        ('"here": "2"', '"here": "3"', False),
    ):
        assert old in text
        path.write_text(text.replace(old, new))
        assert (read_commits(files, 2, table="t")[-1].digest == before) is same


@pytest.mark.parametrize(
    "text", ["", "\n", "{", "[]", "1", "[" * 100_000, '{"add": 1}', '{"add": {"size": 1}}']
)
def test_what_is_no_commit(tmp_path: Path, text: str) -> None:
    """It is named by table and version, and nothing of it is said."""
    files = store(tmp_path, 2)
    (tmp_path / commit_path(1)).write_text(text)
    with pytest.raises(DamagedLogError, match="table t: version 1 of its log"):
        read_commits(files, 1, table="t")
