"""The shipped model of task success: a logistic regression on the features of a trace.

Its weights, its recipe and its figures are in ``task_success.json``, and what it is good for in
``MODEL_CARD.md`` beside it. ``python -m training.judges.task_success`` makes it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, Self

from judges.judged_row import JudgedRow
from judges.local.features import FEATURES, features_of
from labels.odds import expit

FILE: Final = "task_success.json"
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class LogisticModel:
    """A logistic regression on standardised features: p = expit(bias + Σ w (x - mean) / scale)."""

    bias: float
    weights: Sequence[float]
    mean: Sequence[float]
    scale: Sequence[float]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Return the model of a document that `to_json` made."""
        return cls(*(document[name] for name in ("bias", "weights", "mean", "scale")))

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, rounded so that every processor writes the same ones."""
        return {
            "bias": round(self.bias, _DIGITS),
            **{
                name: [round(value, _DIGITS) for value in values]
                for name, values in (
                    ("weights", self.weights),
                    ("mean", self.mean),
                    ("scale", self.scale),
                )
            },
        }

    def p_fail(self, features: Sequence[float]) -> float:
        """Return the probability that the task was not done, to six digits."""
        log_odds = self.bias + sum(
            weight * (value - mean) / scale
            for weight, value, mean, scale in zip(
                self.weights, features, self.mean, self.scale, strict=True
            )
        )
        return round(expit(log_odds), _DIGITS)


@dataclass(frozen=True, slots=True)
class TaskSuccessModel:
    """The shipped model; ``folds`` holds, by task of its data, the model that never saw the task.

    ``digest`` identifies the weights, and ``folds_digest`` those of the folds as well: another
    model is another judge.
    """

    model: LogisticModel
    folds: Mapping[str, LogisticModel]
    digest: str
    folds_digest: str

    def p_fail(self, row: JudgedRow, task: str | None = None) -> float:
        """Return the probability that the task of a conversation was not done.

        ``row`` is the last trace of the conversation, which holds all of it. ``task`` is its task
        if it is of the model's own training data: the weights that never saw the task answer.
        """
        model = self.model if task is None else self.folds.get(task, self.model)
        return model.p_fail(features_of(row))


@cache
def task_success_model() -> TaskSuccessModel:
    """Return the shipped model. Raises ValueError if its features are not those of the code."""
    document = json.loads((resources.files("judges.local") / FILE).read_bytes())
    if document["features"] != list(FEATURES):
        raise ValueError("the model of task success was trained on other features")
    folds = {
        str(task): LogisticModel.from_json(fold["model"])
        for fold in document["folds"]
        for task in fold["tasks"]
    }
    whole = [document["features"], document["model"]]
    return TaskSuccessModel(
        LogisticModel.from_json(document["model"]),
        folds,
        digest=_digest(whole),
        folds_digest=_digest([*whole, document["folds"]]),
    )


def _digest(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, separators=(",", ":")).encode()).hexdigest()
