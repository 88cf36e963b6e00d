"""Other tools have each judgement with its outcome: an error is an error there, and no verdict."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batch.judge.assessments import ASSESSMENT_FORMATS, assessment_lines, verdicts_to_export
from batch.judge.judge_plan import JudgePlan
from batch.judge.row_judge import RowJudge
from judges.definition import parse_judge
from judges.judged_row import judged_row_of
from judges.judgement import CallFacts, Judgement, JudgementKey
from judges.outcome import ERROR_REASONS, JudgeAnswer, judge_error
from tests.partners.environment import Partners
from tests.partners.recorder import recording

CHECKED = """\
judge: cited
version: 1
asks: Each citation names a document that is there.
applies: {has: [response]}
by:
  - {check: citations}
"""
ANSWERS = [
    *[JudgeAnswer("pass", p_fail=0.1)] * 5,
    *[JudgeAnswer("fail", p_fail=0.9, failure_mode="unsupported")] * 3,
    *[JudgeAnswer("unknown", p_fail=0.5)] * 2,
    JudgeAnswer("not_applicable"),
    *(judge_error(reason) for reason in ERROR_REASONS),
]


def judgement(number: int, answer: JudgeAnswer, **changes: Any) -> Judgement:
    """Return a judgement of a trace of its own."""
    trace_id = f"{number:032x}"
    made = Judgement(
        key=JudgementKey("d" * 64, trace_id, "i" * 64),
        judge="faithfulness",
        judge_version=3,
        way="chat",
        answer=answer,
        call=CallFacts("m-1", "m-1-served", 120, 6, 0.001, 12.5),
        trace_id=trace_id,
        run_id="r",
        judged_at=1_790_000_000_000_000 + number,
        rationale=f"Because\0 of {number}.\u2028" if number % 2 else None,
    )
    return replace(made, **changes)


JUDGEMENTS = [judgement(number, answer) for number, answer in enumerate(ANSWERS)]
COUNTS = Counter(answer.outcome for answer in ANSWERS)


def written(target: str, folder: Path) -> Path:
    """Write all judgements for a tool."""
    file = folder / f"{target}.jsonl"
    file.write_bytes(assessment_lines(target, verdicts_to_export(JUDGEMENTS)))
    return file


@pytest.mark.parametrize("target", ASSESSMENT_FORMATS)
def test_each_judgement_is_a_line(target: str, tmp_path: Path) -> None:
    """Whatever is in its rationale, and with what identifies it."""
    lines = written(target, tmp_path).read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(JUDGEMENTS)
    assert "\0" not in "".join(str(json.loads(line)) for line in lines)
    ids = {j.judgement_id for j in JUDGEMENTS}
    assert sum(any(i in line for i in ids) for line in lines) == len(JUDGEMENTS)


def test_only_the_verdict_in_force_is_written() -> None:
    """Not its earlier attempts, its repetitions, or what an earlier model said."""
    key = JUDGEMENTS[0].key
    failed = replace(JUDGEMENTS[0], answer=judge_error("timeout"))
    again = replace(JUDGEMENTS[0], attempt=2)
    repeated = replace(JUDGEMENTS[0], key=key._replace(repeat=1), answer=JudgeAnswer("fail"))
    older = replace(JUDGEMENTS[0], answer=JudgeAnswer("fail"))
    newer = replace(again, key=key._replace(epoch=2))
    assert verdicts_to_export([failed, repeated, again]) == [again]
    assert verdicts_to_export([newer, older]) == [newer]
    other = replace(JUDGEMENTS[0], key=key._replace(judge_digest="e" * 64))
    assert len(verdicts_to_export([JUDGEMENTS[0], other])) == 2


def test_what_is_computed_is_no_model() -> None:
    """A check has another source than a model."""
    for way, mlflow, phoenix in (("check", "CODE", "CODE"), ("chat", "LLM_JUDGE", "LLM")):
        made = judgement(1, JudgeAnswer("pass"), way=way)
        assert ASSESSMENT_FORMATS["mlflow"](made)["source"]["source_type"] == mlflow
        assert ASSESSMENT_FORMATS["phoenix"](made)["annotator_kind"] == phoenix


def test_mlflow_keeps_and_scores_the_same_outcomes(partners: Partners, tmp_path: Path) -> None:
    """Errors have the reason as code, and no value; its scorer gives a run's judgement ids.

    One process does both: most of the time MLflow makes its database.
    """
    rows = [
        {
            "trace_id": f"t{number}",
            "messages": [{"role": "user", "content": f"When, {number}?"}],
            "response": answer,
            "retrieved": [{"document_id": "hours", "text": "We open at nine."}],
        }
        for number, answer in enumerate(
            ["Nine [1].", "Ten [7].", "None.", "At noon [hours].", None]
        )
    ]
    records = [
        {
            "inputs": {"trace_id": row["trace_id"], "messages": row["messages"]},
            "outputs": {"response": row["response"]},
        }
        for row in rows
    ]
    for name, lines in (("rows.jsonl", rows), ("records.jsonl", records)):
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "judge.yaml").write_text(CHECKED)
    files = ("judge.yaml", "rows.jsonl", "records.jsonl")
    found = partners.run("judge_mlflow.py", written("mlflow", tmp_path), *files, cwd=tmp_path)

    logged = found["logged"]
    assert Counter(one["value"] or "error" for one in logged) == COUNTS
    assert Counter(one["error"] for one in logged if one["error"]) == Counter(ERROR_REASONS)
    assert {one["judgement_id"] for one in logged} == {j.judgement_id for j in JUDGEMENTS}
    assert {one["source"] for one in logged} == {"LLM_JUDGE"}

    definition = parse_judge(CHECKED, "judge.yaml")
    judge = RowJudge(JudgePlan(definition, definition.by[0]), lambda: 0, "r")
    alone = [judge.judge(judged_row_of(row)) for row in rows]
    told = {one["judgement_id"]: one["value"] or "error" for one in found["scored"]}
    assert told == {j.judgement_id: j.answer.outcome for j in alone}
    assert len(set(told.values())) >= 3


def test_langfuse_counts_the_same_outcomes(partners: Partners, tmp_path: Path) -> None:
    """As categories; its SDK sends each under the judgement's own id."""
    with recording() as recorder:
        file = written("langfuse", tmp_path)
        partners.run("send_assessments.py", "langfuse", file, recorder.address, cwd=tmp_path)
    sent = [body for path, body in recorder.bodies if path.endswith("/scores")]
    scores = [score for body in sent for score in body]
    assert Counter(score["value"] for score in scores) == COUNTS
    assert {score["dataType"] for score in scores} == {"CATEGORICAL"}
    assert {score["id"] for score in scores} == {j.judgement_id for j in JUDGEMENTS}
    reasons = Counter(s["metadata"]["reason"] for s in scores if s["value"] == "error")
    assert reasons == Counter(ERROR_REASONS)


