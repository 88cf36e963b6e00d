"""The encoder model: tags words with two transformer layers, as plain matrices.

It cuts a text into the same words as the tagger (:mod:`redact.ner.tagger`), and takes several times
its CPU. A text is read in windows of its own, one at a time, so that its tags do not depend on the
other texts of a call.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from redact.ner.exact import Floats
from redact.ner.model_format import read_model, softmax
from redact.ner.pieces import WordPieces
from redact.ner.words import NO_GAP, split_stretches, split_words

Rows = npt.NDArray[np.intp]

KIND = "encoder-1"

HEADS = 12
WINDOW = 126
"""Word pieces that are read at once, besides the two markers."""

CONTEXT = 24
"""Pieces at each edge of a window that only give context to those inside."""

_TINY = np.float32(1e-12)
_ROOT = np.float32(0.7978845608)
_CUBIC = np.float32(0.044715)


class _Line(NamedTuple):
    """The pieces of a text with shape and gap of each, and where each word's first piece is."""

    pieces: list[int]
    shapes: list[int]
    gaps: list[int]
    firsts: list[int]


class Window(NamedTuple):
    """Pieces ``start`` up to ``end``; tags are taken from words that begin in the inner part."""

    start: int
    end: int
    inner_start: int
    inner_end: int


class _Layer:
    """One layer of BERT: attention, then two linear maps, each added and normalised."""

    def __init__(self, arrays: dict[str, Floats], name: str) -> None:
        def of(part: str) -> Floats:
            return np.ascontiguousarray(arrays[f"{name}.{part}"], np.float32)

        width = arrays[f"{name}.mixed.bias"].shape[0]
        factor = np.float32(1 / np.sqrt(width // HEADS))
        self._joint = np.concatenate(
            [of("query.weights") * factor, of("key.weights"), of("value.weights")], axis=1
        )
        self._joint_bias = np.concatenate(
            [of("query.bias") * factor, of("key.bias"), of("value.bias")]
        )
        self._mixed = of("mixed.weights"), of("mixed.bias")
        self._inner = of("inner.weights"), of("inner.bias")
        self._outer = of("outer.weights"), of("outer.bias")
        self._middle = of("middle.scale"), of("middle.shift")
        self._end = of("end.scale"), of("end.shift")

    def of(self, state: Floats, rows: Rows | slice) -> Floats:
        """Return the next state of some rows, with attention to all rows."""
        long, width = state.shape
        joint = state @ self._joint
        joint += self._joint_bias
        query, key, value = joint.reshape(long, 3, HEADS, width // HEADS).transpose(1, 2, 0, 3)
        near = query[:, rows] @ key.transpose(0, 2, 1)
        near -= near.max(axis=-1, keepdims=True)
        np.exp(near, out=near)
        near /= near.sum(axis=-1, keepdims=True)
        mixed = (near @ value).transpose(1, 0, 2).reshape(-1, width)
        added: Floats = mixed @ self._mixed[0] + self._mixed[1]
        middle = _normal(state[rows] + added, *self._middle)
        inner: Floats = middle @ self._inner[0]
        inner += self._inner[1]
        _gelu(inner)
        change: Floats = inner @ self._outer[0] + self._outer[1]
        return _normal(middle + change, *self._end)


class Encoder:
    """The weights of a model, and its probability of each tag for each word of a text."""

    def __init__(self, vocabulary: Sequence[str], arrays: dict[str, Floats], settings: str) -> None:
        facts = json.loads(settings)
        self.labels: tuple[str, ...] = tuple(facts["labels"])
        self.outside: float = facts["outside"]
        self._pieces = WordPieces(vocabulary)
        self._first, self._last = vocabulary.index("[CLS]"), vocabulary.index("[SEP]")
        self._table, self._scale = arrays["table"], arrays["table.scale"].astype(np.float32)
        self._positions = arrays["positions"].astype(np.float32)
        self._shapes = arrays["shapes"].astype(np.float32)
        self._gaps = arrays["gaps"].astype(np.float32)
        self._scale_shift = (
            arrays["start.scale"].astype(np.float32),
            arrays["start.shift"].astype(np.float32),
        )
        self._layers = [_Layer(arrays, f"layer{number}") for number in range(facts["layers"])]
        self._tags = np.ascontiguousarray(arrays["tags.weights"], np.float32)
        self._tags_bias = arrays["tags.bias"].astype(np.float32)

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read the model of a folder.

        Raises:
            OSError: a file is missing.
            ValueError, KeyError: a file holds something else.
        """
        return cls(*read_model(folder))

    def chances(self, text: str) -> Floats:
        """Return a row for each word of a text, with the probability of each tag."""
        line = self._line(text)
        firsts = np.array(line.firsts, np.intp)
        out = np.empty((len(firsts), len(self._tags_bias)), np.float32)
        for window in windows(len(line.pieces)):
            inner = (firsts >= window.inner_start) & (firsts < window.inner_end)
            if inner.any():
                out[inner] = self._window(line, window, firsts[inner] - window.start + 1)
        return out

    def _line(self, text: str) -> _Line:
        line = _Line([], [], [], [])
        for gap, stretch in split_stretches(text):
            for word in split_words(gap, stretch):
                pieces = self._pieces.of(word.text.lower())
                line.firsts.append(len(line.pieces))
                line.pieces.extend(pieces)
                line.shapes.extend([word.shape] * len(pieces))
                line.gaps.extend([word.gap, *[NO_GAP] * (len(pieces) - 1)])
        return line

    def _window(self, line: _Line, window: Window, rows: Rows) -> Floats:
        inside = slice(window.start, window.end)
        pieces = [self._first, *line.pieces[inside], self._last]
        state = self._table[pieces] * self._scale[pieces, None]
        state += self._positions[: len(pieces)]
        state += self._shapes[[0, *line.shapes[inside], 0]]
        state += self._gaps[[NO_GAP, *line.gaps[inside], NO_GAP]]
        state = _normal(state, *self._scale_shift)
        for layer in self._layers[:-1]:
            state = layer.of(state, slice(None))
        scores = self._layers[-1].of(state, rows) @ self._tags
        scores += self._tags_bias
        return softmax(scores)


def windows(pieces: int) -> Iterator[Window]:
    """Yield windows over the pieces of a text; their inner parts touch."""
    start = 0
    while True:
        end = min(start + WINDOW, pieces)
        inner_start = start + CONTEXT if start else 0
        inner_end = end - CONTEXT if end < pieces else pieces
        yield Window(start, end, inner_start, inner_end)
        if end == pieces:
            return
        start = inner_end - CONTEXT


def _normal(rows: Floats, scale: Floats, shift: Floats) -> Floats:
    rows -= rows.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", rows, rows)
    variance /= rows.shape[1]
    variance += _TINY
    rows /= np.sqrt(variance)[:, None]
    rows *= scale
    rows += shift
    return rows


def _gelu(rows: Floats) -> None:
    """Apply GELU (D. Hendrycks and K. Gimpel, 2016) to rows, in place."""
    cubes = rows * rows
    cubes *= rows
    cubes *= _CUBIC
    cubes += rows
    cubes *= _ROOT
    np.tanh(cubes, out=cubes)
    cubes += 1
    cubes *= np.float32(0.5)
    rows *= cubes
