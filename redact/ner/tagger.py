"""The tagger model: word-piece vectors, then convolutions, as plain matrices.

Each word gets a probability for every tag: none, the beginning of a name of a type, or its
continuation. A text gives the same names whatever else is in the call: exactly ``_ROWS`` rows at a
time are multiplied, as lanes of one vector, so that each is summed in the same order.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from redact.ner.model_format import read_model, softmax
from redact.ner.pieces import WordPieces
from redact.ner.reader import NamedSpan, group_texts
from redact.ner.spans import names_of
from redact.ner.windows import CacheSizes, Positions, WindowCache
from redact.ner.words import Floats, LaidOutTexts, TextWord, WordRows

KIND = "tagger-1"
_TINY = np.float32(1e-5)
_SIZES = CacheSizes()
_ROWS = 16
"""Rows side by side. With more rows, or rows below each other, OpenBLAS sums some of them in
another order, depending on position."""


class _Maxout(NamedTuple):
    """The maximum of several linear forms, normalised to mean 0 and variance 1, and scaled."""

    weights: Floats
    bias: Floats
    scale: Floats
    shift: Floats

    def of(self, rows: Floats, added: Floats | None = None) -> Floats:
        sums = _product(rows, self.weights)
        sums += self.bias if added is None else added
        width = len(self.scale)
        best = sums[:, :width]
        for start in range(width, sums.shape[1], width):
            best = np.maximum(best, sums[:, start : start + width])
        best -= best.mean(axis=1, keepdims=True)
        variance = np.einsum("ij,ij->i", best, best)
        variance /= width
        variance += _TINY
        best /= np.sqrt(variance)[:, None]
        best *= self.scale
        best += self.shift
        return best


class Tagger:
    """The weights of a model, and its output for words.

    The output for a word depends on ``reach`` words on either side; ``margin`` empty rows separate
    texts.
    """

    def __init__(self, vocabulary: Sequence[str], arrays: dict[str, Floats], settings: str) -> None:
        facts = json.loads(settings)
        self.labels: tuple[str, ...] = tuple(facts["labels"])
        self._steps: tuple[int, ...] = tuple(facts["steps"])
        self.outside: float = facts.get("outside", 0.5)
        self.margin = max(self._steps)
        self.reach = sum(self._steps) + 1
        self._pieces = WordPieces(vocabulary)
        self._table, self._scale = arrays["table"], arrays["table.scale"].astype(np.float32)
        self._word = _maxout(arrays, "word")
        self._shapes = arrays["shapes"].astype(np.float32) + self._word.bias
        self._gaps = arrays["gaps"].astype(np.float32)
        self._layers = [_maxout(arrays, f"layer{number}") for number in range(len(self._steps))]
        self._tags = arrays["tags.weights"].astype(np.float32)
        self._tags_bias = arrays["tags.bias"].astype(np.float32)
        self.tags = len(self._tags_bias)
        self.width = len(self._word.scale)

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read the model of a folder.

        Raises:
            OSError: a file is missing.
            ValueError, KeyError: a file holds something else.
        """
        return cls(*read_model(folder))

    def vectors(self, words: Sequence[TextWord]) -> Floats:
        """Return a row for each word, which depends only on the word and the gap before it."""
        pieces = [self._pieces.of(word.text.lower()) for word in words]
        counts = np.array([len(some) for some in pieces])
        ends = np.cumsum(counts)
        rows = np.array([row for some in pieces for row in some])
        vectors = self._table[rows] * self._scale[rows, None]
        means = np.add.reduceat(vectors, ends - counts, axis=0) / counts[:, None]
        wide = np.concatenate([vectors[ends - counts], means, vectors[ends - 1]], axis=1)
        added = self._shapes[[word.shape for word in words]] + self._gaps[[w.gap for w in words]]
        room = _room(len(words))
        return self._word.of(_padded(wide, room), _padded(added, room))[: len(words)]

    def chances(self, laid: LaidOutTexts) -> Floats:
        """Return the probability of each tag for each word of some texts."""
        width, many = self.width, len(laid.vectors)
        state = _padded(laid.vectors, _room(many))
        gaps = np.ones(len(state), np.bool_)
        gaps[laid.rows] = False
        around = np.zeros((len(state), 3 * width), np.float32)
        for step, layer in zip(self._steps, self._layers, strict=True):
            state += layer.of(_surroundings(state, step, around))
            state[gaps] = 0
        return self._chances_of(_surroundings(state, 1, around))

    def windows(self, sizes: CacheSizes = _SIZES) -> WindowCache:
        """Return a cache of the layers and of the probabilities, which computes the same rows."""
        cache = WindowCache(sizes)
        for step, layer in zip(self._steps, self._layers, strict=True):
            cache.add_layer(step, self.width, partial(_deepened, layer))
        cache.add_result(1, self.tags, self._chances_around)
        return cache

    def _chances_around(self, state: Floats, around: Positions) -> Floats:
        return self._chances_of(_gathered(state, around))[: len(around)]

    def _chances_of(self, surroundings: Floats) -> Floats:
        scores = _product(surroundings, self._tags)
        scores += self._tags_bias
        return softmax(scores)


