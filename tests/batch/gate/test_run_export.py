"""Exports of kept runs: all figures and no other, under names that each tool takes."""

import json
import posixpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.gate.figure_names import PATHS, PLAIN, FigureNames
from batch.gate.run_export import RUN_FORMATS, export_run
from tests.batch.gate.exported import VALUES, exotic_run, unmeasured_run

FIELDS = (
    *("estimate", "low", "high", "bar", "rows", "reviews", "mde"),
    *("missing_rows", "missing_reviews", "gained", "lost", "mcnemar_p"),
)
MLFLOW = re.compile(r"[A-Za-z0-9][/A-Za-z0-9_.\-]*")
WANDB = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
NO_NAME = {"small_segments"}


def exported(target: str, run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is written for a tool."""
    document: dict[str, Any] = json.loads(export_run(target, run))
    return document


def figures_of(run: Mapping[str, Any]) -> Counter[tuple[str, float]]:
    """Return the figures that a run has, by field; a segment that it has twice has them once."""
    distinct = {json.dumps(each): each for each in (*run["requirements"], *run["segments"])}
    pairs: Counter[tuple[str, float]] = Counter()
    for each in distinct.values():
        if each["state"] == "not_measured":
            pairs["bar", each["bar"]] += 1
            continue
        flat = each | (each["changed"] or {})
        pairs.update((key, flat[key]) for key in FIELDS if flat.get(key) is not None)
    for sides in run["outcomes"].values():
        pairs.update(pair for counts in sides.values() for pair in counts.items())
    return pairs


def read_figures(named: Mapping[str, Any], joint: str) -> Counter[tuple[str, float]]:
    """Return the numbers of a tool by the last part of their names."""
    return Counter(
        (name.rpartition(joint)[2], value)
        for name, value in named.items()
        if name not in NO_NAME and not isinstance(value, str)
    )


@pytest.mark.parametrize("run", [exotic_run(), unmeasured_run()], ids=["exotic", "unmeasured"])
def test_all_figures_are_there_and_no_other(run: dict[str, Any]) -> None:
    """Whatever the names are: no two of them meet, and what is null is absent."""
    mlflow, wandb = exported("mlflow", run), exported("wandb", run)
    assert read_figures(mlflow["metrics"], "/") == figures_of(run)
    assert read_figures(wandb["summary"], "__") == figures_of(run)
    states = Counter(
        each["state"] for each in {each["name"]: each for each in results(run)}.values()
    )
    for named, joint in ((mlflow["tags"], "/"), (wandb["summary"], "__")):
        read = Counter(value for name, value in named.items() if name.endswith(f"{joint}state"))
        assert read.total() == len({json.dumps(each) for each in results(run)})
        assert read.keys() == states.keys()


def results(run: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """Return the requirements and segments."""
    return (*run["requirements"], *run["segments"])


def test_names_are_valid_in_each_tool() -> None:
    """MLflow takes some signs and 250 of them; W&B sorts by letters, digits and underscores."""
    run = exotic_run()
    mlflow = exported("mlflow", run)
    for name in (*mlflow["metrics"], *mlflow["params"], *mlflow["tags"]):
        assert MLFLOW.fullmatch(name), name
        assert len(name) <= 250
        assert posixpath.normpath(name) == name
    for name in exported("wandb", run)["summary"]:
        assert WANDB.fullmatch(name), name
        assert len(name) <= 250
    keys = [each["key"] for each in exported("langsmith", run)["create_feedback"]]
    assert all(WANDB.fullmatch(key) for key in keys)
    assert len(set(keys)) == len(keys)
    init = exported("wandb", run)["init"]
    assert re.fullmatch(r"[0-9a-f-]{36}", init["id"])


def test_usual_names_stay_as_they_are() -> None:
    """A reader finds a requirement and a segment by what the gate file calls them."""
    run = exotic_run()
    metrics, summary = exported("mlflow", run)["metrics"], exported("wandb", run)["summary"]
    first = run["requirements"][0]
    assert metrics["faithfulness/estimate"] == first["estimate"]
    assert summary["faithfulness__estimate"] == first["estimate"]
    second = run["requirements"][1]
    assert metrics["retrieval.hit_rate/high"] == second["high"]
    assert summary["retrieval__hit_rate__high"] == second["high"]
    assert "retrieval.hit_rate/low" not in metrics  # it has none
    segments = {each["name"]: each for each in run["segments"]}
    segment = segments["retrieval.hit_rate in plan=pro"]
    assert metrics["segments/plan/pro/retrieval.hit_rate/estimate"] == segment["estimate"]
    assert summary["segments__plan__pro__retrieval__hit_rate__estimate"] == segment["estimate"]
    assert metrics["outcomes/faithfulness/candidate/pass"] == 298
    assert metrics["small_segments"] == 3


def test_a_name_that_was_changed_says_what_it_stands_for() -> None:
    """The value of a segment is told in full, but for U+0000, which databases refuse."""
    said = exported("mlflow", exotic_run())["tags"]
    values = {value for name, value in said.items() if name.endswith("/value")}
    assert values == {value.replace("\0", "\ufffd") for value in VALUES}


def test_what_was_not_measured_has_a_state_and_no_figure() -> None:
    """Neither 0 nor NaN: it is absent, and the reason is told."""
    run = unmeasured_run()
    mlflow, wandb = exported("mlflow", run), exported("wandb", run)
    held = [name for name in mlflow["metrics"] if name.startswith("faithfulness/")]
    assert held == ["faithfulness/bar"]
    assert mlflow["tags"]["faithfulness/state"] == "not_measured"
    assert mlflow["tags"]["faithfulness/reason"] == "there is no faithfulness of the candidate"
    assert "faithfulness__estimate" not in wandb["summary"]
    scores = {each["name"]: each for each in exported("langfuse", run)["scores"]}
    assert "faithfulness" not in scores
    assert scores["faithfulness/state"]["value"] == "not_measured"
    feedback = {each["key"]: each for each in exported("langsmith", run)["create_feedback"]}
    assert "score" not in feedback["faithfulness"]
    assert feedback["faithfulness"]["error"]
    assert "there is no faithfulness" in feedback["faithfulness"]["comment"]


@pytest.mark.parametrize("target", RUN_FORMATS)
def test_the_same_run_has_the_same_bytes_and_another_run_other_ids(target: str) -> None:
    """What is sent again replaces what was sent; what is of another run never does."""
    run = exotic_run()
    assert export_run(target, run) == export_run(target, exotic_run())
    other = exported(target, run | {"digest": "f" * 64})
    mine = exported(target, run)
    for key, lines in (("scores", "score_id"), ("create_feedback", "feedback_id")):
        ids = {each[lines] for each in mine.get(key, ())}
        assert len(ids) == len(mine.get(key, ()))
        assert ids.isdisjoint(each[lines] for each in other.get(key, ()))
    identity = {"mlflow": "filter_string", "wandb": "init", "langfuse": "observation"}
    key = identity.get(target, "create_project")
    assert mine[key] != other[key]


@pytest.mark.parametrize("target", RUN_FORMATS)
def test_each_export_says_what_was_decided_on_what(target: str) -> None:
    """Decision, gate, release, run, their digests, and the judge."""
    text = export_run(target, exotic_run()).decode()
    for fact in ("not_enough_evidence", "support@1.0.0", "g-1_x/0123456789ab/1", "ours, version 3"):
        assert fact in text
    for digest in ("a" * 64, "b" * 64, exotic_run()["digest"]):
        assert digest in text
    assert "NaN" not in text
    assert "\0" not in text


texts = st.text(max_size=5) | st.sampled_from(
    [*VALUES, "a__b", "_a", "a_0123456789ab", "0123456789ab"]
)


@given(
    st.lists(st.lists(texts, min_size=1, max_size=3).map(tuple), unique=True, max_size=30),
    st.sampled_from([PATHS, PLAIN]),
)
def test_no_two_figures_share_a_name(many: list[tuple[str, ...]], style: Any) -> None:
    """Whatever they are called, and whatever stands between the parts."""
    names = FigureNames(style)
    first = [names.name(("n", *parts)) for parts in many]
    assert len(set(first)) == len(many)
    assert all((MLFLOW if style is PATHS else WANDB).fullmatch(name) for name in first)
