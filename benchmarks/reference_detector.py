"""The reference for the accelerated detector: unmodified Presidio, same recognisers, slow.

The accelerated detector must have exactly the same findings (``tests/redact``).
"""

import logging
from collections.abc import Sequence

from presidio_analyzer import AnalyzerEngine, RecognizerRegistry

from benchmarks.presidio_recognisers import LANGUAGE, PlainNlpEngine, presidio_recogniser
from redact.lexical.findings import PiiFinding
from redact.recognition.matching.pattern_recogniser import PatternRecogniser


class ReferenceDetector:
    """Runs every recogniser over every text, in Presidio's own engine.

    Presidio's own log is turned off: at some levels it prints findings.
    """

    def __init__(self, recognisers: Sequence[PatternRecogniser], *, threshold: float = 0.0) -> None:
        logging.getLogger("presidio-analyzer").disabled = True
        self._threshold = threshold
        self._engine = AnalyzerEngine(
            registry=RecognizerRegistry(
                recognizers=[presidio_recogniser(each) for each in recognisers],
                supported_languages=[LANGUAGE],
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
