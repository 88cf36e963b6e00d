"""Mixes the public corpora and the templates into the examples of one epoch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from training.ner import conll
from training.ner.labelled import Labelled, join, respell
from training.ner.lists import Lists
from training.ner.templates import LABELS, Templates

#: The entity types that the model learns.
TYPES = tuple(sorted(set(LABELS.values())))

# One sentence in this many of each corpus is kept out of training, for the figures.
_HELD_OUT = 20

# How many texts are joined, and how often.
_CHAIN = ((1, 70), (2, 20), (3, 10))

#: The mean number of joined texts.
TEXTS_CHAINED = sum(n * share for n, share in _CHAIN) / sum(share for _, share in _CHAIN)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Sentences of the public corpora, and the templates that generate texts."""

    sentences: tuple[Labelled, ...]
    held_out: tuple[Labelled, ...]
    templates: Templates


def load(folder: Path, *, limit: int | None = None, outside: bool = False) -> Corpus:
    """Read the CoNLL files of a folder.

    ``limit`` reads only so many sentences of each file; ``outside`` adds names and text of other
    packages (:mod:`training.ner.outside`). Raises FileNotFoundError if none of the files exists;
    single missing files are skipped.
    """
    lists = Lists(outside=outside)
    files = [folder / name for name in conll.FILES if (folder / name).exists()]
    if not files:
        raise FileNotFoundError(f"{folder} holds none of {', '.join(conll.FILES)}")
    sentences: list[Labelled] = []
    held_out: list[Labelled] = []
    for path in files:
        for i, sentence in enumerate(list(conll.read(path, lists))[:limit]):
            (held_out if i % _HELD_OUT == _HELD_OUT - 1 else sentences).append(sentence)
    return Corpus(tuple(sentences), tuple(held_out), Templates(lists))


def epoch(corpus: Corpus, random: Random, *, made: int) -> list[Labelled]:
    """Return the shuffled texts of an epoch: all sentences and ``made`` texts of templates."""
    texts = [respell(s, random, lower=0.15, upper=0.02, plain=0.03) for s in corpus.sentences]
    texts += [
        respell(corpus.templates.text(random), random, lower=0.14, upper=0.015, plain=0.06)
        for _ in range(made)
    ]
    random.shuffle(texts)
    return _chained(texts, random)


def _chained(texts: Sequence[Labelled], random: Random) -> list[Labelled]:
    """Return the texts with some neighbours joined, as messages have several sentences."""
    out: list[Labelled] = []
    i = 0
    while i < len(texts):
        count = random.choices([n for n, _ in _CHAIN], weights=[share for _, share in _CHAIN])[0]
        parts = texts[i : i + count]
        separators = [random.choice((" ", " ", "\n", "\n\n")) for _ in parts[1:]]
        out.append(join(parts, separators))
        i += count
    return out
