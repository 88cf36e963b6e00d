"""Selects the free text that the name model reads, and filters its findings.

Short texts are passed to the model together, which is cheaper.
"""

import re
from collections.abc import Collection, Sequence

from redact.analysis.segment_parts import (
    MarkedLiteral,
    SegmentAnalysis,
    SegmentFailure,
    TextSegment,
)
from redact.field_keys.dummy_values import is_ordinary_word
from redact.lexical.findings import NamesStage, PiiFinding
from redact.lexical.given_names import is_given_name
from redact.lexical.thing_numbers import is_fraction, is_within_code
from redact.ner.labels import LABEL_TYPES
from redact.ner.stage import NerStage
from redact.policies.policy import RedactionPolicy
from redact.screening.ner_gate import blank_code_and_keys, needs_ner
from redact.screening.software_names import is_not_a_person
from schemas.reasons import QuarantineReason

_WORD = re.compile(r"[^\W\d_]{3}")
_MEASURE = re.compile(r"[0-9]+[.,][0-9]+ ?(?!am\b|pm\b|h\b|uhr\b)[^\W\d_]{1,4}", re.IGNORECASE)
"""`13.2 g`: a number with its unit, not a time of day."""
_SHORT = 4_000
"""Length of a text that a model reads in one piece, far within the time limit of a text."""


def load_names_stage(
    policy: RedactionPolicy, wanted_types: Collection[str] | None = None
) -> NamesStage | None:
    """Load the name model of a policy; it finds only the ``wanted_types``.

    Raises:
        UsageError: there is no such model.
    """
    if policy.names.model == "none":
        return None
    types = policy.entities if wanted_types is None else wanted_types
    labels = policy.names.labels or LABEL_TYPES
    used = {label: kind for label, kind in labels.items() if kind in types}
    return NerStage(policy.names.model, labels=used)


class FreeTextNames:
    """Runs the model where a name may occur: findings of ``replaced`` types explain a word."""

    def __init__(self, stage: NamesStage | None, replaced: Collection[str]) -> None:
        self._stage = stage
        self._replaced = replaced
        self._shown: dict[str, str] = {}  # of texts waiting to be read

    def readable_literals(
        self, segment: TextSegment, analysis: SegmentAnalysis | SegmentFailure
    ) -> list[MarkedLiteral | None]:
        """Return the parts of a segment for the model: literals of JSON, or None for all of it.

        The list is empty unless the segment is free text and may contain a name.
        """
        if not segment.free or self._stage is None or isinstance(analysis, SegmentFailure):
            return []
        if analysis.marks is None:
            return [None] if self._needs_model(segment.text, analysis.findings) else []
        return [mark for mark in analysis.prose if self._needs_model(mark.text, mark.findings)]

    def _needs_model(self, text: str, findings: Sequence[PiiFinding]) -> bool:
        # Some calls look for kept types too, which must not change the result.
        explained = [finding for finding in findings if finding.type in self._replaced]
        shown = blank_code_and_keys(text)
        worth = needs_ner(shown, explained)
        if worth:
            self._shown[text] = shown
        return worth

    def names(self, texts: Sequence[str]) -> list[list[PiiFinding] | SegmentFailure]:
        """Return the names in each text, or the failure of its analysis."""
        short = [index for index, text in enumerate(texts) if len(text) <= _SHORT]
        together = self._read([texts[index] for index in short])
        if isinstance(together, SegmentFailure):
            # One of them failed: read each alone, so that only that one is lost.
            short, together = [], []
        results = dict(zip(short, together, strict=True))
        names = [
            results[index] if index in results else self._read_alone(text)
            for index, text in enumerate(texts)
        ]
        self._shown.clear()
        return names

    def _read_alone(self, text: str) -> list[PiiFinding] | SegmentFailure:
        result = self._read([text])
        return result if isinstance(result, SegmentFailure) else result[0]

    def _read(self, texts: Sequence[str]) -> list[list[PiiFinding]] | SegmentFailure:
        if self._stage is None or not texts:
            return [[] for _ in texts]
        try:
            shown = self._shown
            names = self._stage.find(
                [shown.get(text) or blank_code_and_keys(text) for text in texts]
            )
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  # fail closed, whatever it was
            return SegmentFailure(QuarantineReason.REDACTION_FAILED, type(error).__name__)
        return [
            [finding for finding in findings if _is_likely(text, finding)]
            for text, findings in zip(texts, names, strict=True)
        ]


def _may_be_time(value: str) -> bool:
    """Return whether a value has a word or a digit and is not a number with its unit."""
    if _MEASURE.fullmatch(value) is not None:
        return False
    return _WORD.search(value) is not None or any(map(str.isdigit, value))


def _is_likely(text: str, finding: PiiFinding) -> bool:
    """Return whether a finding of the model is plausible.

    A person's name has plausible words, and an address has a word. A finding with digits must not
    lie within a code.
    """
    start, end = finding.start, finding.end
    value = text[start:end]
    if not _fits_type(text, start, value, finding.type):
        return False
    if not any(map(str.isdigit, text[max(start - 1, 0) : end + 1])):
        return True
    glued = text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()
    if is_within_code(text, start, end) or (value.isdecimal() and glued):
        return False
    return finding.type == "PERSON" or not is_fraction(text, start, end)


def _fits_type(text: str, start: int, value: str, kind: str) -> bool:
    """Return whether a finding of the model fits its type by its letters and digits."""
    if kind == "PERSON":
        if is_not_a_person(value) or _is_word_of_keys(value) or _is_noun(text, start, value):
            return False
    elif kind == "STREET_ADDRESS":
        if "\t" in value or _WORD.search(value) is None:
            return False
    elif kind == "DATE_TIME":
        return _may_be_time(value)
    elif kind == "ZIP_CODE":
        longest = _LONGEST_BARE_ZIP if value.isdecimal() else _LONGEST_ZIP
        return _SHORTEST_ZIP <= len(value) <= longest and any(map(str.isdigit, value))
    is_code = value.isupper() and value.isalpha() and len(value) <= _LONGEST_CODE.get(kind, 0)
    return not is_code or is_given_name(value)


def _is_noun(text: str, start: int, value: str) -> bool:
    """Return whether an article precedes a single capitalised word: `im Markt`, `au Dépôt`."""
    if not value.isalpha() or is_given_name(value):
        return False
    return _ARTICLE.search(text, max(start - _LONGEST_ARTICLE, 0), start) is not None


_ARTICLE = re.compile(
    r"(?<![^\W_])(?:im|am|zum|zur|vom|beim|ins|ans|au|aux|un|une|cet|cette|los|las|una|gli|nel|nella|"
    r"dal|dalla|alla|uno|het|een)[ ]\Z",
    re.IGNORECASE,
)
_LONGEST_ARTICLE = 8


def _is_word_of_keys(value: str) -> bool:
    """Return whether a single word that the model takes for a person is a word of keys."""
    return value.isalpha() and is_ordinary_word(value) and not is_given_name(value)


_SHORTEST_ZIP = 4
_LONGEST_ZIP = 10
_LONGEST_BARE_ZIP = 7
_LONGEST_CODE = {"STREET_ADDRESS": 4, "PERSON": 3}
"""Longest run of capitals that is a code such as `EUR`, not a name of the type."""
