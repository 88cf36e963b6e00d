"""Unmodified Presidio, without a model: with its own recognisers and defaults, or with others."""

from collections.abc import Sequence

import spacy
import tldextract
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine

from redact.recognition.catalogue import LANGUAGE
from redact.recognition.plain_tokens import PlainNlpEngine


def build_stock_engine() -> AnalyzerEngine:
    """Return an engine as shipped that needs neither a model nor the network."""
    # Its own list of public suffixes, or it asks the network at the first e-mail address.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    nlp_engine = SpacyNlpEngine()
    nlp_engine.nlp = {"en": spacy.blank("en")}  # type: ignore[assignment]
    return AnalyzerEngine(registry=registry, nlp_engine=nlp_engine)


def build_engine_of(recognisers: Sequence[EntityRecognizer]) -> AnalyzerEngine:
    """Return an engine with these recognisers, whose context words can match."""
    registry = RecognizerRegistry(recognizers=list(recognisers), supported_languages=[LANGUAGE])
    return AnalyzerEngine(
        registry=registry, nlp_engine=PlainNlpEngine(), supported_languages=[LANGUAGE]
    )
