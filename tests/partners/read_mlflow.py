"""Merges records into an evaluation dataset: ``read_mlflow.py FILE.jsonl`` prints what it keeps."""

import json
import sys
from pathlib import Path

import mlflow
from mlflow.genai.datasets import create_dataset, get_dataset

mlflow.set_tracking_uri("sqlite:///mlflow.db")
records = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
made = create_dataset(name="support")
for _ in range(2):  # importing twice changes nothing
    made.merge_records(records)
kept = get_dataset(dataset_id=made.dataset_id).to_df()
print(
    json.dumps(
        [
            {"inputs": i, "expectations": e}
            for i, e in zip(kept["inputs"], kept["expectations"], strict=True)
        ]
    )
)
