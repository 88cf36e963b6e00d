"""Trains the larger model, `python -m training.ner.train_encoder --data DIR --base DIR --out DIR`.

The same data, seed, processor and library versions give the same model. About 25 minutes of two
cores.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import click
import numpy as np

from redact.ner.model_files import load_reader
from redact.ner.pieces import WordPieces
from training.ner import base, encoder
from training.ner.corpus import TYPES, Corpus, epoch, load
from training.ner.export import save_encoder
from training.ner.layers import Floats, Weights
from training.ner.tagger import Lexicon, rows
from training.ner.train import LOG, WARM_UP, tag_numbers, with_folders, write_recipe


@dataclass(frozen=True, slots=True)
class EncoderRecipe:
    """All that decides what comes out, beside the data, the processor and the versions."""

    seed: int = 11
    epochs: int = 5
    made: int = 24_000  # texts of the templates in an epoch
    layers: int = 2
    dropout: float = 0.1
    rate: float = 0.0002
    batch: int = 2_400  # word pieces


def train_encoder(
    corpus: Corpus, vocabulary: Sequence[str], tensors: dict[str, Floats], recipe: EncoderRecipe
) -> Weights:
    """Return the slow average of the weights at the end of the run."""
    random = Random(recipe.seed)  # noqa: S311  not for secrets
    lexicon = Lexicon(WordPieces(vocabulary))
    first, last = vocabulary.index("[CLS]"), vocabulary.index("[SEP]")
    weights = encoder.initial(tensors, recipe.layers, 1 + 2 * len(TYPES), recipe.seed)
    network = encoder.Network(recipe.layers, recipe.dropout)
    trainer = encoder.Trainer(weights, network, recipe.seed)
    steps, losses = 0, list[float]()
    for number in range(recipe.epochs):
        texts = [rows(item, lexicon, tag_numbers())
                 for item in epoch(corpus, random, made=recipe.made)]  # fmt: skip
        batches = list(encoder.batches(texts, lexicon, recipe.batch, random))
        for at, some in enumerate(batches):
            steps += 1
            done = (number + at / len(batches)) / recipe.epochs
            rate = recipe.rate * min(1.0, steps / WARM_UP) * (1 - done)
            losses.append(trainer.learn(encoder.padded(some, lexicon, first, last), rate))
            if steps % 100 == 0:
                LOG.info("step %d, %.3f done, loss %.4f", steps, done,
                          float(np.mean(losses[-100:])))  # fmt: skip
    return trainer.average


@click.command()
@with_folders
@click.option("--seed", type=int, default=EncoderRecipe().seed, show_default=True)
@click.option("--epochs", type=int, default=EncoderRecipe().epochs, show_default=True)
def main(data: Path, base_folder: Path, out: Path, seed: int, epochs: int) -> None:
    """Train the larger model for names and write it to a folder.

    Example: python -m training.ner.train_encoder --data data/ner --base MINILM
    --out redact/ner/model_large
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe = EncoderRecipe(seed=seed, epochs=epochs)
    corpus = load(data, outside=True)
    vocabulary, tensors = base.read(base_folder)
    weights = train_encoder(corpus, vocabulary, tensors, recipe)
    save_encoder(out, vocabulary, weights, TYPES, recipe.layers)
    reader, _ = load_reader(str(out))
    write_recipe(out, recipe, seed, reader, corpus)


if __name__ == "__main__":
    main()
