"""Writes a trained tagger as the files to ship: 8-bit and 16-bit numbers, and words."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from redact.ner.tagger import KIND, NUMBERS, SETTINGS, VOCABULARY
from training.ner.layers import Floats, Weights
from training.ner.tagger import Sizes

OUTSIDE = 0.65
"""A word is in a name if its probability to be in none is below this; tuned on even templates."""


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
    if out.exists() and any(out.iterdir()) and not (out / SETTINGS).exists():
        raise ValueError(f"{out} is not empty and holds no model: name another folder")
    out.mkdir(parents=True, exist_ok=True)
    used = [row for row, piece in enumerate(vocabulary) if not piece.startswith("[unused")]
    table = (known @ weights["table"])[used]
    scale = np.abs(table).max(axis=1, keepdims=True) / 127
    arrays: dict[str, npt.NDArray[np.generic]] = {
        name: array.astype(np.float16) for name, array in weights.items() if name != "table"
    }
    arrays["table"] = np.rint(table / scale).astype(np.int8)
    arrays["table.scale"] = scale[:, 0].astype(np.float16)
    np.savez(out / NUMBERS, **arrays)  # type: ignore[arg-type]  # of numpy's own stub
    words = "\n".join(vocabulary[row] for row in used)
    (out / VOCABULARY).write_text(words + "\n", encoding="utf-8")
    settings = {
        "kind": KIND,
        "labels": list(labels),
        "steps": list(sizes.steps),
        "outside": OUTSIDE,
    }
    (out / SETTINGS).write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