class TaggerReader:
    """Reads texts with a tagger, with bounded caches of ``words`` and of ``windows``."""

    def __init__(self, tagger: Tagger, sizes: CacheSizes = _SIZES) -> None:
        self._tagger = tagger
        self.words = WordRows(tagger.vectors, tagger.width, sizes.words)
        self.windows = tagger.windows(sizes)
        self._cleared = self.words.cleared

    def names(self, texts: Sequence[str]) -> list[list[NamedSpan]]:
        """Return the names in each text, in order; see :class:`redact.ner.reader.NameReader`."""
        return [found for some in group_texts(texts) for found in self._some(some)]

    def _some(self, texts: Sequence[str]) -> Iterator[list[NamedSpan]]:
        numbers = self.words.numbers(texts)
        if self.words.cleared != self._cleared:
            self.windows.clear()
            self._cleared = self.words.cleared
        windows = self.windows.rows(numbers, self.words.table)
        for text, chances in zip(texts, windows, strict=True):
            yield names_of(text, chances, self._tagger.labels, self._tagger.outside)


def _maxout(arrays: dict[str, Floats], name: str) -> _Maxout:
    parts = (arrays[f"{name}.{part}"].astype(np.float32) for part in _Maxout._fields)
    return _Maxout(*(np.ascontiguousarray(part) for part in parts))


def _product(rows: Floats, weights: Floats) -> Floats:
    """Return the product of rows, a multiple of ``_ROWS``, with a matrix."""
    out = np.empty((len(rows), weights.shape[1]), np.float32)
    columns = weights.T
    for start in range(0, len(rows), _ROWS):
        out[start : start + _ROWS] = np.matmul(columns, rows[start : start + _ROWS].T).T
    return out


def _room(many: int) -> int:
    return -(-many // _ROWS) * _ROWS


def _padded(rows: Floats, room: int) -> Floats:
    out = np.zeros((room, rows.shape[1]), np.float32)
    out[: len(rows)] = rows
    return out


def _deepened(layer: _Maxout, state: Floats, around: Positions) -> Floats:
    """Return the states of words after a layer, from those of the words around them before it."""
    change = layer.of(_gathered(state, around))[: len(around)]
    change += state[around[:, 1]]
    return change


def _gathered(state: Floats, around: Positions) -> Floats:
    """Return some rows of a table side by side, for each row of their places."""
    out = np.zeros((_room(len(around)), around.shape[1] * state.shape[1]), np.float32)
    out[: len(around)] = state[around].reshape(len(around), -1)
    return out


def _surroundings(rows: Floats, step: int, out: Floats) -> Floats:
    """Return each row with those ``step`` before and after it, side by side, in ``out``."""
    width = rows.shape[1]
    out[:step, :width] = 0
    out[step:, :width] = rows[:-step]
    out[:, width : 2 * width] = rows
    out[:-step, 2 * width :] = rows[step:]
    out[-step:, 2 * width :] = 0
    return out
