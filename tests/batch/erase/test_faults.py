"""An erasure that dies at any step is finished by the next one, and ends the same."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lake.tables import Lake
from lake.verify import verify_lake
from tests.batch.erase.world import WORDS, erasure, new_world, tables
from tests.batch.kill_jobs import killable
from tests.batch.kit import open_lake
from tests.edges.search import marks_in_folder

SAMPLED = 52
"""Of so many steps one is tried in every run of the tests; all of them in `make chaos`."""
PARTS = 4


def outcome(lake: Lake, receipt: bytes) -> Mapping[str, Any]:
    """What must be the same in the end: all rows, and what the receipt says was removed.

    The same rows may have gone in more commits, and labels may have been decided later, in another
    order.
    """
    said = json.loads(receipt)
    rows: dict[str, Any] = dict(tables(lake))
    labels = [
        {name: value for name, value in row.items() if name not in {"decided_at", "_offset"}}
        for row in rows["labels"]
    ]
    rows["labels"] = sorted(labels, key=lambda row: str(row["label_event_id"]))
    counts = {name: (one["own"], one["mentions"]) for name, one in said["tables"].items()}
    return {"rows": rows, "counts": counts}


def assert_same_end(folder: Path, steps: slice) -> None:
    """Kill an erasure at some steps, finish each by another, and compare with one that lived."""
    new_world(folder / "lake")
    shutil.copytree(folder / "lake", folder / "alive")
    alive = open_lake(folder / "alive")
    wanted = outcome(alive, erasure(alive).run().receipt)
    for copy in killable("erase").killed_copies(folder / "lake", folder, steps):
        lake = open_lake(copy)
        ended = erasure(lake).run()
        assert outcome(lake, ended.receipt) == wanted, copy.name
        assert marks_in_folder(copy, WORDS) == [], copy.name
        assert verify_lake(open_lake(copy), deep=True).problems == [], copy.name
        again = erasure(open_lake(copy)).run()
        assert (again.already_done, again.receipt) == (True, ended.receipt), copy.name
        shutil.rmtree(copy)


def test_killed_at_some_steps(tmp_path: Path) -> None:
    """Whatever it had done by then, the next run ends where one that lived does."""
    assert_same_end(tmp_path, slice(1, None, SAMPLED))


@pytest.mark.chaos
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_each_step(tmp_path: Path, part: int) -> None:
    """The same at every one of them."""
    assert_same_end(tmp_path, slice(part, None, PARTS))
