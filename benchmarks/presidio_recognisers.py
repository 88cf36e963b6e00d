"""The recognisers of goldpan for Presidio's own engine, which runs them the slow way."""

from collections.abc import Iterable, Iterator
from typing import Any

import phonenumbers
import regex
import spacy
from presidio_analyzer import (
    AnalysisExplanation,
    EntityRecognizer,
    Pattern,
    PatternRecognizer,
    RecognizerResult,
)
from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpArtifacts, NlpEngine

from redact.recognition.contacts.dialled_phones import DialledPhoneRecogniser
from redact.recognition.matching.judged_matches import JudgedRecogniser
from redact.recognition.matching.pattern_recogniser import PatternRecogniser

LANGUAGE = "en"


def presidio_recogniser(recogniser: PatternRecogniser) -> EntityRecognizer:
    """Return a recogniser for Presidio's engine that finds the same."""
    if isinstance(recogniser, DialledPhoneRecogniser):
        return _PhoneReference(recogniser)
    if isinstance(recogniser, JudgedRecogniser):
        return _JudgedReference(recogniser)
    return _PatternReference(recogniser)


class _PatternReference(PatternRecognizer):
    """Runs the patterns of a recogniser as Presidio does."""

    def __init__(self, recogniser: PatternRecogniser) -> None:
        super().__init__(
            supported_entity=recogniser.supported_entities[0],
            patterns=[Pattern(p.name, p.regex, p.score) for p in recogniser.patterns],
            context=recogniser.context or [],
            global_regex_flags=recogniser.global_regex_flags,
            name=recogniser.name,
        )
        self._recogniser = recogniser

    def validate_result(self, pattern_text: str) -> bool | None:
        """Return what the recogniser says of a match."""
        return self._recogniser.validate_result(pattern_text)

    def invalidate_result(self, pattern_text: str) -> bool | None:
        """Return whether the recogniser rejects a match."""
        return self._recogniser.invalidate_result(pattern_text)


class _SpanReference(EntityRecognizer):
    """Finds the spans of :meth:`spans`, the slow way."""

    def __init__(self, recogniser: PatternRecogniser) -> None:
        super().__init__(
            supported_entities=recogniser.supported_entities,
            context=recogniser.context,
            name=recogniser.name,
        )
        self._name = recogniser.name

    def load(self) -> None:
        """Do nothing."""

    def spans(self, text: str) -> Iterable[tuple[int, int, float]]:
        """Return start, end and score of each finding."""
        raise NotImplementedError

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: Any = None
    ) -> list[RecognizerResult]:
        """Return all findings, as Presidio's engine requests it."""
        del entities, nlp_artifacts
        name: str = self._name
        results = [
            RecognizerResult(
                entity_type=self.supported_entities[0],
                start=start,
                end=end,
                score=score,
                analysis_explanation=AnalysisExplanation(name, score),
                recognition_metadata={
                    RecognizerResult.RECOGNIZER_NAME_KEY: name,
                    RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
                },
            )
            for start, end, score in self.spans(text)
        ]
        return list(EntityRecognizer.remove_duplicates(results))


class _JudgedReference(_SpanReference):
    """Judges each match of each pattern, in the whole text."""

    def __init__(self, recogniser: JudgedRecogniser) -> None:
        super().__init__(recogniser)
        self._recogniser = recogniser

    def spans(self, text: str) -> Iterator[tuple[int, int, float]]:
        """Yield what counts of each match."""
        flags = self._recogniser.global_regex_flags
        for pattern in self._recogniser.patterns:
            for match in regex.finditer(pattern.regex, text, flags=flags):
                yield from self._recogniser.judge(text, match)


class _PhoneReference(_SpanReference):
    """Runs the matcher of ``phonenumbers`` for each region, and drops what does not count."""

    def __init__(self, recogniser: DialledPhoneRecogniser) -> None:
        super().__init__(recogniser)
        self._recogniser = recogniser

    def spans(self, text: str) -> Iterable[tuple[int, int, float]]:
        """Return the numbers that count."""
        found = {
            self._recogniser.within(text, match.start, match.end)
            for region in self._recogniser.regions
            for match in phonenumbers.PhoneNumberMatcher(
                text, region, leniency=self._recogniser.LENIENCY
            )
        }
        return [(*span, self._recogniser.SCORE) for span in sorted(filter(None, found))]


class PlainNlpEngine(NlpEngine):
    """Splits English text into lower-case tokens, which Presidio compares with context words.

    A blank spaCy pipeline leaves the lemma of a token empty, so that no context word ever matches.
    """

    def __init__(self) -> None:
        self._nlp = spacy.blank(LANGUAGE)
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
        return [LANGUAGE]