def test_langsmith_counts_the_same_outcomes(partners: Partners, tmp_path: Path) -> None:
    """Its errors are marked, and only pass and fail have a score."""
    with recording() as recorder:
        file = written("langsmith", tmp_path)
        partners.run("send_assessments.py", "langsmith", file, recorder.address, cwd=tmp_path)
    sent = [body for path, body in recorder.bodies if "/feedback" in path]
    assert Counter(one["value"] for one in sent) == COUNTS
    assert Counter(bool(one.get("error")) for one in sent)[True] == COUNTS["error"]
    scores = Counter(one["score"] for one in sent if one.get("score") is not None)
    assert scores == {1.0: COUNTS["pass"], 0.0: COUNTS["fail"]}


def test_phoenix_counts_the_same_outcomes(judge_partners: Partners, tmp_path: Path) -> None:
    """As labels, with the reason of an error as explanation."""
    with recording() as recorder:
        file = written("phoenix", tmp_path)
        judge_partners.run("send_assessments.py", "phoenix", file, recorder.address, cwd=tmp_path)
    sent = [one for path, body in recorder.bodies if "annotations" in path for one in body["data"]]
    assert Counter(one["result"]["label"] for one in sent) == COUNTS
    said = Counter(o["result"]["explanation"] for o in sent if o["result"]["label"] == "error")
    assert said == Counter(f"error: {reason}" for reason in ERROR_REASONS)
