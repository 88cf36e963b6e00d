"""Erasures beside each other, and beside a compaction, end as one alone does."""

from pathlib import Path

from lake.verify import verify_lake
from tests.batch.erase.test_erasure import compacted
from tests.batch.erase.test_faults import outcome
from tests.batch.erase.world import WORDS, erasure, new_world
from tests.batch.kill_jobs import killable
from tests.batch.kit import open_lake
from tests.edges.search import marks_in_folder

AT_ONCE = 3


def test_several_at_once_and_a_compaction(tmp_path: Path) -> None:
    """Whoever wins which file: nothing of the person is left, the rest is there, and proved."""
    new_world(tmp_path / "alone")
    new_world(tmp_path / "lake")
    alone = open_lake(tmp_path / "alone")
    wanted = outcome(alone, erasure(alone).run().receipt)
    runs = [killable("erase").start(tmp_path / "lake") for _ in range(AT_ONCE)]
    compacted(open_lake(tmp_path / "lake"))
    assert [run.wait() for run in runs] == [0] * AT_ONCE
    lake = open_lake(tmp_path / "lake")
    ended = erasure(lake).run()
    assert ended.already_done
    assert outcome(lake, ended.receipt)["rows"] == wanted["rows"]
    assert marks_in_folder(tmp_path / "lake", WORDS) == []
    assert verify_lake(open_lake(tmp_path / "lake"), deep=True).problems == []
