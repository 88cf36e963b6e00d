"""Trains the larger model, `python -m training.ner.train_encoder --data DIR --base DIR --out DIR`.

The same data, seed, processor and library versions give the same model. About 25 minutes of two
cores.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
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
from training.ner.train import figures, tag_numbers

_WARM_UP = 100
_LOG = logging.getLogger("training.ner")


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
            rate = recipe.rate * min(1.0, steps / _WARM_UP) * (1 - done)
            losses.append(trainer.learn(encoder.padded(some, lexicon, first, last), rate))
            if steps % 100 == 0:
                _LOG.info("step %d, %.3f done, loss %.4f", steps, done,
                          float(np.mean(losses[-100:])))  # fmt: skip
    return trainer.average


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help="Folder of the CoNLL files.",
)
@click.option(
    "--base",
    "base_folder",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help="Folder of all-MiniLM-L6-v2: vocab.txt and model.safetensors.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the model.")
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
    random = Random(seed + 1)  # noqa: S311  not for secrets
    made = [corpus.templates.text(random) for _ in range(500)]
    scores = {"public": figures(reader, corpus.held_out), "templates": figures(reader, made)}
    text = json.dumps({"recipe": asdict(recipe), "figures": scores}, indent=1)
    (out / "recipe.json").write_text(text + "\n", encoding="utf-8")
    _LOG.info("%s", text)


if __name__ == "__main__":
    main()
