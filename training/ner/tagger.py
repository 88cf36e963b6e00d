"""Trains the tagger: word pieces with fixed vectors, shapes and gaps, then convolutions.

The vectors come from a language model and stay fixed, so a name in no template is still close to
names that some templates have. Training learns how to fold them into a narrow table, and all layers
after it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from redact.ner.pieces import WordPieces
from redact.ner.words import GAPS, SHAPES, split_stretches, split_words
from training.ner.labelled import Labelled
from training.ner.layers import (
    Adam,
    Floats,
    Integers,
    Weights,
    around,
    around_back,
    dropout,
    gathered,
    maxout,
    maxout_back,
    uniform,
)

UNKNOWN = -1
"""The tag of a masked word, from which nothing is learned."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The size of the network: the width of the table and of the rows, and the layers' steps."""

    table: int = 160
    width: int = 160
    pieces: int = 2
    steps: tuple[int, ...] = (1, 2, 1, 2)


class Rows(NamedTuple):
    """The words of texts: number, shape, gap and tag of each."""

    words: list[int]
    shapes: list[int]
    gaps: list[int]
    tags: list[int]


class Lexicon:
    """Numbers the words, and stores the pieces of each."""

    def __init__(self, pieces: WordPieces) -> None:
        self._pieces = pieces
        self._numbers: dict[str, int] = {}
        self.pieces: list[list[int]] = []

    def number(self, word: str) -> int:
        """Return the number of a word."""
        if word not in self._numbers:
            self._numbers[word] = len(self.pieces)
            self.pieces.append(self._pieces.of(word))
        return self._numbers[word]


def rows(item: Labelled, lexicon: Lexicon, tags: dict[str, int]) -> Rows:
    """Return the words of a labelled text; ``tags`` has the tag that begins each type."""
    out = Rows([], [], [], [])
    marks = [(m.start, m.end, tags[m.label]) for m in item.marks]
    marks += [(start, end, UNKNOWN) for start, end in item.unknown]
    marks.sort()
    at, place, inside = 0, 0, -1
    for gap, stretch in split_stretches(item.text):
        start = item.text.index(stretch, place)
        place = start + len(stretch)
        for word in split_words(gap, stretch):
            while at < len(marks) and marks[at][1] <= start + word.start:
                at += 1
            tag = 0
            if at < len(marks) and marks[at][0] < start + word.end:
                tag = marks[at][2]
                if tag > 0 and inside == at:
                    tag += 1
                inside = at
            out.words.append(lexicon.number(word.text.lower()))
            out.shapes.append(word.shape)
            out.gaps.append(word.gap)
            out.tags.append(tag)
    return out


class Batch(NamedTuple):
    """Texts one below the other, with empty rows between.

    ``place`` are the rows of the words, ``which`` the index of each among the distinct words, which
    ``numbers``, ``shapes`` and ``gaps`` describe.
    """

    many: int
    place: Integers
    which: Integers
    numbers: Integers
    shapes: Integers
    gaps: Integers
    tags: Integers


def batch(texts: Iterable[Rows], margin: int) -> Batch:
    """Return some texts as a batch with ``margin`` empty rows between."""
    place: list[int] = []
    keys: list[int] = []
    tags: list[int] = []
    at = margin
    for text in texts:
        place += range(at, at + len(text.words))
        at += len(text.words) + margin
        parts = zip(text.words, text.shapes, text.gaps, strict=True)
        keys += [(word * SHAPES + shape) * GAPS + gap for word, shape, gap in parts]
        tags += text.tags
    distinct, which = np.unique(np.array(keys, np.intp), return_inverse=True)
    return Batch(
        at,
        np.array(place, np.intp),
        which,
        distinct // (SHAPES * GAPS),
        distinct // GAPS % SHAPES,
        distinct % GAPS,
        np.array(tags, np.intp),
    )


