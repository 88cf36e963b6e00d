"""The larger model reads every text alike whatever stands beside it, in windows that touch."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redact.ner import encoder as ner_encoder
from redact.ner.encoder import Encoder
from redact.ner.ensemble import EnsembleReader
from redact.ner.model_files import FOLDERS, load_reader
from redact.ner.model_format import SHIPPED, SHIPPED_LARGE
from redact.ner.tagger import Tagger
from tests.redact.test_ner_stage import PERSONS


@pytest.fixture(scope="module")
def ensemble_reader() -> EnsembleReader:
    """The larger of the shipped models."""
    return EnsembleReader(Encoder.of(FOLDERS[SHIPPED_LARGE]), Tagger.of(FOLDERS[SHIPPED]))


def test_it_is_loaded_by_its_name_and_has_an_identity_of_its_own() -> None:
    """A change of the model changes the hash of the policy."""
    small, large = load_reader("shipped")[1], load_reader(SHIPPED_LARGE)[1]
    assert small != large
    assert load_reader(str(FOLDERS[SHIPPED_LARGE]))[1] == large


def test_it_finds_the_persons_of_everyday_sentences(ensemble_reader: EnsembleReader) -> None:
    """At least the share that the small model is held to."""
    found = 0
    for text, name in PERSONS:
        spans = ensemble_reader.names([text])[0]
        found += any(s.label == "PERSON" and name in text[s.start : s.end] for s in spans)
    assert found >= 0.9 * len(PERSONS)


def test_names_do_not_depend_on_the_company(ensemble_reader: EnsembleReader) -> None:
    """Alone, together, in any order: the same chances to the last bit."""
    texts = [text for text, _ in PERSONS]
    shuffled = list(texts)
    Random(3).shuffle(shuffled)  # noqa: S311  # not for secrets
    before = {text: ensemble_reader.chances(text) for text in texts}
    for text in shuffled:
        assert np.array_equal(ensemble_reader.chances(text), before[text])
    assert ensemble_reader.names(texts) == [ensemble_reader.names([text])[0] for text in texts]


def test_a_name_beyond_the_first_window_is_found(ensemble_reader: EnsembleReader) -> None:
    """A long text is read to its end, and a name on the edge of two windows is found whole."""
    text, name = "Please write to Priya Raghunathan about it.", "Priya Raghunathan"
    filler = "The order was shipped on time and the box was dry. "
    for many in range(8, 30):
        long = filler * many + text
        spans = ensemble_reader.names([long])[0]
        assert name in [long[s.start : s.end] for s in spans]


@settings(max_examples=60)
@given(st.text(max_size=400))
def test_any_text_is_read_and_names_lie_in_it_in_order(
    ensemble_reader: EnsembleReader, text: str
) -> None:
    """Whatever stands in a text, names are stretches of it that do not overlap."""
    end = 0
    for span in ensemble_reader.names([text])[0]:
        assert end <= span.start < span.end <= len(text)
        end = span.end


@given(st.integers(0, 2_000))
def test_the_inner_parts_of_windows_cover_a_text_once(many: int) -> None:
    """Each piece is decided by one window, with pieces on both sides of it where there are any."""
    place = 0
    for window in ner_encoder.windows(many):
        assert window.inner_start == place
        assert window.start <= window.inner_start <= window.inner_end <= window.end
        assert window.end - window.start <= ner_encoder.WINDOW
        place = window.inner_end
    assert place == many
