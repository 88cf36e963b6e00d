"""Logs assessments in MLflow, and evaluates records there with a goldpan judge as scorer.

``judge_mlflow.py ASSESSMENTS JUDGE ROWS RECORDS`` prints what MLflow kept of both. It makes the ids
of its traces itself, so each assessment gets a trace of its own.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities.assessment import Assessment

from goldpan.mlflow_scorer import judge_scorer


def lines_of(file: str) -> list[dict[str, Any]]:
    """Return the objects of a file of JSON lines."""
    return [json.loads(line) for line in Path(file).read_text().splitlines()]


def kept(traces: Iterable[Any]) -> list[dict[str, Any]]:
    """Return what is kept of the assessments of traces."""
    return [
        {
            "value": one.feedback.value,
            "error": one.feedback.error and one.feedback.error.error_code,
            "source": one.source.source_type,
            "judgement_id": one.metadata["judgement_id"],
        }
        for trace in traces
        for one in trace.info.assessments
    ]


assessments, judge, rows, records = sys.argv[1:]
mlflow.set_tracking_uri("sqlite:///mlflow.db")
logged = mlflow.set_experiment("logged").experiment_id
lines = lines_of(assessments)
spans = [mlflow.start_span_no_context(name="chat") for _ in lines]
for span in spans:
    span.end()
mlflow.flush_trace_async_logging()  # takes a second, however many there are
for line, span in zip(lines, spans, strict=True):
    mlflow.log_assessment(span.trace_id, Assessment.from_dictionary(line | {"trace_id": ""}))
mlflow.set_experiment("scored")
found = mlflow.genai.evaluate(data=lines_of(records), scorers=[judge_scorer(judge, rows)])
print(
    json.dumps(
        {
            "logged": kept(mlflow.search_traces(locations=[logged], return_type="list")),
            "scored": kept(mlflow.search_traces(run_id=found.run_id, return_type="list")),
        }
    )
)
