"""Trains the shipped model: `python -m training.ner.train --data FOLDER --out redact/ner/model`.

The same data, seed and library versions give the same model. Runs on one core.
"""

import json
import logging
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import click
import spacy
from spacy.language import Language
from thinc.api import Adam, fix_random_seed
from thinc.schedules import warmup_linear

from training.ner.corpus import TEXTS_CHAINED, TYPES, Corpus, epoch, example, load

# Steps until the rate of learning is at its height.
_WARM_UP = 200

_LOG = logging.getLogger("training.ner")


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides what comes out, beside the data and the library versions."""

    seed: int = 7
    epochs: int = 15
    made: int = 10_000  # texts of the templates in an epoch
    width: int = 96
    depth: int = 4
    rows: tuple[int, int, int, int] = (6_000, 1_000, 3_000, 1_500)  # norm, prefix, suffix, shape
    hidden: int = 64
    dropout: float = 0.2
    learn_rate: float = 0.0015
    batch: int = 48  # texts


def blank(recipe: Recipe) -> Language:
    """An untrained English pipeline with the one component, its word vectors made by hashing."""
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("ner", config={"model": _network(recipe), "incorrect_spans_key": None})
    for label in TYPES:
        ner.add_label(label)  # type: ignore[attr-defined]
    return nlp


def _network(recipe: Recipe) -> dict[str, Any]:
    return {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": recipe.hidden,
        "maxout_pieces": 2,
        "use_upper": True,
        "nO": None,
        "tok2vec": {
            "@architectures": "spacy.Tok2Vec.v2",
            "embed": {
                "@architectures": "spacy.MultiHashEmbed.v2",
                "width": recipe.width,
                "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE"],
                "rows": list(recipe.rows),
                "include_static_vectors": False,
            },
            "encode": {
                "@architectures": "spacy.MaxoutWindowEncoder.v2",
                "width": recipe.width,
                "depth": recipe.depth,
                "window_size": 1,
                "maxout_pieces": 3,
            },
        },
    }


def train(corpus: Corpus, recipe: Recipe) -> Language:
    """The trained pipeline, with the average of the weights over the run."""
    fix_random_seed(recipe.seed)
    random = Random(recipe.seed)  # noqa: S311  not for secrets
    nlp = blank(recipe)
    first = [example(nlp, item) for item in epoch(corpus, random, made=recipe.made // 10)[:500]]
    nlp.initialize(lambda: first)
    texts = recipe.epochs * (len(corpus.sentences) + recipe.made)
    steps = int(texts / TEXTS_CHAINED / recipe.batch * 1.02) + 1
    optimizer = Adam(
        warmup_linear(recipe.learn_rate, _WARM_UP, steps),  # type: ignore[arg-type]  # is a generator
        L2=0.01,
        grad_clip=1.0,
        use_averages=True,
    )
    for number in range(recipe.epochs):
        started, losses = time.monotonic(), dict[str, float]()
        items = epoch(corpus, random, made=recipe.made)
        for start in range(0, len(items), recipe.batch):
            examples = [example(nlp, item) for item in items[start : start + recipe.batch]]
            nlp.update(examples, sgd=optimizer, drop=recipe.dropout, losses=losses)
            optimizer.step_schedules()
        seconds = time.monotonic() - started
        _LOG.info(
            "epoch %d of %d: loss %.0f, %.0f s", number + 1, recipe.epochs, losses["ner"], seconds
        )
    with nlp.use_params(optimizer.averages):
        averaged = nlp.to_bytes()
    return nlp.from_bytes(averaged)


def figures(nlp: Language, corpus: Corpus, recipe: Recipe) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 by entity type, on sentences kept out of training and on new texts.

    The new texts come from the templates that were trained on, with other values: their
    figures say that the training worked, not how the model does on other people's texts.
    """
    random = Random(recipe.seed + 1)  # noqa: S311  not for secrets
    made = [corpus.templates.text(random) for _ in range(500)]
    out = {}
    for name, items in (("public", corpus.held_out), ("templates", made)):
        scores = nlp.evaluate([example(nlp, item) for item in items])
        out[f"{name}: all"] = _rounded(scores["ents_p"], scores["ents_r"], scores["ents_f"])
        for label, score in sorted((scores["ents_per_type"] or {}).items()):
            out[f"{name}: {label}"] = _rounded(score["p"], score["r"], score["f"])
    return out


def _rounded(p: float | None, r: float | None, f: float | None) -> dict[str, float]:
    return {"p": round(p or 0.0, 3), "r": round(r or 0.0, 3), "f1": round(f or 0.0, 3)}


def save(nlp: Language, out: Path, recipe: Recipe, scores: dict[str, dict[str, float]]) -> None:
    """Writes the pipeline in spaCy's format, and leaves the model card in its place.

    The vocabulary is left out: a model on hashes needs none.

    Raises ValueError if `out` holds something that is not a model.
    """
    card = out / "MODEL_CARD.md"
    text = card.read_text(encoding="utf-8") if card.exists() else None
    if out.exists():
        if any(out.iterdir()) and not (out / "meta.json").exists() and text is None:
            raise ValueError(f"{out} is not empty and holds no model: name another folder")
        shutil.rmtree(out)
    nlp.meta.update(
        name="goldpan_names", version="1", license="Apache-2.0; data CC-BY 4.0 (see MODEL_CARD.md)",
        description="Names in people's free text: persons, places, organisations, addresses.",
    )  # fmt: skip
    nlp.meta["performance"] = {}
    nlp.to_disk(out, exclude=["vocab"])
    recipe_json = json.dumps({"recipe": asdict(recipe), "figures": scores}, indent=1)
    (out / "recipe.json").write_text(recipe_json + "\n", encoding="utf-8")
    if text is not None:
        card.write_text(text, encoding="utf-8")


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help="Folder of the CoNLL files.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the model.")
@click.option("--seed", type=int, default=Recipe().seed, show_default=True)
@click.option("--epochs", type=int, default=Recipe().epochs, show_default=True)
def main(data: Path, out: Path, seed: int, epochs: int) -> None:
    """Train the small model for names and write it to a folder.

    Example: OMP_NUM_THREADS=1 python -m training.ner.train --data data/ner --out redact/ner/model
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    recipe = Recipe(seed=seed, epochs=epochs)
    corpus = load(data)
    nlp = train(corpus, recipe)
    scores = figures(nlp, corpus, recipe)
    for name, score in scores.items():
        _LOG.info("%-26s %s", name, score)
    save(nlp, out, recipe, scores)


if __name__ == "__main__":
    main()
