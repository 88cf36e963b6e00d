"""The reference for the accelerated detector: unmodified Presidio, same recognisers, slow.

The accelerated detector must have exactly the same findings (``tests/redact``).
"""

from collections.abc import Sequence

from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry

from redact.lexical.findings import PiiFinding
from redact.recognition.catalogue import LANGUAGE
from redact.recognition.plain_tokens import PlainNlpEngine


class ReferenceDetector:
    """Runs every recogniser over every text, in Presidio's own engine."""

    def __init__(self, recognisers: Sequence[EntityRecognizer], *, threshold: float = 0.0) -> None:
        self._threshold = threshold
        self._engine = AnalyzerEngine(
            registry=RecognizerRegistry(
                recognizers=list(recognisers), supported_languages=[LANGUAGE]
            ),
            nlp_engine=PlainNlpEngine(),
            supported_languages=[LANGUAGE],
        )

    def find(self, text: str) -> list[PiiFinding]:
        """Return the findings of Presidio, ordered by position."""
        results = self._engine.analyze(text, language=LANGUAGE, score_threshold=self._threshold)
        return sorted(
            {PiiFinding(r.entity_type, r.start, r.end, round(r.score, 6)) for r in results}
        )
