"""Presidio as shipped, on a pipeline without a model: its own recognisers and defaults."""

import spacy
import tldextract
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine


def build_stock_engine() -> AnalyzerEngine:
    """Return an engine that needs neither a model nor the network."""
    # Its own list of public suffixes, or it asks the network at the first e-mail address.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    nlp_engine = SpacyNlpEngine()
    nlp_engine.nlp = {"en": spacy.blank("en")}  # type: ignore[assignment]
    return AnalyzerEngine(registry=registry, nlp_engine=nlp_engine)
