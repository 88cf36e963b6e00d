"""Trains two layers of MiniLM to tag words, in jax: the larger model for names.

The word pieces' own vectors are not changed. What is learnt: the two layers, a vector for the shape
and one for the gap of each word (which the uncased pieces drop), and a linear form for each tag.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from random import Random
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from redact.ner.words import GAPS, NO_GAP, SHAPES
from training.ner.layers import Floats, Weights
from training.ner.tagger import Lexicon, Rows

HEADS = 12
LONGEST = 254
"""Pieces of a training text beside its two markers; what is longer is cut."""

_STEP = 32
_TINY = 1e-12
_FROZEN = ("table", "positions")
_FAST = 5.0
"""The head and the new vectors begin at nothing, and learn at so many times the layers' rate."""

_MASKED = -1e9


class Padded(NamedTuple):
    """Some texts side by side: their pieces, shapes, gaps, tags, and what is there at all.

    ``tags`` is -1 for pieces that begin no word, and for words whose tag is unknown.
    """

    pieces: npt.NDArray[np.int32]
    shapes: npt.NDArray[np.int32]
    gaps: npt.NDArray[np.int32]
    tags: npt.NDArray[np.int32]
    there: npt.NDArray[np.bool_]


def initial(tensors: dict[str, Floats], layers: int, tags: int, seed: int) -> Weights:
    """Return the weights to begin with: those of MiniLM's first layers, and small new ones."""
    random = np.random.default_rng(seed)
    width = tensors["embeddings.word_embeddings.weight"].shape[1]
    weights = {
        "table": tensors["embeddings.word_embeddings.weight"],
        "positions": tensors["embeddings.position_embeddings.weight"]
        + tensors["embeddings.token_type_embeddings.weight"][0],
        "start.scale": tensors["embeddings.LayerNorm.weight"],
        "start.shift": tensors["embeddings.LayerNorm.bias"],
        "shapes": random.normal(0, 0.01, (SHAPES, width)).astype(np.float32),
        "gaps": random.normal(0, 0.01, (GAPS, width)).astype(np.float32),
        "tags.weights": random.normal(0, 0.02, (width, tags)).astype(np.float32),
        "tags.bias": np.zeros(tags, np.float32),
    }
    for number in range(layers):
        name, out = f"encoder.layer.{number}.", f"layer{number}."
        for part in ("query", "key", "value"):
            weights[f"{out}{part}.weights"] = tensors[f"{name}attention.self.{part}.weight"].T
            weights[f"{out}{part}.bias"] = tensors[f"{name}attention.self.{part}.bias"]
        for part, source in (("mixed", "attention.output.dense"), ("inner", "intermediate.dense"),
                             ("outer", "output.dense")):  # fmt: skip
            weights[f"{out}{part}.weights"] = tensors[f"{name}{source}.weight"].T
            weights[f"{out}{part}.bias"] = tensors[f"{name}{source}.bias"]
        for part, source in (("middle", "attention.output"), ("end", "output")):
            weights[f"{out}{part}.scale"] = tensors[f"{name}{source}.LayerNorm.weight"]
            weights[f"{out}{part}.shift"] = tensors[f"{name}{source}.LayerNorm.bias"]
    return {name: np.ascontiguousarray(array, np.float32) for name, array in weights.items()}


