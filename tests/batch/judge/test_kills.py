"""SIGKILL at every step of a run, and runs at once: no judgement is lost or doubled."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from batch.judge.judgement_rows import JUDGEMENT
from schemas.arrow import JUDGEMENTS_TABLE
from tests.batch.judge.kill_jobs import JOB, asked_in, judge_after
from tests.batch.judge.world import asked, stored
from tests.batch.kit import new_lake, open_lake
from tests.kill_harness import outputs

ROWS = 20
IN_FLIGHT = 8


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake of traces."""
    folder = tmp_path_factory.mktemp("killed")
    new_lake(folder / "lake", [asked(number) for number in range(ROWS)])
    return folder


def judged_once(folder: Path) -> None:
    """Each row has one judgement, and it passed."""
    found = stored(open_lake(folder / "lake"))
    assert sorted(judgement.trace_id for judgement in found) == sorted(
        f"t{number:04}" for number in range(ROWS)
    )
    assert {judgement.answer.outcome for judgement in found} == {"pass"}


@pytest.mark.parametrize("every", [29, pytest.param(1, marks=pytest.mark.chaos)])
def test_killed_at_a_step_and_run_again(original: Path, tmp_path: Path, every: int) -> None:
    """Paid twice is at most what was in flight; what was stored is never asked again."""
    steps = slice(3, None, every)
    for copy in JOB.killed_copies(original, tmp_path / "copies", steps):
        kept = {judgement.trace_id for judgement in stored(open_lake(copy / "lake"))}
        before = asked_in(copy)
        judge_after(copy)
        judged_once(copy)
        after = asked_in(copy)[len(before) :]
        assert len(after) == ROWS - len(kept)
        twice = [question for question, count in Counter(before + after).items() if count > 1]
        assert len(twice) <= IN_FLIGHT


@pytest.mark.parametrize("runs", [2, pytest.param(4, marks=pytest.mark.chaos)])
def test_runs_at_once_pay_for_each_answer_once(original: Path, tmp_path: Path, runs: int) -> None:
    """In processes of their own, over one lake."""
    shutil.copytree(original / "lake", tmp_path / "lake")
    outputs([JOB.start(tmp_path) for _ in range(runs)])
    judged_once(tmp_path)
    assert Counter(asked_in(tmp_path)).most_common(1)[0][1] == 1
    assert len(asked_in(tmp_path)) == ROWS
    table = open_lake(tmp_path / "lake").table(JUDGEMENTS_TABLE)
    table.refresh()
    steps = Counter(table.read(["step"])["step"].to_pylist())
    assert steps == {"claim": ROWS, JUDGEMENT: ROWS}
