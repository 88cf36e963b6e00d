"""Trains the shipped model, `python -m training.ner.train --data DIR --base DIR --out DIR`.

The same data, seed and library versions give the same model. Runs on one core, in numpy alone.
"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import click
import numpy as np

from redact.ner.pieces import WordPieces
from redact.ner.reader import NameReader
from redact.ner.tagger import Tagger as Runner
from redact.ner.tagger_reader import TaggerReader
from training.ner import base
from training.ner.corpus import TYPES, Corpus, epoch, load
from training.ner.export import save
from training.ner.labelled import Labelled
from training.ner.layers import Floats, Weights
from training.ner.tagger import Lexicon, Rows, Sizes, Tagger, batches, optimiser, rows

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

WARM_UP = 100
LOG = logging.getLogger("training.ner")


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that determines the model, besides the data and the library versions."""

    seed: int = 11
    epochs: int = 10
    made: int = 24_000  # texts of the templates in an epoch
    sizes: Sizes = field(default_factory=Sizes)
    dropout: float = 0.1
    rate: float = 0.003
    batch: int = 2_400  # words
    minutes: float | None = None  # ends early, with the rate fallen as far as in a whole run


def tag_numbers() -> dict[str, int]:
    """Return the tag that begins each type; the next tag continues it."""
    return {label: 1 + 2 * number for number, label in enumerate(TYPES)}


def train(corpus: Corpus, vocabulary: Sequence[str], known: Floats, recipe: Recipe) -> Weights:
    """Return the average of the weights over the last part of the run."""
    random = Random(recipe.seed)  # noqa: S311  not for secrets
    lexicon = Lexicon(WordPieces(vocabulary))
    tagger = Tagger(known, 1 + 2 * len(TYPES), recipe.sizes, recipe.seed)
    moves = optimiser(tagger)
    started, steps = time.process_time(), 0
    for number in range(recipe.epochs):
        losses: list[float] = []
        texts = _epoch(corpus, random, lexicon, recipe)
        words = sum(len(text.words) for text in texts)
        many = words / recipe.batch
        for batch in batches(texts, recipe.batch, tagger.margin):
            progress = (number + len(losses) / many) / recipe.epochs
            if recipe.minutes is not None:
                progress = max(progress, (time.process_time() - started) / 60 / recipe.minutes)
            if progress >= 1:
                break
            loss, slopes = tagger.learn(batch, lexicon, recipe.dropout)
            steps += 1
            moves.step(slopes, recipe.rate * min(1.0, steps / WARM_UP) * max(0.0, 1 - progress))
            losses.append(loss)
            if steps % 100 == 0:
                LOG.info("step %d, %.3f done, loss %.4f, %.0f s", steps, progress,
                          float(np.mean(losses[-100:])), time.process_time() - started)  # fmt: skip
        if not losses:
            break
    return moves.average


def _epoch(corpus: Corpus, random: Random, lexicon: Lexicon, recipe: Recipe) -> list[Rows]:
    tags = tag_numbers()
    return [rows(item, lexicon, tags) for item in epoch(corpus, random, made=recipe.made)]


def figures(reader: NameReader, items: Sequence[Labelled]) -> dict[str, dict[str, float]]:
    """Return precision, recall and F1 of exact spans, by type and over all."""
    right_counts: dict[str, int] = {}
    found_counts: dict[str, int] = {}
    label_counts: dict[str, int] = {}
    names = reader.names([item.text for item in items])
    for item, found in zip(items, names, strict=True):
        unknown = item.unknown
        marks = {(m.label, m.start, m.end) for m in item.marks}
        for name in found:
            if any(start < name.end and name.start < end for start, end in unknown):
                continue
            for kind in (name.label, "all"):
                found_counts[kind] = found_counts.get(kind, 0) + 1
                right_counts[kind] = right_counts.get(kind, 0) + (tuple(name) in marks)
        for label, _, _ in marks:
            for kind in (label, "all"):
                label_counts[kind] = label_counts.get(kind, 0) + 1
    out = {}
    for kind in sorted(label_counts):
        p = right_counts.get(kind, 0) / max(1, found_counts.get(kind, 0))
        r = right_counts.get(kind, 0) / label_counts[kind]
        f = 2 * p * r / max(1e-9, p + r)
        out[kind] = {"p": round(p, 3), "r": round(r, 3), "f1": round(f, 3)}
    return out


def write_recipe(
    out: Path, recipe: "DataclassInstance", seed: int, reader: NameReader, corpus: Corpus
) -> None:
    """Write the recipe of a model beside it, with its figures on text that it has not seen."""
    random = Random(seed + 1)  # noqa: S311  not for secrets
    made = [corpus.templates.text(random) for _ in range(500)]
    scores = {"public": figures(reader, corpus.held_out), "templates": figures(reader, made)}
    text = json.dumps({"recipe": asdict(recipe), "figures": scores}, indent=1)
    (out / "recipe.json").write_text(text + "\n", encoding="utf-8")
    LOG.info("%s", text)


def with_folders(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options for its data, its base and the model's folder."""
    options = (
        click.option(
            "--data",
            type=click.Path(path_type=Path, exists=True),
            required=True,
            help="Folder of the CoNLL files.",
        ),
        click.option(
            "--base",
            "base_folder",
            type=click.Path(path_type=Path, exists=True),
            required=True,
            help="Folder of all-MiniLM-L6-v2: vocab.txt and model.safetensors.",
        ),
        click.option(
            "--out", type=click.Path(path_type=Path), required=True, help="Folder of the model."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@with_folders
@click.option("--seed", type=int, default=Recipe().seed, show_default=True)
@click.option("--epochs", type=int, default=Recipe().epochs, show_default=True)
@click.option("--minutes", type=float, help="CPU minutes after which the run ends.")
def main(  # noqa: PLR0913, PLR0917
    data: Path, base_folder: Path, out: Path, seed: int, epochs: int, minutes: float | None
) -> None:
    """Train the small model for names and write it to a folder.

    Example: OMP_NUM_THREADS=1 python -m training.ner.train --data data/ner --base MINILM
    --out redact/ner/model
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe = Recipe(seed=seed, epochs=epochs, minutes=minutes)
    corpus = load(data, outside=True)
    vocabulary, known = base.load(base_folder)
    weights = train(corpus, vocabulary, known, recipe)
    save(out, vocabulary, known, weights, TYPES, recipe.sizes)
    reader = TaggerReader(Runner.of(out))
    write_recipe(out, recipe, seed, reader, corpus)


if __name__ == "__main__":
    main()