def padded(texts: Sequence[Rows], lexicon: Lexicon, first: int, last: int) -> Padded:
    """Return texts as pieces between two markers, as long as the longest, in steps of 32."""
    lines = [_pieces(text, lexicon, first, last) for text in texts]
    length = -(-max(len(line) for line in lines) // _STEP) * _STEP
    out = np.zeros((4, len(lines), length), np.int32)
    out[3] = -1
    there = np.zeros((len(lines), length), np.bool_)
    for row, line in enumerate(lines):
        out[:, row, : len(line)] = np.array(line, np.int32).T
        there[row, : len(line)] = True
    return Padded(out[0], out[1], out[2], out[3], there)


def _pieces(text: Rows, lexicon: Lexicon, first: int, last: int) -> list[tuple[int, int, int, int]]:
    line = [(first, 0, NO_GAP, -1)]
    for word, shape, gap, tag in zip(*text, strict=True):
        pieces = lexicon.pieces[word]
        if len(line) + len(pieces) > LONGEST + 1:
            break
        line.append((pieces[0], shape, gap, tag))
        line += [(piece, shape, NO_GAP, -1) for piece in pieces[1:]]
    return [*line, (last, 0, NO_GAP, -1)]


def batches(
    texts: Sequence[Rows], lexicon: Lexicon, size: int, random: Random
) -> Iterator[list[Rows]]:
    """Yield texts of like length together, about ``size`` pieces each, in random order."""

    def length(text: Rows) -> int:
        many = sum(len(lexicon.pieces[word]) for word in text.words)
        return -(-min(LONGEST, many) + 2) // _STEP

    by_length: dict[int, list[Rows]] = {}
    for text in texts:
        by_length.setdefault(length(text), []).append(text)
    out: list[list[Rows]] = []
    for steps, some in by_length.items():
        many = max(1, size // (steps * _STEP))
        out += [some[at : at + many] for at in range(0, len(some) - many + 1, many)]
    random.shuffle(out)
    yield from out


class Network(NamedTuple):
    """How many layers there are, and the share of numbers that training drops."""

    layers: int
    drop: float


def scores(weights: Any, some: Padded, network: Network, key: Any) -> Any:
    """Return a score for each tag of each piece."""

    def dropped(rows: Any) -> Any:
        nonlocal key
        if not network.drop:
            return rows
        key, now = jax.random.split(key)
        return rows * jax.random.bernoulli(now, 1 - network.drop, rows.shape) / (1 - network.drop)

    state = weights["table"][some.pieces] + weights["positions"][: some.pieces.shape[1]]
    state += weights["shapes"][some.shapes] + weights["gaps"][some.gaps]
    state = dropped(_normal(state, weights, "start"))
    hidden = jnp.where(some.there, 0.0, _MASKED)[:, None, None, :]
    for number in range(network.layers):
        state = _layer(state, weights, f"layer{number}.", hidden, dropped)
    return state @ weights["tags.weights"] + weights["tags.bias"]


def _layer(state: Any, weights: Any, name: str, hidden: Any, dropped: Callable[[Any], Any]) -> Any:
    many, long, width = state.shape

    def linear(rows: Any, part: str) -> Any:
        return rows @ weights[f"{name}{part}.weights"] + weights[f"{name}{part}.bias"]

    def heads(part: str) -> Any:
        return linear(state, part).reshape(many, long, HEADS, -1).transpose(0, 2, 1, 3)

    near = heads("query") @ heads("key").transpose(0, 1, 3, 2) / np.sqrt(width // HEADS)
    mixed = dropped(jax.nn.softmax(near + hidden, axis=-1)) @ heads("value")
    mixed = mixed.transpose(0, 2, 1, 3).reshape(many, long, width)
    state = _normal(state + dropped(linear(mixed, "mixed")), weights, f"{name}middle")
    inner = linear(jax.nn.gelu(linear(state, "inner")), "outer")
    return _normal(state + dropped(inner), weights, f"{name}end")


def _normal(rows: Any, weights: Any, name: str) -> Any:
    rows = rows - rows.mean(axis=-1, keepdims=True)
    rows = rows / jnp.sqrt((rows**2).mean(axis=-1, keepdims=True) + _TINY)
    return rows * weights[f"{name}.scale"] + weights[f"{name}.shift"]


class Trainer:
    """Moves weights by Adam with decoupled decay, and keeps their slow average."""

    def __init__(self, weights: Weights, network: Network, seed: int) -> None:
        self._frozen = {name: jnp.asarray(weights[name]) for name in _FROZEN}
        moving = {n: jnp.asarray(a) for n, a in weights.items() if n not in _FROZEN}
        zeros = {name: jnp.zeros_like(array) for name, array in moving.items()}
        self._state = (moving, zeros, zeros, moving)
        self._key = jax.random.key(seed)
        self._steps = 0
        self._learn = jax.jit(partial(_learn, network=network))

    def learn(self, some: Padded, rate: float) -> float:
        """Take one step, and return the loss before it."""
        self._steps += 1
        self._key, key = jax.random.split(self._key)
        now = _Now(rate, self._steps, key)
        self._state, loss = self._learn(self._state, self._frozen, some, now)
        return float(loss)

    @property
    def average(self) -> Weights:
        """The averaged weights, the frozen ones included."""
        return {n: np.asarray(a) for n, a in (self._frozen | self._state[3]).items()}


class _Now(NamedTuple):
    """What differs from step to step beside the texts."""

    rate: Any
    steps: Any
    key: Any


def _learn(state: Any, frozen: Any, some: Padded, now: _Now, *, network: Network) -> Any:
    moving, first, second, average = state

    def loss(moving: Any) -> Any:
        chances = jax.nn.log_softmax(scores(moving | frozen, some, network, now.key))
        known = some.tags >= 0
        right = jnp.take_along_axis(chances, jnp.maximum(some.tags, 0)[..., None], -1)[..., 0]
        return -(right * known).sum() / jnp.maximum(known.sum(), 1)

    value, slopes = jax.value_and_grad(loss)(moving)
    length = jnp.sqrt(sum(jnp.vdot(slope, slope) for slope in slopes.values()))
    factor = jnp.minimum(1.0, 1.0 / (length + 1e-6))
    keep = jnp.minimum(0.998, now.steps / (now.steps + 10.0))
    out: tuple[dict[str, Any], ...] = ({}, {}, {}, {})
    for name, slope in slopes.items():
        one = 0.9 * first[name] + 0.1 * slope * factor
        two = 0.999 * second[name] + 0.001 * (slope * factor) ** 2
        change = one / (1 - 0.9**now.steps) / (jnp.sqrt(two / (1 - 0.999**now.steps)) + 1e-8)
        if slope.ndim == 2:
            change += 0.01 * moving[name]
        weight = moving[name] - now.rate * _speed(name) * change
        slow = average[name] + (1 - keep) * (weight - average[name])
        for part, array in zip(out, (weight, one, two, slow), strict=True):
            part[name] = array
    return out, value


def _speed(name: str) -> float:
    return _FAST if name.partition(".")[0] in ("tags", "shapes", "gaps") else 1.0
