"""Finds names with a spaCy pipeline."""

from collections.abc import Sequence

from spacy.language import Language

from redact.ner.reader import NamedSpan

_TEXTS = 64


class SpacyReader:
    """Runs a spaCy pipeline. Its string store is freed after each call."""

    def __init__(self, nlp: Language) -> None:
        self._nlp = nlp

    def names(self, texts: Sequence[str]) -> list[list[NamedSpan]]:
        """Return the names in each text; see :class:`redact.ner.reader.NameReader`."""
        with self._nlp.memory_zone():
            return [
                [NamedSpan(span.label_, span.start_char, span.end_char) for span in doc.ents]
                for doc in self._nlp.pipe(texts, batch_size=_TEXTS)
            ]
