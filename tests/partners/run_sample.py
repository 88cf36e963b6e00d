"""Runs a sample of the docs twice in each of some folders: ``run_sample.py TOOL SAMPLE FOLDER…``.

What the tool then has of MLflow is printed. Weights & Biases writes folders, which are synchronised
by its own command; Langfuse and LangSmith have sent all to their server by then.
"""

import contextlib
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _of_mlflow() -> list[dict[str, Any]]:
    from mlflow import MlflowClient  # noqa: PLC0415 - each tool is in a folder of its own

    client = MlflowClient()
    experiments = [each.experiment_id for each in client.search_experiments()]
    return [
        {
            "name": run.info.run_name,
            "tags": run.data.tags,
            "params": run.data.params,
            "metrics": run.data.metrics,
            "points": max(
                len(client.get_metric_history(run.info.run_id, key))
                for key in sorted(run.data.metrics)[:3]
            ),
            "artifact": Path(client.download_artifacts(run.info.run_id, "run.json")).read_text(
                encoding="utf-8"
            ),
        }
        for run in client.search_runs(experiments)
    ]


def _of_wandb() -> list[str]:
    written = sorted(str(path) for path in Path("..").glob("*/wandb/offline-run-*"))
    done = subprocess.run(
        [sys.executable, "-m", "wandb", "sync", *written],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return written


_READERS: dict[str, Callable[[], list[Any]]] = {"mlflow": _of_mlflow, "wandb": _of_wandb}
"""How it is read what a tool has; the others have sent it."""

tool, sample, *folders = sys.argv[1:]
for folder in folders:
    os.chdir(folder)
    with contextlib.redirect_stdout(sys.stderr):
        for _ in range(2):
            runpy.run_path(sample)
print(json.dumps(_READERS[tool]() if tool in _READERS else []))
