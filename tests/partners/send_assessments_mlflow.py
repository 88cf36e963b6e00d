"""Logs assessments in MLflow: ``send_assessments_mlflow.py FILE.jsonl`` prints what it kept.

MLflow makes the ids of its traces itself, so each id of the file gets a trace of its own.
"""

import json
import sys
from pathlib import Path

import mlflow
from mlflow.entities.assessment import Assessment

mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("judged")
lines = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
for line in lines:
    span = mlflow.start_span_no_context(name="chat")
    span.end()
    mlflow.flush_trace_async_logging()
    mlflow.log_assessment(span.trace_id, Assessment.from_dictionary(line | {"trace_id": ""}))
traces = mlflow.search_traces(return_type="list")
kept = [assessment for trace in traces for assessment in trace.info.assessments]
print(
    json.dumps(
        [
            {
                "name": one.name,
                "value": one.feedback.value,
                "error": one.feedback.error and one.feedback.error.error_code,
                "source": one.source.source_type,
                "rationale": one.rationale,
                "judgement_id": one.metadata["judgement_id"],
            }
            for one in kept
        ]
    )
)
