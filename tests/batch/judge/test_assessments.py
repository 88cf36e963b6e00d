"""Other tools have each judgement with its outcome: an error is an error there, and no verdict."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from batch.judge.assessments import ASSESSMENT_FORMATS, assessment_lines, verdicts_to_export
from batch.judge.judge_plan import JudgePlan
from batch.judge.row_judge import RowJudge
from goldpan.cli.main import run_command
from judges.definition import parse_judge
from judges.judged_row import judged_row_of
from judges.judgement import CallFacts, Judgement, JudgementKey
from judges.outcome import ERROR_REASONS, JudgeAnswer, JudgeOutcome, judge_error
from tests.batch.judge import replies
from tests.batch.judge.judge_server import judge_server
from tests.batch.judge.world import DAY, DEFINITION, asked, stored
from tests.batch.kit import new_lake, open_lake
from tests.partners.environment import Partners
from tests.partners.recorder import recording
from tests.redact.light_policy import set_light_policy
from tests.servers.in_process import work_in

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


REASONS = Counter(ERROR_REASONS) + Counter({"unparsable": 3, "contradictory": 1})
"""Those of the judgements of this module, and of the run."""


class ExportedRun(NamedTuple):
    """What the commands wrote of a run: a folder of files, and the judgements by id."""

    folder: Path
    outcomes: dict[str, str]

    @property
    def counts(self) -> Counter[str]:
        """Return how many judgements have which outcome."""
        return Counter(self.outcomes.values())

    @property
    def ids(self) -> set[str]:
        """Return the ids of the run's judgements, and of those of this module."""
        return {*self.outcomes, *(j.judgement_id for j in JUDGEMENTS)}

    def written(self, target: str, folder: Path) -> Path:
        """Return a file for a tool: the judgements of this module, and those of the run."""
        file = written(target, folder)
        with file.open("ab") as lines:
            lines.write((self.folder / f"answered.{target}.jsonl").read_bytes())
        return file


RUN_COUNTS = Counter({"pass": 4, "fail": 3, "unknown": 2, "error": 4, "not_applicable": 1})


def reply_to(body: bytes) -> bytes:
    """Say what the number of the parcel stands for: verdicts, and what is none."""
    number = int(body.split(b"parcel ")[1].split(b"?")[0])
    pass_, fail = replies.body("chat", "pass"), replies.body("chat", "fail")
    if number < 9:
        said: JudgeOutcome = "pass" if number < 4 else "fail" if number < 7 else "unknown"
        return replies.body("chat", said)
    return [b"{}", pass_[:40], fail.replace(b"verdict", b"opinion"), pass_ + fail][number - 9]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> ExportedRun:
    """A run through the command, and what `judge export` wrote of it for each tool."""
    folder = tmp_path_factory.mktemp("exported")
    new_lake(folder / "lake", [asked(n, app="other" if n == 13 else "shop") for n in range(14)])
    definition = DEFINITION.replace("by:", "applies: {apps: [shop]}\nby:")
    (folder / "judge.yaml").write_text(definition, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched, judge_server() as server:
        server.says = reply_to
        work_in(folder, patched)
        patched.setenv("GOLDPAN_JUDGES__URL", server.address)
        set_light_policy(folder, patched)
        assert run_command(["judge", "run", "judge.yaml", "--from", DAY.isoformat()]) == 0
        for target in ASSESSMENT_FORMATS:
            assert run_command(["judge", "export", "answered", "--to", target, "--out", "."]) == 0
    kept = stored(open_lake(folder / "lake"))
    made = ExportedRun(folder, {j.judgement_id: j.answer.outcome for j in kept})
    assert made.counts == RUN_COUNTS
    return made


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


def test_mlflow_keeps_and_scores_the_same_outcomes(
    partners: Partners, exported: ExportedRun, tmp_path: Path
) -> None:
    """Errors have the reason as code, and no value; its scorer gives a run's judgement ids.

    One process does both, since MLflow takes long to load.
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
    partners.make_mlflow_database(tmp_path)
    found = partners.run(
        "judge_mlflow.py", exported.written("mlflow", tmp_path), *files, cwd=tmp_path
    )

    logged = found["logged"]
    assert Counter(one["value"] or "error" for one in logged) == COUNTS + exported.counts
    assert Counter(one["error"] for one in logged if one["error"]) == REASONS
    assert {one["judgement_id"] for one in logged} == {
        j.judgement_id for j in JUDGEMENTS
    } | exported.outcomes.keys()
    assert {one["source"] for one in logged} == {"LLM_JUDGE"}

    definition = parse_judge(CHECKED, "judge.yaml")
    judge = RowJudge(JudgePlan(definition, definition.by[0]), lambda: 0, "r")
    alone = [judge.judge(judged_row_of(row)) for row in rows]
    told = {one["judgement_id"]: one["value"] or "error" for one in found["scored"]}
    assert told == {j.judgement_id: j.answer.outcome for j in alone}
    assert len(set(told.values())) >= 3


def test_langfuse_counts_the_same_outcomes(
    partners: Partners, exported: ExportedRun, tmp_path: Path
) -> None:
    """As categories; its SDK sends each under the judgement's own id."""
    with recording() as recorder:
        file = exported.written("langfuse", tmp_path)
        partners.run("send_assessments.py", "langfuse", file, recorder.address, cwd=tmp_path)
    sent = [body for path, body in recorder.bodies if path.endswith("/scores")]
    scores = [score for body in sent for score in body]
    assert Counter(score["value"] for score in scores) == COUNTS + exported.counts
    assert {score["dataType"] for score in scores} == {"CATEGORICAL"}
    assert {score["id"] for score in scores} == {
        j.judgement_id for j in JUDGEMENTS
    } | exported.outcomes.keys()
    reasons = Counter(s["metadata"]["reason"] for s in scores if s["value"] == "error")
    assert reasons == REASONS


def test_langsmith_counts_the_same_outcomes(
    partners: Partners, exported: ExportedRun, tmp_path: Path
) -> None:
    """Its errors are marked, and only pass and fail have a score."""
    with recording() as recorder:
        file = exported.written("langsmith", tmp_path)
        partners.run("send_assessments.py", "langsmith", file, recorder.address, cwd=tmp_path)
    sent = [body for path, body in recorder.bodies if "/feedback" in path]
    counts = COUNTS + exported.counts
    assert Counter(one["value"] for one in sent) == counts
    assert Counter(bool(one.get("error")) for one in sent)[True] == counts["error"]
    scores = Counter(one["score"] for one in sent if one.get("score") is not None)
    assert scores == {1.0: counts["pass"], 0.0: counts["fail"]}


def test_phoenix_counts_the_same_outcomes(
    judge_partners: Partners, exported: ExportedRun, tmp_path: Path
) -> None:
    """As labels, with the reason of an error as explanation."""
    with recording() as recorder:
        file = exported.written("phoenix", tmp_path)
        judge_partners.run("send_assessments.py", "phoenix", file, recorder.address, cwd=tmp_path)
    sent = [one for path, body in recorder.bodies if "annotations" in path for one in body["data"]]
    assert Counter(one["result"]["label"] for one in sent) == COUNTS + exported.counts
    said = Counter(o["result"]["explanation"] for o in sent if o["result"]["label"] == "error")
    assert said == Counter(f"error: {reason}" for reason in REASONS.elements())
