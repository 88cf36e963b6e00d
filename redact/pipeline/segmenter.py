"""Analyses and renders segments, with a cache of both.

By the keyed hash of a segment the cache holds its analysis, which depends on the text alone, and
its outputs, which also depend on the record's names that occur in it. Failures are cached too, so
that a hostile text costs its time once.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import NamedTuple, TypeVar

from redact.analysis.segment_cache import SegmentCache, segment_key
from redact.analysis.segment_parts import (
    MarkedLiteral,
    SegmentAnalysis,
    SegmentFailure,
    TextSegment,
)
from redact.analysis.segments import SegmentAnalyser
from redact.crypto.keys import Keys
from redact.crypto.pseudonyms import Pseudonyms, build_operators
from redact.field_keys.key_book import KeyBook
from redact.identities.extraction import identities_from_prose
from redact.identities.identity import NO_IDENTITIES
from redact.identities.identity_search import IdentityFinder, RecordIdentities
from redact.lexical.embedded_files import FILE_TYPE
from redact.lexical.findings import NamesStage, PiiFinding
from redact.pipeline.record_draft import AnalysedSegment
from redact.pipeline.watchdog import StalledError, Watchdog
from redact.policies.policy import FieldClass, RedactionPolicy
from redact.recognition.policy_detector import PolicyDetector
from redact.rendering.rendered import RenderedSegment
from redact.rendering.renderer import SecondPassRenderer, SegmentRenderer, find_names_in_segment
from redact.screening.free_text import FreeTextNames
from schemas.reasons import QuarantineReason

T = TypeVar("T")

SEGMENT_CACHE_BYTES = 64 * 1024 * 1024
"""About 28,000 segments: the new ones of some 17,000 records."""

_WEIGHT = 900
"""Approximate size in bytes of a cached segment, without its marks and outputs."""

_MARK_WEIGHT = 350
_OUTPUT_WEIGHT = 400
_REPLACED_WEIGHT = 90
_MOST_NAMES = 256
_MOST_OUTPUTS = 64
"""Maximum names of a shared segment (a system prompt) before names and outputs are dropped."""

_MOST_RENDERERS = 1_000
_SERIALS = count(1)
_FREE = b"f"
"""The context of the cache keys of free text."""


class _Waiting(NamedTuple):
    """A new segment waiting for the model: the literals to read, None for the entire text."""

    analysed: AnalysedSegment
    text: str
    literals: Sequence[MarkedLiteral | None]


class Segmenter:
    """Analyses and renders segments under one policy.

    With ``report`` kept types are searched for as well, so that they can be reported.
    """

    def __init__(
        self,
        policy: RedactionPolicy,
        keys: Keys,
        book: KeyBook,
        names: NamesStage | None = None,
        *,
        report: bool = False,
    ) -> None:
        self._policy = policy
        self._by_app = policy.scope == "app"
        self._apps = frozenset(policy.apps)
        self.watchdog = Watchdog(policy.text_seconds)
        self._secret = keys.cache
        self.pseudonyms = Pseudonyms(keys, policy.regions)
        self._operators = build_operators(self.pseudonyms)
        self.detector = PolicyDetector(
            policy,
            types=None if report else policy.replaced_types(),
            until=lambda: self.watchdog.deadline,
        )
        self.analyser = SegmentAnalyser(self.detector, book, files=_replaces_files(policy))
        self._free_text = FreeTextNames(names, policy.replaced_types())
        self.cache: SegmentCache[AnalysedSegment] = SegmentCache(SEGMENT_CACHE_BYTES)
        self._output_hits = self._output_misses = 0
        self._renderers: dict[tuple[FieldClass, str, bool], tuple[int, SegmentRenderer]] = {}
        self._allowed = frozenset(word.casefold() for word in policy.allow)

    def statistics(self) -> Mapping[str, int]:
        """Return the cache hits and misses of segments and outputs, and the number of segments."""
        return {
            "segment_hits": self.cache.hits,
            "segment_misses": self.cache.misses,
            "segments_kept": len(self.cache),
            "output_hits": self._output_hits,
            "output_misses": self._output_misses,
        }

    def analyse(self, segments: Sequence[TextSegment]) -> list[AnalysedSegment]:
        """Analyse segments; the model looks for names in all of them at once.

        Raises:
            StalledError: an analysis did not finish; there is no result.
        """
        results: list[AnalysedSegment] = []
        waiting: dict[bytes, _Waiting] = {}  # complete only after the model has run
        for segment in segments:
            key = segment_key(self._secret, segment.text, _FREE if segment.free else b"")
            analysed = self.cache.get(key)
            if analysed is None and key in waiting:
                analysed = waiting[key].analysed
            if analysed is None:
                analysed = AnalysedSegment(key, self._attempt(segment), {}, {})
                literals = self._free_text.readable_literals(segment, analysed.analysis)
                if literals:
                    waiting[key] = _Waiting(analysed, segment.text, literals)
                else:
                    self._store(analysed)
            results.append(analysed)
        if waiting:
            self._add_names(list(waiting.values()))
        return results

    def render(
        self,
        text: str,
        analysed: AnalysedSegment,
        names: RecordIdentities,
        numbered_renderer: tuple[int, SegmentRenderer],
    ) -> RenderedSegment:
        """Return a segment redacted with the record's identities; it must not be a failure."""
        serial, renderer = numbered_renderer
        asked = -(serial << 64 | names.serial)
        rendered = analysed.outputs.get(asked)
        if rendered is not None:
            self._output_hits += 1
            return rendered
        occurring = self._occurring_names(text, analysed, names) if names.finders else []
        which = _output_id(serial, occurring)
        rendered = analysed.outputs.get(which)
        if len(analysed.outputs) >= _MOST_OUTPUTS:
            analysed.outputs.clear()
        if rendered is None:
            rendered = self._render_with(text, analysed, renderer, occurring)
            self._output_misses += 1
        else:
            self._output_hits += 1
        analysed.outputs[which] = analysed.outputs[asked] = rendered
        return rendered

    def _render_with(
        self,
        text: str,
        analysed: AnalysedSegment,
        renderer: SegmentRenderer,
        occurring: Sequence[IdentityFinder],
    ) -> RenderedSegment:
        if isinstance(analysed.analysis, SegmentFailure):
            raise TypeError("a segment that failed cannot be rendered")
        findings = [
            finding for finder in occurring for finding in analysed.occurrences[finder.serial]
        ]
        rendered = renderer.render(text, analysed.analysis, occurring, findings)
        weight = _OUTPUT_WEIGHT + len(rendered.text) + _REPLACED_WEIGHT * len(rendered.replaced)
        self.cache.store(analysed.key, analysed, weight)
        return rendered

    def _occurring_names(
        self, text: str, analysed: AnalysedSegment, names: RecordIdentities
    ) -> list[IdentityFinder]:
        """Return the names of a record that occur in a segment."""
        occurrences = analysed.occurrences
        if any(finder.serial not in occurrences for finder in names.finders):
            if isinstance(analysed.analysis, SegmentFailure):
                raise TypeError("a segment that failed cannot be rendered")
            found = find_names_in_segment(text, analysed.analysis, names)
            if occurrences and len(occurrences) <= _MOST_NAMES:
                occurrences = occurrences | names.absent | found
            else:  # most segments are of one record: those without a name share one dictionary
                occurrences = names.absent | found if found else names.absent
            analysed.occurrences = occurrences
        return [finder for finder in names.finders if occurrences[finder.serial]]

    def watched(self, work: Callable[[], T]) -> T:
        """Return the result of work with the detector, which the watchdog restarts if it hangs."""
        return self.watchdog.run(work)

    def replaces(self, finding: PiiFinding) -> bool:
        """Return whether the policy replaces a finding, whatever the class of the field."""
        rule = self._policy.entities.get(finding.type)
        return rule is not None and rule.operator != "keep" and finding.score >= rule.score

    def scope(self, app: str) -> str:
        """Return the scope of stable pseudonyms: an app, or (empty) the lake."""
        return app if self._by_app else ""

    def renderer(self, field_class: FieldClass, app: str) -> SegmentRenderer:
        """Return the renderer of a class of fields in an app."""
        return self.numbered_renderer(field_class, app)[1]

    def _attempt(self, segment: TextSegment) -> SegmentAnalysis | SegmentFailure:
        try:
            return self.watchdog.run(partial(self.analyser.analyse, segment.text))
        except (MemoryError, StalledError):
            raise
        except Exception as error:  # noqa: BLE001  # fail closed, whatever it was
            return SegmentFailure(QuarantineReason.REDACTION_FAILED, type(error).__name__)

    def _add_names(self, fresh: Sequence[_Waiting]) -> None:
        """Run the model over new free text, and add its names to the analyses."""
        asked = [(each, literal) for each in fresh for literal in each.literals]
        results = self._free_text.names([_text_of(each, literal) for each, literal in asked])
        for (each, literal), names in zip(asked, results, strict=True):
            analysis = each.analysed.analysis
            if isinstance(analysis, SegmentFailure):
                continue
            if isinstance(names, SegmentFailure):
                each.analysed.analysis = names
            elif names and literal is None:
                analysis.findings = (*analysis.findings, *names)
                analysis.learnt |= identities_from_prose(each.text, names)
            elif names and literal is not None:
                literal.findings = (*literal.findings, *names)
                analysis.learnt |= identities_from_prose(literal.text, names)
        for each in fresh:
            self._store(each.analysed)

    def _store(self, analysed: AnalysedSegment) -> None:
        """Cache a segment whose analysis is complete."""
        if isinstance(analysed.analysis, SegmentAnalysis):
            analysed.analysis.drop_prose()
            if not analysed.analysis.learnt:
                analysed.analysis.learnt = NO_IDENTITIES  # each empty set takes 216 bytes
        self.cache.store(analysed.key, analysed, _weight(analysed.analysis))

    def numbered_renderer(
        self, field_class: FieldClass, app: str, *, redacted_before: bool = False
    ) -> tuple[int, SegmentRenderer]:
        """Return the renderer of a class of fields in an app, and its number.

        With ``redacted_before`` it renders texts that were redacted before.
        """
        scope = self.scope(app)
        who = (field_class, app if scope or app in self._apps else "", redacted_before)
        cached = self._renderers.get(who)
        if cached is None:
            build = SecondPassRenderer if redacted_before else SegmentRenderer
            renderer = build(
                self._policy.rules(field_class, app),
                self._operators,
                self.pseudonyms,
                scope=scope,
                allowed=self._is_allowed(),
            )
            if len(self._renderers) >= _MOST_RENDERERS:
                self._renderers.clear()
            cached = self._renderers[who] = (next(_SERIALS), renderer)
        return cached

    def _is_allowed(self) -> Callable[[str], bool] | None:
        allowed = self._allowed
        return (lambda value: value.casefold() in allowed) if allowed else None


def _replaces_files(policy: RedactionPolicy) -> bool:
    return FILE_TYPE in policy.replaced_types()


def _text_of(waiting: _Waiting, literal: MarkedLiteral | None) -> str:
    return waiting.text if literal is None else literal.text


def _output_id(renderer: int, names: Sequence[IdentityFinder]) -> int:
    """Return a number that identifies a renderer with a set of names."""
    which = renderer
    for finder in names:
        which = which << 32 | finder.serial
    return which


def _weight(analysis: SegmentAnalysis | SegmentFailure) -> int:
    """Return the approximate size of an analysis in bytes."""
    if isinstance(analysis, SegmentFailure) or analysis.marks is None:
        return _WEIGHT
    return _WEIGHT + sum(_MARK_WEIGHT + len(mark.text) for mark in analysis.marks)
