"""Trains the local judge, `python -m training.judges.task_success --features FILE --out FILE`.

``--make-features`` first makes the file of features from the conversations whose outcome is known
(`goldpan/demo/data/SOURCE.md`). The same features give the same bytes.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from goldpan.demo.traffic import Conversation, load_all_conversations, make_traces
from judges.judged_row import judged_row_of
from judges.local.features import FEATURES, features_of
from judges.local.model import LogisticModel

Floats = npt.NDArray[np.float64]
_ANY_TIME = 1_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """All that determines the model, besides the data.

    ``ridge`` is the precision of each weight's normal prior around 0. ``repeats`` are the times
    that the tasks are dealt into ``folds`` for the figures; the first deal gives the shipped folds.
    """

    seed: int = 20
    ridge: float = 10.0
    folds: int = 5
    repeats: int = 20
    pass_at_most: float = 0.35
    fail_at_least: float = 0.65


@dataclass(frozen=True, slots=True)
class TaskData:
    """The conversations as numbers: a task, features, and whether the task was left undone."""

    task: npt.NDArray[np.int64]
    features: Floats
    failed: Floats

    @classmethod
    def of(cls, rows: Iterable[dict[str, Any]]) -> "TaskData":
        """Return the rows of a file of features."""
        held = list(rows)
        return cls(
            np.array([row["task"] for row in held], np.int64),
            np.array([row["features"] for row in held], float),
            np.array([row["failed"] for row in held], float),
        )


def feature_rows(conversations: Iterable[Conversation]) -> list[dict[str, Any]]:
    """Return the features of conversations: of the last trace of each, as goldpan stores it."""
    rows = []
    for conversation in conversations:
        last = make_traces(conversation, started_at=_ANY_TIME)[-1]
        features = [round(value, 9) for value in features_of(judged_row_of(last))]
        failed = int(not conversation.is_done)
        rows.append({"task": conversation.task_id, "failed": failed, "features": features})
    return rows


def fit(features: Floats, failed: Floats, ridge: float) -> LogisticModel:
    """Return the mode of the posterior: Newton's steps on the penalised likelihood."""
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    rows = np.column_stack([np.ones(len(features)), (features - mean) / scale])
    at = np.zeros(rows.shape[1])
    precision = np.concatenate([[0.0], np.full(features.shape[1], ridge)])
    for _ in range(60):
        p = 1 / (1 + np.exp(-rows @ at))
        slope = rows.T @ (failed - p) - precision * at
        curvature = (rows * (p * (1 - p))[:, None]).T @ rows + np.diag(precision)
        at = at + np.linalg.solve(curvature, slope)
    return LogisticModel(float(at[0]), at[1:].tolist(), mean.tolist(), scale.tolist())


def deal_tasks(data: TaskData, recipe: TrainingRecipe, repeat: int) -> list[list[int]]:
    """Return the tasks dealt into folds: all conversations of a task are in one."""
    tasks = np.random.default_rng([recipe.seed, repeat]).permutation(np.unique(data.task))
    return [sorted(tasks[fold :: recipe.folds].tolist()) for fold in range(recipe.folds)]


def out_of_fold(data: TaskData, folds: Sequence[Sequence[int]], ridge: float) -> Floats:
    """Return for each conversation the probability of the model that never saw its task."""
    p = np.zeros(len(data.task))
    for tasks in folds:
        held = np.isin(data.task, tasks)
        model = fit(data.features[~held], data.failed[~held], ridge)
        p[held] = [model.p_fail(row) for row in data.features[held].tolist()]
    return p


def figures(data: TaskData, recipe: TrainingRecipe) -> dict[str, float]:
    """Return the mean figures of all deals, out of fold by task."""
    each = [
        _figures(out_of_fold(data, deal_tasks(data, recipe, n), recipe.ridge), data.failed, recipe)
        for n in range(recipe.repeats)
    ]
    return {name: round(float(np.mean([one[name] for one in each])), 3) for name in each[0]}


def train(data: TaskData, recipe: TrainingRecipe) -> dict[str, Any]:
    """Return the document of the model: weights, folds, recipe and figures."""
    folds = deal_tasks(data, recipe, 0)
    return {
        "name": "task_success",
        "features": list(FEATURES),
        "model": fit(data.features, data.failed, recipe.ridge).to_json(),
        "folds": [
            {"tasks": tasks, "model": _fit_without(data, tasks, recipe).to_json()}
            for tasks in folds
        ],
        "recipe": asdict(recipe),
        "conversations": len(data.task),
        "tasks": len(np.unique(data.task)),
        "figures": figures(data, recipe),
    }


def area_under_curve(p: Floats, failed: Floats) -> float:
    """Return the share of pairs of a fail and a pass that ``p`` puts in order (Hanley 1982)."""
    bad, good = p[failed == 1][:, None], p[failed == 0][None, :]
    return float(((bad > good) + 0.5 * (bad == good)).mean())


def _fit_without(data: TaskData, tasks: Sequence[int], recipe: TrainingRecipe) -> LogisticModel:
    kept = ~np.isin(data.task, tasks)
    return fit(data.features[kept], data.failed[kept], recipe.ridge)


def _figures(p: Floats, failed: Floats, recipe: TrainingRecipe) -> dict[str, float]:
    passed, called = p <= recipe.pass_at_most, p >= recipe.fail_at_least
    return {
        "area under the curve": area_under_curve(p, failed),
        "accuracy at 0.5": float(np.mean((p >= 0.5) == failed)),
        "accuracy of the larger class": float(max(failed.mean(), 1 - failed.mean())),
        "Brier score": float(np.mean((p - failed) ** 2)),
        "share of pass": float(passed.mean()),
        "of these good": float(1 - failed[passed].mean()),
        "share of fail": float(called.mean()),
        "of these bad": float(failed[called].mean()),
        "share of unknown": float(1 - passed.mean() - called.mean()),
    }


def read_features(file: Path) -> TaskData:
    """Return the conversations of a file of features."""
    return TaskData.of(map(json.loads, file.read_text(encoding="utf-8").splitlines()))


def write_lines(file: Path, rows: Iterable[dict[str, Any]], dump: Callable[..., str]) -> None:
    """Write one JSON document a line."""
    file.write_text("".join(f"{dump(row)}\n" for row in rows), encoding="utf-8")


@click.command()
@click.option("--make-features", is_flag=True, help="Make FEATURES from the conversations.")
@click.option("--features", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
def main(*, make_features: bool, features: Path, out: Path) -> None:
    """Make the features if asked to, train, and print the figures."""
    if make_features:
        write_lines(features, feature_rows(load_all_conversations()), json.dumps)
    document = train(read_features(features), TrainingRecipe())
    out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for name, value in document["figures"].items():
        click.echo(f"{name}: {value:.3f}")


if __name__ == "__main__":
    main()