class Tagger:
    """The network in training: its weights, and one training step."""

    def __init__(self, known: Floats, tags: int, sizes: Sizes, seed: int) -> None:
        self._known = known
        self.sizes = sizes
        self.words_hidden = 0.02  # the share of words that are seen by their shape alone
        self._random = random = np.random.default_rng(seed)
        wide = sizes.width * sizes.pieces
        self.weights: Weights = {
            "table": uniform(random, (known.shape[1], sizes.table)),
            "shapes": 0.1 * uniform(random, (SHAPES, wide)),
            "gaps": 0.1 * uniform(random, (GAPS, wide)),
            "tags.weights": uniform(random, (3 * sizes.width, tags)),
            "tags.bias": np.zeros(tags, np.float32),
        }
        for name, inputs in [("word", 3 * sizes.table)] + [
            (f"layer{number}", 3 * sizes.width) for number in range(len(sizes.steps))
        ]:
            self.weights[f"{name}.weights"] = uniform(random, (inputs, wide))
            self.weights[f"{name}.bias"] = np.zeros(wide, np.float32)
            scale = 1.0 if name == "word" else 0.5
            self.weights[f"{name}.scale"] = np.full(sizes.width, scale, np.float32)
            self.weights[f"{name}.shift"] = np.zeros(sizes.width, np.float32)

    @property
    def margin(self) -> int:
        """Return how many empty rows separate texts."""
        return max(self.sizes.steps)

    def features(self, lexicon: Lexicon, numbers: Integers) -> Floats:
        """Return for each word the vectors of its first piece, their mean, and the last."""
        pieces = [lexicon.pieces[number] for number in numbers.tolist()]
        counts = np.array([len(some) for some in pieces])
        starts = np.cumsum(counts) - counts
        vectors = self._known[np.concatenate([np.array(some) for some in pieces])]
        means = np.add.reduceat(vectors, starts, axis=0) / counts[:, None].astype(np.float32)
        return np.stack([vectors[starts], means, vectors[starts + counts - 1]], axis=1)

    def learn(self, some: Batch, lexicon: Lexicon, drop: float) -> tuple[float, Weights]:
        """Return the mean loss of a batch, and the slopes of all weights."""
        weights, slopes, random = self.weights, dict[str, Floats](), self._random
        features = self.features(lexicon, some.numbers)
        flat = features.reshape(-1, features.shape[2])
        folded = (flat @ weights["table"]).reshape(len(features), -1)
        mask = dropout(random, folded, drop)
        mask[random.random(len(mask)) < self.words_hidden] = 0
        words, kept = maxout(
            weights, "word", folded * mask,
            weights["shapes"][some.shapes] + weights["gaps"][some.gaps],
        )  # fmt: skip
        state = np.zeros((some.many, self.sizes.width), np.float32)
        state[some.place] = words[some.which]
        through = []
        for number, step in enumerate(self.sizes.steps):
            out, memory = maxout(weights, f"layer{number}", around(state, step))
            scaled = dropout(random, out, drop)
            kept_rows = np.zeros((some.many, 1), np.float32)
            kept_rows[some.place] = 1
            scaled *= kept_rows
            state = state + out * scaled
            through.append((memory, scaled))
        seen = around(state, 1)[some.place]
        scores = seen @ weights["tags.weights"] + weights["tags.bias"]
        loss, slope = _loss(scores, some.tags)
        slopes["tags.weights"] = seen.T @ slope
        slopes["tags.bias"] = slope.sum(axis=0)
        wide = np.zeros((some.many, seen.shape[1]), np.float32)
        wide[some.place] = slope @ weights["tags.weights"].T
        back = around_back(wide, 1)
        for number in reversed(range(len(through))):
            memory, scaled = through[number]
            inner, _ = maxout_back(weights, f"layer{number}", memory, back * scaled, slopes)
            back = back + around_back(inner, self.sizes.steps[number])
        keep = gathered(back[some.place], some.which, len(words))
        inner, sums = maxout_back(weights, "word", kept, keep, slopes)
        slopes["shapes"] = gathered(sums, some.shapes, SHAPES)
        slopes["gaps"] = gathered(sums, some.gaps, GAPS)
        slopes["table"] = flat.T @ (inner * mask).reshape(len(flat), -1)
        return loss, slopes


def _loss(scores: Floats, tags: Integers) -> tuple[float, Floats]:
    """Return the mean cross entropy of the words with a known tag, and its slope."""
    known = tags >= 0
    scores = scores - scores.max(axis=1, keepdims=True)
    chances = np.exp(scores)
    chances /= chances.sum(axis=1, keepdims=True)
    at = np.flatnonzero(known)
    right = chances[at, tags[at]]
    slope = chances
    slope[at, tags[at]] -= 1
    slope[~known] = 0
    slope /= max(1, len(at))
    return float(-np.log(right + 1e-9).mean()), slope


def optimiser(tagger: Tagger) -> Adam:
    """Return the optimiser of a tagger's weights."""
    return Adam(tagger.weights, decay=0.01, averaging=0.998)


def batches(texts: Sequence[Rows], size: int, margin: int) -> Iterable[Batch]:
    """Yield texts in order as batches of about ``size`` rows."""
    some: list[Rows] = []
    many = 0
    for text in texts:
        some.append(text)
        many += len(text.words) + margin
        if many >= size:
            yield batch(some, margin)
            some, many = [], 0
    if some:
        yield batch(some, margin)
