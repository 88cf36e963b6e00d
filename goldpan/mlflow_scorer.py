"""A goldpan judge as a scorer of MLflow: the same definition, judgement ids and outcomes.

MLflow is not a dependency of goldpan. Install both, then:

    from goldpan.mlflow_scorer import judge_scorer

    mlflow.genai.evaluate(data=records, scorers=[judge_scorer("judge.yaml", "rows.jsonl")])
"""

import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlflow.entities.assessment import Assessment
from mlflow.genai.scorers import Scorer, scorer

from batch.judge.assessments import mlflow_assessment
from batch.judge.judge_plan import JudgePlan
from batch.judge.row_judge import RowJudge
from batch.judge.subjects import read_json_lines
from goldpan import judge_setup, wiring
from goldpan.settings import load_settings
from judges.definition import choose_way, load_judge
from judges.judged_row import JudgedRow, judged_row_of


def judge_scorer(
    judge: str | Path, rows: str | Path | None = None, *, config: Path | None = None
) -> Scorer:
    """Return a scorer that judges with a definition of goldpan.

    ``rows`` is a file of JSON lines, such as `goldpan release export --to jsonl` writes. MLflow's
    record names its row by ``inputs["trace_id"]``, and ``outputs`` replaces the row's response
    where it is another. Without a row, ``inputs["messages"]`` and ``outputs`` are all that is
    judged. A server is that of goldpan's settings (``GOLDPAN_JUDGES__URL``, or ``config``).

    Errors of the judge are errors in MLflow, with their reason, and have no value. Raises
    UsageError for a definition, a file or settings that are wrong.
    """
    row_judge = _row_judge(Path(judge), config)
    rows_by_id = {} if rows is None else dict(_rows(Path(rows)))

    @scorer(name=row_judge.plan.definition.judge)  # type: ignore[untyped-decorator,unused-ignore]
    def judged(inputs: dict[str, Any], outputs: Any) -> Assessment:
        judgement = row_judge.judge(_judged_row(rows_by_id, inputs, outputs))
        return Assessment.from_dictionary(mlflow_assessment(judgement) | {"trace_id": ""})

    return judged


def _row_judge(file: Path, config: Path | None) -> RowJudge:
    definition, settings = load_judge(file), load_settings(config)
    way = choose_way(definition, lambda each: judge_setup.is_configured(settings, each))
    made = RowJudge(JudgePlan(definition, way), wiring.now_us, secrets.token_hex(8))
    if made.plan.served_way is not None:
        made.answerer = judge_setup.make_client(settings, made.plan.served_way)
        made.proof = judge_setup.make_proof(settings, definition)
    return made


def _rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for _, row in read_json_lines(file, f"The file {file}"):
        yield str(row.get("trace_id")), row


def _judged_row(
    rows: Mapping[str, Mapping[str, Any]], inputs: Mapping[str, Any], outputs: Any
) -> JudgedRow:
    trace_id = str(inputs.get("trace_id", "mlflow"))
    row = dict(rows.get(trace_id, {"messages": inputs.get("messages") or []}))
    response = outputs.get("response") if isinstance(outputs, Mapping) else outputs
    if response is not None:
        row["response"] = response if isinstance(response, str) else json.dumps(response)
    return judged_row_of({**row, "trace_id": trace_id})
