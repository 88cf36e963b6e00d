"""From records in tables to calibrated labels, through the commands that people use."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from batch.reviews.review_table import read_review_log
from goldpan.cli.main import run_command
from labels.batch_join import LakeRows
from labels.calibration import parse_calibration
from labels.decision import events_in_force
from labels.policy import LabelPolicy, load_label_policy
from labels.scorer import LabelScorer
from schemas.records import Feedback, Trace
from tests.batch.kit import complaints, labels_of, new_lake, open_lake, worked
from tests.labels.kit import NOW, missing_events, rows, told
from tests.labels.simulation import play, truths
from tests.servers.worker import TEST_KEY

POLICY = """
extends: agent
name: simulated
audit: {rate: 0.2}
review: {audit_share: 0.7}
"""
REVIEWERS = ("ann", "ben", "cleo")
VERDICTS = {True: "fail", False: "pass"}


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    """The policy, as an AI engineer keeps it."""
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return file


@pytest.fixture(autouse=True)
def lake_settings(tmp_path: Path, policy_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a lake in a folder."""
    for name, value in {
        "LAKE__URI": str(tmp_path / "lake"),
        "LABELS__POLICY": str(policy_file),
        "REDACT__POLICY": "off",
        "REDACT__KEY": TEST_KEY,
    }.items():
        monkeypatch.setenv(f"GOLDPAN_{name}", value)


def records() -> tuple[list[Trace], list[Feedback], dict[str, bool]]:
    """Play the conversations, each several times; return traces, feedback and the truth."""
    played = play(truths()[0], 12, 1, "e2e")
    traces = [
        Trace(
            trace_id=p.knowledge.trace_id,
            app="airline",
            started_at=p.knowledge.trace.started_at,
            status="ok",
        )
        for p in played
        if p.knowledge.trace is not None
    ]
    feedback = [
        Feedback(
            feedback_id=said.feedback_id,
            trace_id=p.knowledge.trace_id,
            kind=said.kind,  # type: ignore[arg-type]
            value=said.value,
            corrected_response=said.correction,
            actor=said.actor,
            occurred_at=said.occurred_at,
        )
        for p in played
        for said in p.knowledge.feedback
    ]
    random.Random(1).shuffle(feedback)  # noqa: S311
    return traces, feedback, {p.knowledge.trace_id: p.failed for p in played}


def goldpan(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    """Run a command; return its answer."""
    assert run_command([*arguments, "--json"]) == code, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def review_until(count: int, truth: Mapping[str, bool], capsys: Any, folder: Path) -> None:
    """Let reviewers who say the truth take items and send what they found."""
    done = 0
    while done < count:
        reviewer = REVIEWERS[done // 30 % len(REVIEWERS)]
        items = goldpan(capsys, "review", "next", "--reviewer", reviewer, "--count", "30")["items"]
        lines = [
            json.dumps(
                {"trace_id": t, "verdict": "fail" if truth[t] else "pass", "reviewer": reviewer}
            )
            for t in (item["trace_id"] for item in items)
        ]
        file = folder / "reviews.jsonl"
        file.write_text("\n".join(lines))
        sent = ("review", "submit", "--file", str(file), "--reviewer", reviewer)
        told_us = goldpan(capsys, *sent)
        assert (told_us["added"], told_us["refused"]) == (len(items), [])
        assert items, "the queue is empty"
        done += len(items)


def pure(
    traces: list[Trace], feedback: list[Feedback], folder: Path, scales: LabelScorer
) -> dict[str, tuple[Any, ...]]:
    """Return the labels that the pure function gives for the records and the reviews."""
    verdicts = read_review_log(open_lake(folder).table("reviews")).log.verdicts()
    lake = LakeRows([rows(traces)], [rows(feedback)], verdicts)
    return told(events_in_force(missing_events(lake, scales, as_of=NOW, now=NOW)))


def test_reviews_teach_a_calibration_and_history_is_decided_anew(
    tmp_path: Path,
    policy_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Worker, review, calibrate, rebuild, reconcile: the labels are the pure function's."""
    traces, feedback, truth = records()
    rules: LabelPolicy = load_label_policy(str(policy_file))
    folder = tmp_path / "lake"
    lake = new_lake(folder, [*traces, *feedback])
    worked(lake, LabelScorer(rules))
    assert goldpan(capsys, "labels", "reconcile")["added"] == 0

    review_until(90, truth, capsys, tmp_path)
    stats = goldpan(capsys, "review", "stats")
    assert (stats["reviewed"], len(stats["reviewers"])) == (90, 3)
    assert goldpan(capsys, "labels", "reconcile")["added"] == 90
    assert told(labels_of(lake)) == pure(traces, feedback, folder, LabelScorer(rules))

    learnt = goldpan(capsys, "labels", "calibrate")
    assert (learnt["version"], learnt["diagnostics"]["reviews"]) == (1, 90)
    assert goldpan(capsys, "labels", "reconcile")["added"] == 0  # nothing uses it yet
    assert (folder / "calibrations" / "1.svg").read_text().startswith("<svg")
    name, _, value = learnt["setting"].partition("=")
    monkeypatch.setenv(name, value)

    text = (folder / "calibrations" / "1.json").read_text()
    scales = LabelScorer(rules, parse_calibration(text, "1.json"))
    assert goldpan(capsys, "labels", "rebuild", "--dry-run")["added"] > 90
    rebuilt = goldpan(capsys, "labels", "rebuild")
    assert rebuilt["added"] == len(labels_of(lake))
    assert told(labels_of(lake)) == pure(traces, feedback, folder, scales)
    for command in ("reconcile", "rebuild"):
        assert goldpan(capsys, "labels", command)["added"] == 0
    assert complaints(open_lake(folder)) == []
