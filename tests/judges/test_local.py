"""The local judge is the one that its recipe makes, and its figures are out of fold."""

import json
from pathlib import Path

import numpy as np
import pytest

from goldpan.demo.traffic import (
    load_all_conversations,
    load_shipped_conversations,
    make_traces,
)
from judges.definition import DEFAULT_THRESHOLDS, parse_judge
from judges.judged_row import judged_row_of
from judges.local.features import FEATURES, features_of
from judges.local.model import FILE, task_success_model
from judges.offline import answer_offline
from judges.ways import LocalWay
from tests.architecture.source import ROOT
from tests.judges.kit import STARTED, call, row
from training.judges.task_success import (
    TrainingRecipe,
    area_under_curve,
    deal_tasks,
    feature_rows,
    out_of_fold,
    read_features,
    train,
)

FEATURES_FILE = ROOT / "tests" / "data" / "judges" / "task_success.jsonl"
SHIPPED = ROOT / "judges" / "local" / FILE


def test_the_shipped_model_is_what_the_recipe_makes() -> None:
    """The same features give the same bytes."""
    document = train(read_features(FEATURES_FILE), TrainingRecipe())
    assert SHIPPED.read_text(encoding="utf-8") == json.dumps(document, indent=1) + "\n"


def test_the_card_has_the_figures_of_the_file() -> None:
    """Each figure of the model card is one that the recipe printed."""
    card = (SHIPPED.parent / "MODEL_CARD.md").read_text(encoding="utf-8")
    for name, value in json.loads(SHIPPED.read_text(encoding="utf-8"))["figures"].items():
        assert f"| {name} | {value:.3f} |" in card


def test_features_come_from_the_conversations() -> None:
    """The conversations that are shipped have the features that the data holds."""
    held = [json.loads(line) for line in FEATURES_FILE.read_text("utf-8").splitlines()]
    assert feature_rows(load_all_conversations()) == held


def test_no_model_of_a_fold_saw_the_task() -> None:
    """Each task has a model that was trained on others, and all of a task are in one fold."""
    data, shipped = read_features(FEATURES_FILE), task_success_model()
    folds = deal_tasks(data, TrainingRecipe(), 0)
    assert sorted(task for fold in folds for task in fold) == sorted(set(data.task.tolist()))
    p = out_of_fold(data, folds, TrainingRecipe().ridge)
    by_fold = [
        shipped.folds[str(task)].p_fail(features)
        for task, features in zip(data.task.tolist(), data.features.tolist(), strict=True)
    ]
    assert np.allclose(p, by_fold, atol=1e-4)
    assert area_under_curve(p, data.failed) > 0.65


def test_another_task_is_answered_by_the_shipped_weights() -> None:
    """The folds are for the training data alone; a task that is none of it changes nothing."""
    trace = judged_row_of(make_traces(load_shipped_conversations()[0], started_at=STARTED)[-1])
    model = task_success_model()
    assert model.p_fail(trace, "no task of these") == model.p_fail(trace)
    assert model.p_fail(trace, "6") != model.p_fail(trace)


def test_a_conversation_has_one_outcome() -> None:
    """By its last trace, through the definition of a judge."""
    judge = parse_judge(
        "judge: task_success\nversion: 1\nasks: The task was done.\nby: [{local: task_success}]\n",
        "judge.yaml",
    )
    way = judge.by[0]
    assert isinstance(way, LocalWay)
    outcomes = set()
    for conversation in load_shipped_conversations():
        last = judged_row_of(make_traces(conversation, started_at=STARTED)[-1])
        said = answer_offline(judge, way, last).answer
        assert said.p_fail == task_success_model().p_fail(last)
        outcomes.add(said.outcome)
    assert outcomes <= {"pass", "fail", "unknown"}
    assert len(outcomes) > 1
    assert answer_offline(judge, way, row(messages=[])).answer.reason == "missing_input"
    assert judge.digest_of_way(way, DEFAULT_THRESHOLDS) != judge.question_digest_of(way)


def test_words_are_counted_and_not_read() -> None:
    """Stand-ins of redaction of the same length change no feature."""
    before = row(response="Ask Anna Bell <anna@example.com> now.")
    after = row(
        response="Ask <PERSON:k3f2abcdefghijk> at that e-m."[
            : len("Ask Anna Bell <anna@example.com> now.")
        ]
    )
    assert features_of(before) == features_of(after)
    assert len(features_of(before)) == len(FEATURES) == 11


def test_writes_are_told_from_reads_by_their_names() -> None:
    """A tool that gets, lists or searches changes nothing; a hand-over is no write either."""
    names = ["get_user", "search_flights", "book_flight", "transfer_to_human_agents"]
    judged = row(tool_calls=[call(name, {}, f"c{at}") for at, name in enumerate(names)])
    features = dict(zip(FEATURES, features_of(judged), strict=True))
    assert features["writes"] == pytest.approx(np.log(2))
    assert (features["any write"], features["handed over"]) == (1.0, 1.0)


def test_the_recipe_names_its_data() -> None:
    """Beside the weights, with the command that makes them."""
    card = (SHIPPED.parent / "MODEL_CARD.md").read_text(encoding="utf-8")
    for word in ("tau-bench", "MIT", "python -m training.judges.task_success", "task_success.json"):
        assert word in card
    assert Path("training/judges/task_success.py").name in card
