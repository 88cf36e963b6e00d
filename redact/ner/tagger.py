"""The tagger model: word-piece vectors, then convolutions, as plain matrices of whole numbers.

Each word gets a probability for every tag: none, the beginning of a name of a type, or its
continuation. All sums are exact (:mod:`redact.ner.exact`), so a text has the same names whatever
else is in the call.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from redact.ner.exact import (
    CHANCE_STEPS,
    ExactMaxout,
    ExactProduct,
    Floats,
    Wholes,
    chances_of,
    cut,
    in_blocks,
    whole_states,
)
from redact.ner.model_format import read_model
from redact.ner.pieces import WordPieces
from redact.ner.windows import CacheSizes, Positions, WindowCache
from redact.ner.words import TextWord

KIND = "tagger-2"
SIZES = CacheSizes()


class Tagger:
    """The weights of a model, and its output for words."""

    def __init__(self, vocabulary: Sequence[str], arrays: dict[str, Floats], settings: str) -> None:
        facts = json.loads(settings)
        self.labels: tuple[str, ...] = tuple(facts["labels"])
        self._steps: tuple[int, ...] = tuple(facts["steps"])
        self.outside = round(facts.get("outside", 0.5) * CHANCE_STEPS)
        self._pieces = WordPieces(vocabulary)
        self._table, self._scale = arrays["table"], arrays["table.scale"].astype(np.float32)
        shapes = arrays["shapes"].astype(np.float32) + arrays["word.bias"].astype(np.float32)
        self._word = _maxout(arrays, "word", shapes, arrays["gaps"])
        self._layers = [
            _maxout(arrays, name, arrays[f"{name}.bias"][None])
            for name in (f"layer{number}" for number in range(len(self._steps)))
        ]
        self._tags = ExactProduct(arrays["tags.weights"], arrays["tags.bias"][None])
        self.tags = len(arrays["tags.bias"])
        self.width = self._word.width

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read the model of a folder.

        Raises:
            OSError: a file is missing.
            ValueError, KeyError: a file holds something else.
        """
        return cls(*read_model(folder))

    def vectors(self, words: Sequence[TextWord]) -> Wholes:
        """Return a row for each word, which depends only on the word and the gap before it."""
        pieces = [self._pieces.of(word.text.lower()) for word in words]
        counts = np.array([len(some) for some in pieces])
        ends = np.cumsum(counts)
        rows = np.array([row for some in pieces for row in some])
        vectors = whole_states(self._table[rows] * self._scale[rows, None])
        sums = np.add.reduceat(vectors, ends - counts, axis=0, dtype=np.int64)
        means = np.rint(sums / counts[:, None])
        wide = np.concatenate(
            [vectors[ends - counts], means.astype(np.int16), vectors[ends - 1]], axis=1
        )
        shapes, gaps = self._word.added
        added = shapes[[word.shape for word in words]] + gaps[[word.gap for word in words]]
        out = np.empty((len(words), self.width), np.int16)
        for block in in_blocks(len(words)):
            out[block] = cut(self._word.of(wide[block], added[block]))
        return out

    def windows(self, sizes: CacheSizes = SIZES) -> WindowCache:
        """Return a cache of the layers and of the probabilities, which it computes."""
        cache = WindowCache(sizes)
        for step, layer in zip(self._steps, self._layers, strict=True):
            cache.add_layer(step, self.width, partial(_deepened, layer))
        cache.add_result(1, self.tags, self._chances_around)
        return cache

    def products(self) -> Iterator[ExactProduct]:
        """Yield all products of the model."""
        yield self._word.product
        yield from (layer.product for layer in self._layers)
        yield self._tags

    def _chances_around(self, states: Wholes, around: Positions) -> Wholes:
        out = np.empty((len(around), self.tags), np.int16)
        for block in in_blocks(len(around)):
            scores = self._tags.of(_side_by_side(states, around[block]))
            scores += self._tags.added[0]
            out[block] = chances_of(scores, self._tags.unit)
        return out


def _maxout(arrays: dict[str, Floats], name: str, *added: Floats) -> ExactMaxout:
    scale, shift = (arrays[f"{name}.{part}"].astype(np.float32) for part in ("scale", "shift"))
    return ExactMaxout(ExactProduct(arrays[f"{name}.weights"], *added), scale, shift)


def _deepened(layer: ExactMaxout, states: Wholes, around: Positions) -> Wholes:
    """Return the states of words after a layer, from those of the words around them before it."""
    out = np.empty((len(around), layer.width), np.int16)
    for block in in_blocks(len(around)):
        some = around[block]
        change = layer.of(_side_by_side(states, some), layer.added[0])
        change += states[some[:, 1]]
        out[block] = cut(change)
    return out


def _side_by_side(states: Wholes, around: Positions) -> Wholes:
    """Return some rows of a table side by side, for each row of their places."""
    return states[around].reshape(len(around), -1)
