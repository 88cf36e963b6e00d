"""The recipe of the shipped model runs from its data to a model that the stage loads."""

import json
import subprocess
import sys
import unicodedata
from pathlib import Path
from random import Random

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from redact.ner.stage import SpacyNames
from training.ner import conll
from training.ner.corpus import epoch, example, load
from training.ner.labelled import Labelled, Mark, respell
from training.ner.lists import Lists
from training.ner.templates import Templates
from training.ner.train import Recipe, save, train

DATA = Path(__file__).parents[1] / "data" / "ner"


def dice(seed: int) -> Random:
    """Repeatable chance."""
    return Random(seed)  # noqa: S311  not for secrets


@pytest.fixture(scope="module")
def templates() -> Templates:
    """The templates over the project's own lists."""
    return Templates(Lists())


def test_a_short_run_makes_a_model_that_the_stage_loads(tmp_path: Path) -> None:
    """One epoch over fifty sentences, twice, makes the same model."""
    recipe = Recipe(epochs=1, made=100, width=32, depth=1, rows=(200, 100, 100, 100))
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        save(train(load(DATA), recipe), folder, recipe, {})
    one, two = (SpacyNames(str(folder)) for folder in folders)
    assert one.identity == two.identity
    texts = ["Sun Kwon of Seoul wrote to the University of Leeds."]
    assert one.find(texts) == two.find(texts)
    assert json.loads((folders[0] / "recipe.json").read_text())["recipe"]["epochs"] == 1


def test_training_again_keeps_the_model_card(tmp_path: Path) -> None:
    """The card is written by hand and survives; a folder that is no model is not emptied."""
    recipe = Recipe(width=32, depth=1, rows=(200, 100, 100, 100))
    nlp = spacy.blank("en")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MODEL_CARD.md").write_text("by hand")
    save(nlp, tmp_path / "model", recipe, {})
    assert (tmp_path / "model" / "MODEL_CARD.md").read_text() == "by hand"
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(ValueError, match="not empty"):
        save(nlp, tmp_path / "home", recipe, {})


def test_the_command_names_the_missing_data(tmp_path: Path) -> None:
    """An empty folder of data ends with an error that says which files are looked for."""
    command = [sys.executable, "-m", "training.ner.train", "--data", str(tmp_path), "--out", "x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "wikigold.conll" in done.stderr


def test_every_template_can_be_filled(templates: Templates) -> None:
    """No template has a slot that nobody makes, and every mark covers a value."""
    random = dice(11)
    labels = set()
    for _ in range(4000):
        made = templates.text(random)
        labels |= {mark.label for mark in made.marks}
        assert "{" not in made.text
        for mark in made.marks:
            assert made.text[mark.start : mark.end].strip()
    assert labels >= {"PERSON", "LOCATION", "ORGANIZATION", "STREET_ADDRESS", "NRP", "AGE"}


def test_the_same_seed_makes_the_same_texts(templates: Templates) -> None:
    """The recipe is repeatable: its texts come from the seed alone."""
    one, two = dice(5), dice(5)
    assert [templates.text(one) for _ in range(50)] == [templates.text(two) for _ in range(50)]


def test_marks_fall_on_words_of_the_corpus() -> None:
    """A sentence of WikiGold is spaced as people write, and its names keep their places."""
    sentences = list(conll.read(DATA / "wikigold" / "wikigold.conll", Lists()))
    assert len(sentences) == 50
    assert not any(" ," in s.text or " ." in s.text for s in sentences)
    nlp = spacy.blank("en")
    for sentence in sentences:
        known = example(nlp, sentence).reference.ents
        assert [e.text for e in known] == [sentence.text[m.start : m.end] for m in sentence.marks]


def test_dates_of_the_corpus_are_unknown_rather_than_no_names() -> None:
    """WikiGold marks no dates: the model must not learn that there are none."""
    sentence = Labelled("Born in 1950 .", (), ((8, 12),))
    reference = example(spacy.blank("en"), sentence).reference
    assert [token.ent_iob_ for token in reference] == ["O", "O", "", "O"]


def test_an_epoch_has_all_sentences_and_new_texts_each_time() -> None:
    """Templates are filled anew for every epoch."""
    corpus = load(DATA)
    random = dice(3)
    first, second = (epoch(corpus, random, made=30) for _ in range(2))
    assert {item.text for item in first} != {item.text for item in second}
    marks = sum(len(s.marks) for s in corpus.sentences)
    assert sum(len(item.marks) for item in first) > marks


@given(st.text(max_size=60), st.integers(min_value=0, max_value=2**32))
def test_respelling_keeps_the_length(text: str, seed: int) -> None:
    """Marks would shift if the lower case of a letter were longer."""
    item = Labelled(text, (Mark(0, len(text), "PERSON"),) if text else ())
    for case in ("lower", "upper", "plain"):
        chances = {"lower": 0.0, "upper": 0.0, "plain": 0.0, case: 1.0}
        new = respell(item, dice(seed), **chances)
        assert len(new.text) == len(text)
        assert new.marks == item.marks


def test_respelling_takes_accents_away() -> None:
    """People leave out accents; the same name must be found without them."""
    item = Labelled("Łukasz Šťastný", ())
    plain = respell(item, dice(1), lower=0.0, upper=0.0, plain=1.0).text
    assert plain == "Lukasz Stastny"
    assert unicodedata.is_normalized("NFC", plain)
