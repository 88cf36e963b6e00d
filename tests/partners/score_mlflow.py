"""Evaluates records with a goldpan judge as scorer: ``score_mlflow.py JUDGE ROWS RECORDS``."""

import json
import sys
from pathlib import Path

import mlflow

from goldpan.mlflow_scorer import judge_scorer

mlflow.set_tracking_uri("sqlite:///mlflow.db")
judge, rows, records = sys.argv[1:]
data = [json.loads(line) for line in Path(records).read_text().splitlines()]
found = mlflow.genai.evaluate(data=data, scorers=[judge_scorer(judge, rows)])
traces = mlflow.search_traces(run_id=found.run_id, return_type="list")
print(
    json.dumps(
        [
            {
                "value": one.feedback.value,
                "error": one.feedback.error and one.feedback.error.error_code,
                "judgement_id": one.metadata["judgement_id"],
            }
            for trace in traces
            for one in trace.info.assessments
        ]
    )
)
