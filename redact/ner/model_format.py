"""The files that make up a shipped name model, and how they are read."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from redact.ner.exact import Floats

SHIPPED: Final = "shipped"
"""The name of the small model shipped with goldpan; the default."""

SHIPPED_LARGE: Final = "shipped-large"
"""The name of the larger model, which finds more names for several times the CPU."""

NUMBERS, VOCABULARY, SETTINGS = "numbers.npz", "vocabulary.txt", "tagger.json"

FILES = (SETTINGS, NUMBERS, VOCABULARY)
"""All files that affect the findings of a model."""


class ModelParts(NamedTuple):
    """What the files of a model hold: word pieces, arrays by name, and settings as JSON text."""

    vocabulary: list[str]
    arrays: dict[str, Floats]
    settings: str


def read_model(folder: Path) -> ModelParts:
    """Read the files of a folder.

    Raises:
        OSError: a file is missing.
        ValueError: a file holds something else.
    """
    settings = (folder / SETTINGS).read_text(encoding="utf-8")
    with np.load(folder / NUMBERS) as arrays:
        vocabulary = (folder / VOCABULARY).read_text(encoding="utf-8").splitlines()
        return ModelParts(vocabulary, dict(arrays), settings)


def softmax(scores: Floats) -> Floats:
    """Turn the scores of each row into probabilities, in place."""
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def model_digest(folder: Path, files: Iterable[str]) -> str:
    """Return a short hash over a model's files, so that two trainings have two identities."""
    hash_ = hashlib.sha256()
    for file in files:
        path = folder / file
        if path.is_file():
            hash_.update(file.encode())
            hash_.update(path.read_bytes())
    return hash_.hexdigest()[:12]
