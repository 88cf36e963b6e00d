"""The network run alone says what spaCy's pipeline says, and what it remembers is bounded."""

from random import Random

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

from goldpan.demo.traffic import shipped_conversations
from redact.ner import words
from redact.ner.model_files import load_model
from redact.ner.network import Network
from redact.ner.reader import NetworkReader, PipelineReader, reader_of
from tests.redact.test_ner_stage import PERSONS
from training.ner.train import Recipe, blank

_PIECES = st.one_of(
    st.sampled_from([" ", "  ", "\n", "\n\n", "\t", "\u00a0", "'s", "n't", ":-)", "(", "). ", ","]),
    st.sampled_from([word for text, _ in PERSONS for word in text.split()]),
    st.text(max_size=12),
)


@pytest.fixture(scope="module")
def nlp() -> Language:
    """The shipped pipeline."""
    return load_model("shipped")[0]


@pytest.fixture(scope="module")
def own(nlp: Language) -> NetworkReader:
    """The reader that runs the network alone."""
    reader = reader_of(nlp)
    assert isinstance(reader, NetworkReader)
    return reader


def test_what_people_write_is_read_as_spacy_reads_it(nlp: Language, own: NetworkReader) -> None:
    """On plain sentences and on messages of real conversations, alone and together."""
    messages = [
        str(message["content"])[:4_000]
        for conversation in shipped_conversations()
        for message in conversation.messages
        if message.get("content") and message["role"] in ("user", "assistant")
    ]
    texts = [text for text, _ in PERSONS] + list(dict.fromkeys(messages))
    expected = PipelineReader(nlp).names(texts)
    assert sum(map(len, expected)) > 300
    assert own.names(texts) == expected
    assert [own.names([text])[0] for text in texts[:60]] == expected[:60]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(_PIECES, max_size=30).map("".join), max_size=4))
def test_any_text_is_read_as_spacy_reads_it(
    nlp: Language, own: NetworkReader, texts: list[str]
) -> None:
    """Also odd white space, contractions, smileys, and signs of any script."""
    plain = [text.encode("utf-8", "replace").decode() for text in texts]
    assert own.names(plain) == PipelineReader(nlp).names(plain)


def test_words_are_forgotten_when_there_are_many(
    nlp: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many words pass: the table stays as large as it is, and the names stay the same."""
    monkeypatch.setattr(words, "_MOST_WORDS", 300)
    network = Network.of(nlp)
    assert network is not None
    reader = NetworkReader(nlp, network)
    random = Random(3)  # noqa: S311  # not for secrets
    texts = [
        " ".join([*("".join(random.choices("abcdefg", k=6)) for _ in range(20)), PERSONS[n][0]])
        for n in range(40)
    ]
    found = [reader.names([text])[0] for text in texts]
    assert found == PipelineReader(nlp).names(texts)
    assert len(reader._words._table) == 301
    assert len(reader._words._known) <= 300


def test_a_text_longer_than_the_memory_is_read_whole(
    nlp: Language, own: NetworkReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More new words at once than are remembered: they are read together, then forgotten."""
    monkeypatch.setattr(words, "_MOST_WORDS", 100)
    text = " ".join(f"word{number} {PERSONS[number % 40][0]}" for number in range(60))
    network = Network.of(nlp)
    assert network is not None
    assert NetworkReader(nlp, network).names([text]) == own.names([text])


def test_a_model_of_another_kind_is_left_to_spacy() -> None:
    """A network with more features, or with a component before it, is not taken for a known one."""
    known = blank(Recipe(rows=(50, 50, 50, 50), width=8, hidden=8))
    assert Network.of(_begun(known)) is not None
    wider = blank(Recipe(rows=(50, 50, 50, 50), width=8, hidden=8))
    wider.get_pipe_config("ner")["model"]["tok2vec"]["encode"]["window_size"] = 2
    assert Network.of(_begun(wider)) is None
    longer = blank(Recipe(rows=(50, 50, 50, 50), width=8, hidden=8))
    longer.add_pipe("sentencizer")
    assert isinstance(reader_of(_begun(longer)), PipelineReader)


def _begun(nlp: Language) -> Language:
    """Give a pipeline weights, all random."""
    example = spacy.training.Example.from_dict(
        nlp.make_doc("I am Ada"), {"entities": [(5, 8, "PERSON")]}
    )
    nlp.initialize(lambda: [example])
    return nlp


def test_numbers_agree_with_those_of_spacy(nlp: Language) -> None:
    """The vectors that come out of the convolutions are spaCy's, but for the last bits."""
    network = Network.of(nlp)
    assert network is not None
    docs = [nlp.make_doc(text) for text, _ in PERSONS]
    tok2vec = nlp.get_pipe("ner").model.layers[0].layers[0]  # type: ignore[attr-defined]
    for doc, vectors in zip(docs, tok2vec.predict(docs), strict=True):
        laid = words.Words(nlp, network.vectors, network.width).laid([doc.text], network.gap)
        row, many = laid.texts[0]
        assert np.allclose(network.encoded(laid)[row : row + many], vectors, atol=1e-4)
