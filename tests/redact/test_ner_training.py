"""The recipe of the shipped model runs from its data to a model that the stage loads."""

import unicodedata
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redact.ner.pieces import WordPieces
from redact.ner.stage import NerStage
from training.ner import base, conll
from training.ner.corpus import TYPES, epoch, load
from training.ner.export import save
from training.ner.labelled import Labelled, Mark, respell
from training.ner.layers import Floats
from training.ner.lists import Lists
from training.ner.outside import LANGUAGES
from training.ner.tagger import UNKNOWN, Lexicon, Sizes, Tagger, batch, optimiser, rows
from training.ner.templates import Templates
from training.ner.train import Recipe, tag_numbers, train

DATA = Path(__file__).parents[1] / "data" / "ner"


def dice(seed: int) -> Random:
    """Repeatable chance."""
    return Random(seed)  # noqa: S311  not for secrets


@pytest.fixture(scope="module")
def templates() -> Templates:
    """The templates over the project's own lists."""
    return Templates(Lists())


VOCABULARY = ["[UNK]", *"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "aeiourstln")]
SMALL = Recipe(epochs=2, made=40, batch=400, sizes=Sizes(table=8, width=8, pieces=2, steps=(1, 2)))


def known() -> Floats:
    """Vectors of the pieces, drawn by chance: the base itself is not part of the repository."""
    return np.random.default_rng(1).normal(size=(len(VOCABULARY), 12)).astype(np.float32)


def test_a_short_run_makes_a_model_that_the_stage_loads(tmp_path: Path) -> None:
    """Two epochs over fifty sentences, twice, make the same model."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        weights = train(load(DATA), VOCABULARY, known(), SMALL)
        save(folder, VOCABULARY, known(), weights, TYPES, SMALL.sizes)
    one, two = (NerStage(str(folder)) for folder in folders)
    assert one.identity == two.identity
    texts = ["Sun Kwon of Seoul wrote to the University of Leeds."]
    assert one.find(texts) == two.find(texts)


def test_what_is_shown_often_is_learnt(tmp_path: Path) -> None:
    """Sixty times the same three sentences, and their names are found, and nothing else."""
    items = [
        Labelled("I am Sun Kwon, thanks", (Mark(5, 13, "PERSON"),)),
        Labelled("we live in Leeds now", (Mark(11, 16, "LOCATION"),)),
        Labelled("the Order is late", ()),
    ]
    sizes = Sizes(table=16, width=24, pieces=2, steps=(1, 2))
    tagger, lexicon = Tagger(known(), 1 + 2 * len(TYPES), sizes, 3), Lexicon(WordPieces(VOCABULARY))
    moves = optimiser(tagger)
    some = batch([rows(item, lexicon, tag_numbers()) for item in items], tagger.margin)
    for _ in range(60):
        loss, slopes = tagger.learn(some, lexicon, 0.0)
        moves.step(slopes, 0.01)
    assert loss < 0.1
    save(tmp_path / "model", VOCABULARY, known(), tagger.weights, TYPES, sizes)
    found = NerStage(str(tmp_path / "model")).find([item.text for item in items])
    assert [[(f.start, f.end, f.type) for f in each] for each in found] == [
        [(m.start, m.end, m.label) for m in item.marks] for item in items
    ]


def test_slopes_are_those_of_the_loss() -> None:
    """Moving a weight a little changes the loss as its slope says."""
    sizes = Sizes(table=5, width=4, pieces=2, steps=(1, 2))
    tagger, lexicon = Tagger(known(), 1 + 2 * len(TYPES), sizes, 3), Lexicon(WordPieces(VOCABULARY))
    tagger.words_hidden = 0.0
    tagger.weights = {name: array.astype(np.float64) for name, array in tagger.weights.items()}
    text = Labelled(
        "Sun Kwon, 12 Leeds", (Mark(0, 8, "PERSON"), Mark(13, 18, "LOCATION")), ((10, 12),)
    )
    some = batch([rows(text, lexicon, tag_numbers())] * 2, tagger.margin)
    _, slopes = tagger.learn(some, lexicon, 0.0)
    random = np.random.default_rng(4)
    for name, array in tagger.weights.items():
        for _ in range(4):
            at = tuple(random.integers(size) for size in array.shape)
            losses = []
            for change in (1e-4, -2e-4):
                array[at] += change
                losses.append(tagger.learn(some, lexicon, 0.0)[0])
            array[at] += 1e-4
            assert (losses[0] - losses[1]) / 2e-4 == pytest.approx(slopes[name][at], abs=2e-3)


def test_a_folder_that_holds_no_model_is_left_alone(tmp_path: Path) -> None:
    """A wrong path loses nobody's letters; training again keeps the card written by hand."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    tagger = Tagger(known(), 1 + 2 * len(TYPES), SMALL.sizes, 3)
    with pytest.raises(ValueError, match="not empty"):
        save(tmp_path / "home", VOCABULARY, known(), tagger.weights, TYPES, SMALL.sizes)
    save(tmp_path / "model", VOCABULARY, known(), tagger.weights, TYPES, SMALL.sizes)
    (tmp_path / "model" / "MODEL_CARD.md").write_text("by hand")
    save(tmp_path / "model", VOCABULARY, known(), tagger.weights, TYPES, SMALL.sizes)
    assert (tmp_path / "model" / "MODEL_CARD.md").read_text() == "by hand"


def test_the_base_is_known_by_its_hash(tmp_path: Path) -> None:
    """Other weights than those of the card are refused, with their path."""
    (tmp_path / "vocab.txt").write_text("[UNK]\n")
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"model\.safetensors does not hold"):
        base.load(tmp_path)


def test_the_command_names_the_missing_data(tmp_path: Path) -> None:
    """An empty folder of data ends with an error that says which files are looked for."""
    with pytest.raises(FileNotFoundError, match=r"wikigold\.conll"):
        load(tmp_path)


@pytest.mark.parametrize("language", ["", "en", *LANGUAGES])
def test_every_template_of_a_language_can_be_filled(templates: Templates, language: str) -> None:
    """No template has a slot that nobody makes or a bracket that is not closed."""
    random = dice(12)
    for _ in range(1500):
        made = templates.of(language, random)
        assert not {"{", "}", "|["} & set(made.text), made.text
        assert [m.start for m in made.marks] == sorted(m.start for m in made.marks)
        for mark in made.marks:
            assert made.text[mark.start : mark.end].strip()


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
    for sentence in sentences:
        for mark in sentence.marks:
            value = sentence.text[mark.start : mark.end]
            assert value == value.strip() != ""


def test_dates_of_the_corpus_are_unknown_rather_than_no_names() -> None:
    """WikiGold marks no dates: the model must not learn that there are none."""
    lexicon = Lexicon(WordPieces(VOCABULARY))
    found = rows(Labelled("Born in 1950 .", (), ((8, 12),)), lexicon, tag_numbers())
    assert found.tags == [0, 0, UNKNOWN, 0]


def test_names_of_several_words_begin_once() -> None:
    """Two names side by side stay two; signs inside a name are part of it."""
    text = Labelled("Dr. Ann O'Shea", (Mark(0, 3, "TITLE"), Mark(4, 14, "PERSON")))
    tags = tag_numbers()
    found = rows(text, Lexicon(WordPieces(VOCABULARY)), tags)
    title, person = tags["TITLE"], tags["PERSON"]
    assert found.tags == [title, title + 1, person] + [person + 1] * 3


def test_an_epoch_has_all_sentences_and_new_texts_each_time() -> None:
    """Templates are filled with new values for every epoch."""
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
