"""The smallest spaCy pipeline that supports Presidio's context words: lower-case tokens.

A blank pipeline leaves the lemma of a token empty, so that no context word ever matches; here the
lemma is the token in lower case.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import spacy
from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpArtifacts, NlpEngine
from spacy.attrs import IS_PUNCT, IS_STOP, LOWER
from spacy.language import Language
from spacy.tokens import Doc

_ASKED = (LOWER, IS_PUNCT, IS_STOP)


class PlainNlpEngine(NlpEngine):
    """Splits English text into tokens, and does nothing else.

    With ``sparing`` it computes only the attributes used here for each new word: lower case, and
    whether it is punctuation or a stop word. spaCy computes fifteen more.
    """

    def __init__(self, *, sparing: bool = False) -> None:
        self._nlp: Language = spacy.blank("en")
        if sparing:
            vocab: Any = self._nlp.vocab
            vocab.lex_attr_getters = {asked: vocab.lex_attr_getters[asked] for asked in _ASKED}
        self.ner_model_configuration = NerModelConfiguration()

    def load(self) -> None:
        """Do nothing: there is no model to load."""

    def is_loaded(self) -> bool:
        """Return that texts can be processed."""
        return True

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        """Split one text into tokens with lower-case lemmas."""
        doc = self._nlp.make_doc(text)
        return NlpArtifacts(
            entities=[],
            tokens=doc,
            tokens_indices=[token.idx for token in doc],
            lemmas=[token.lower_ for token in doc],
            nlp_engine=self,
            language=language,
            scores=[],
        )

    def words(self, text: str) -> Doc:
        """Split a text into tokens."""
        return self._nlp.make_doc(text)

    def process_batch(
        self, texts: Iterable[str], language: str, batch_size: int = 1, n_process: int = 1, **_: Any
    ) -> Iterator[tuple[str, NlpArtifacts]]:
        """Process texts one by one."""
        del batch_size, n_process
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:
        """Return whether a word is a stop word."""
        del language
        return bool(self._nlp.vocab[word].is_stop)

    def is_punct(self, word: str, language: str) -> bool:
        """Return whether a token is punctuation."""
        del language
        return bool(self._nlp.vocab[word].is_punct)

    def get_supported_entities(self) -> list[str]:
        """Return an empty list: this engine finds no names."""
        return []

    def get_supported_languages(self) -> list[str]:
        """Return the one language of the recognisers."""
        return ["en"]
