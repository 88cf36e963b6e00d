"""Labels of a replay, killed at each step: what is in force is the old or the new, and then new."""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from goldpan import replay_setup
from goldpan.settings import Settings
from labels.policy import load_label_policy
from labels.scorer import LabelScorer
from lake.tables import Lake
from lake.verify import verify_lake
from schemas.errors import UsageError
from stream.replay.promotion import Promotion
from stream.replay.replay_range import make_replay_range
from stream.replay.repository import ReplayState
from stream.replay.steps import ReplayLabelStep, ReplayStep
from tests.batch.kit import labels_of, new_lake, open_lake, worked
from tests.batch.test_label_replacement import exchange
from tests.labels.kit import feedback, trace
from tests.servers.worker import settings

TOPIC = "llm.traces"
STEPS = (
    ReplayStep.DECIDED,
    ReplayStep.TRACES_NOTED,
    ReplayStep.LABELS_FENCED,
    ReplayStep.LABELS_WRITTEN,
    ReplayStep.LABELS_REPLACED,
    ReplayStep.FILE_REMOVED,
    ReplayStep.FILES_REMOVED,
)


class CrashError(Exception):
    """The process dies here."""


@pytest.fixture
def feedback_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Six traces with feedback, labelled under the preset; the settings name the lake."""
    for name, value in settings("localhost:1", tmp_path / "lake").items():
        monkeypatch.setenv(name, value)
    made: list[Any] = [trace(f"t{i}", at=i) for i in range(6)]
    made += [feedback(f"f{i}", f"t{i}", at=60 + i) for i in range(6)]
    lake = new_lake(tmp_path / "lake", made)
    worked(lake, LabelScorer(load_label_policy("chat_support")))
    (tmp_path / "two.yaml").write_text("extends: chat_support\nname: mine\nversion: 2\n")
    return lake


def crashing(at: StrEnum | None) -> Callable[[StrEnum], None]:
    """Return what dies at a step."""

    def reached(step: StrEnum) -> None:
        if step is at:
            raise CrashError

    return reached


def staged(tmp_path: Path) -> Any:
    """Stage the labels of the first three traces under another policy; return the plan."""
    chosen = Settings()
    rules = replay_setup.load_replay_label_rules(chosen, str(tmp_path / "two.yaml"))
    plan = replay_setup.begin_labels_only(chosen, TOPIC, make_replay_range(0, 3), "r1", rules)
    replay_setup.open_replay_labels(chosen, plan).stage(lambda *_told: None)
    return plan


def promote(at: StrEnum | None = None) -> None:
    """Promote, and die at a step if one is given."""
    chosen = Settings()
    made = replay_setup.set_up_promotion(chosen, "r1", lambda *_told: None)
    context = replace(made.context, reached=crashing(at))
    Promotion(made.staging, "r1", context, made.relabels).run()


@pytest.mark.parametrize("step", STEPS)
def test_a_promotion_that_is_killed_goes_on(
    feedback_lake: Lake, tmp_path: Path, step: ReplayStep
) -> None:
    """At any time each trace has a label; in the end those of the range have their new one."""
    plan = staged(tmp_path)
    before = dict(labels_of(feedback_lake))
    with pytest.raises(CrashError):
        promote(step)
    between = labels_of(open_lake(tmp_path / "lake"))
    assert between.keys() == before.keys()
    assert len({event.policy_version for t, event in between.items() if t < "t3"}) == 1
    promote()
    after = labels_of(open_lake(tmp_path / "lake"))
    assert {event.policy_version for t, event in after.items() if t < "t3"} == {plan.label_policy}
    assert {t: after[t] for t in ("t3", "t4", "t5")} == {t: before[t] for t in ("t3", "t4", "t5")}
    assert replay_setup.open_staging(Settings()).progress("r1").state is ReplayState.PROMOTED
    problems = verify_lake(open_lake(tmp_path / "lake"), deep=True).problems
    assert [problem for problem in problems if "label" in problem] == []


@pytest.mark.parametrize("step", list(ReplayLabelStep))
def test_staging_that_is_killed_goes_on(
    feedback_lake: Lake, tmp_path: Path, step: ReplayLabelStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not complete, and cannot be promoted, before its labels are staged."""
    with monkeypatch.context() as dying:
        dying.setattr("goldpan.replay_labels.parse_failpoint", lambda *_: crashing(step))
        with pytest.raises(CrashError):
            staged(tmp_path)
    state = replay_setup.open_staging(Settings()).progress("r1").state
    assert (state is ReplayState.STAGED) == (step is ReplayLabelStep.LABELS_STAGED)
    plan = replay_setup.open_staging(Settings()).plan("r1")
    found = replay_setup.compare_replay(Settings(), plan, lambda *_told: None, samples=9)
    assert (found[1] is None) == (step is ReplayLabelStep.TRACES_NOTED)
    if step is ReplayLabelStep.TRACES_NOTED:
        with pytest.raises(UsageError, match="labels are undecided"):
            promote()
    assert staged(tmp_path) == plan
    found = replay_setup.compare_replay(Settings(), plan, lambda *_told: None, samples=9)
    assert found[0] is None
    assert found[1] is not None
    assert (found[1].changed, found[1].policy) == (3, 3)


def test_abandoning_leaves_nothing(feedback_lake: Lake, tmp_path: Path) -> None:
    """No file is left, and the number of the policy stands for none."""
    before = {file for file in (tmp_path / "lake").rglob("*") if file.is_file()}
    staged(tmp_path)
    assert not (tmp_path / "lake" / "policies").exists()
    replay_setup.remove_replay(Settings(), "r1")
    assert {file for file in (tmp_path / "lake").rglob("*") if file.is_file()} == before


def test_who_is_erased_between_staging_and_promotion_gets_no_label(
    feedback_lake: Lake, tmp_path: Path
) -> None:
    """It was proposed, but the trace is in the lake no more; the others are as the diff said."""
    plan = staged(tmp_path)
    for name in ("labels", "feedback", "traces"):
        exchange(
            feedback_lake, lambda rows: rows.filter(pc.not_equal(rows["trace_id"], "t1")), name
        )
    promote()
    after = labels_of(open_lake(tmp_path / "lake"))
    assert after.keys() == {"t0", "t2", "t3", "t4", "t5"}
    assert {after[t].policy_version for t in ("t0", "t2")} == {plan.label_policy}
