"""Two processes that both believe they own a partition."""

import sys
from pathlib import Path
from subprocess import PIPE, Popen

from lake.verify import verify_lake
from tests.lake.kit import make_lake, offsets, set_aside
from tests.lake.racer import ROUNDS

ROOT = Path(__file__).parents[2]


def test_two_processes_on_one_partition(tmp_path: Path) -> None:
    """Each position is moved once, by one of them, and every record is there once."""
    lake = make_lake(tmp_path)
    command = [sys.executable, "-m", "tests.lake.racer", str(tmp_path)]
    started = [Popen([*command, name], cwd=ROOT, stdout=PIPE) for name in "12"]
    won = [int(process.communicate()[0]) for process in started]
    assert sum(won) == ROUNDS
    assert offsets(lake.table("feedback")) == list(range(3 * ROUNDS))
    set_aside(lake, None, 3 * ROUNDS, set())
    report = verify_lake(lake, deep=True)
    assert report.problems == []
    assert len(lake.table("feedback").ledger()) == ROUNDS
