"""Writes a trained tagger as the files to ship: 8-bit and 16-bit numbers, and words."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from redact.ner.encoder import KIND as ENCODER
from redact.ner.model_format import NUMBERS, SETTINGS, VOCABULARY
from redact.ner.tagger import KIND as TAGGER
from training.ner.layers import Floats, Weights
from training.ner.tagger import Sizes

OUTSIDE = 0.65
"""A word is in a name if its probability to be in none is below this; tuned on even templates."""


ENCODER_OUTSIDE = 0.5
"""The same for the encoder."""

POSITIONS = 128
"""Places of a window of the encoder, its two markers included."""


def save(  # noqa: PLR0913, PLR0917
    out: Path,
    vocabulary: Sequence[str],
    known: Floats,
    weights: Weights,
    labels: Sequence[str],
    sizes: Sizes,
) -> None:
    """Write the model to a folder: the folded table in 8 bits, all other numbers in 16.

    Raises:
        ValueError: the folder holds something that is no model.
    """
    settings = {"labels": list(labels), "steps": list(sizes.steps), "outside": OUTSIDE}
    _save(out, vocabulary, weights | {"table": known @ weights["table"]}, TAGGER, settings)


def save_encoder(
    out: Path, vocabulary: Sequence[str], weights: Weights, labels: Sequence[str], layers: int
) -> None:
    """Write the larger model to a folder: the table in 8 bits, all other numbers in 16.

    Raises:
        ValueError: the folder holds something that is no model.
    """
    settings = {"labels": list(labels), "layers": layers, "outside": ENCODER_OUTSIDE}
    placed = weights | {"positions": weights["positions"][:POSITIONS]}
    _save(out, vocabulary, placed, ENCODER, settings)


def _save(
    out: Path,
    vocabulary: Sequence[str],
    weights: Weights,
    kind: str,
    settings: dict[str, object],
) -> None:
    """Write weights, whose table has a row for each piece of the vocabulary, and settings."""
    if out.exists() and any(out.iterdir()) and not (out / SETTINGS).exists():
        raise ValueError(f"{out} is not empty and holds no model: name another folder")
    out.mkdir(parents=True, exist_ok=True)
    used = [row for row, piece in enumerate(vocabulary) if not piece.startswith("[unused")]
    table = weights["table"][used]
    scale = np.abs(table).max(axis=1, keepdims=True) / 127
    arrays: dict[str, npt.NDArray[np.generic]] = {
        name: array.astype(np.float16) for name, array in weights.items() if name != "table"
    }
    arrays["table"] = np.rint(table / scale).astype(np.int8)
    arrays["table.scale"] = scale[:, 0].astype(np.float16)
    np.savez(out / NUMBERS, **arrays)  # type: ignore[arg-type]  # of numpy's own stub
    words = "\n".join(vocabulary[row] for row in used)
    (out / VOCABULARY).write_text(words + "\n", encoding="utf-8")
    text = json.dumps({"kind": kind, **settings}, indent=1)
    (out / SETTINGS).write_text(text + "\n", encoding="utf-8")
