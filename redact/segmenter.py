"""Segments analysed and rendered once: whatever was seen before is remembered.

Two things are remembered, each under the keyed hash of the segment: what is personal in it, which
depends on the text alone, and how it looks redacted, which depends on the names that the record
taught as well. A segment that failed is remembered too, so that a hostile text costs its time
once.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from redact.cache import SegmentCache, segment_key
from redact.detect import PolicyDetector
from redact.findings import Finding, NamesStage, TextTimeoutError
from redact.gate import worth_a_model
from redact.keys import Keys
from redact.names import NameFinder, learnt_from_prose
from redact.policy import FieldClass, Policy
from redact.pseudonyms import Pseudonyms, operators
from redact.render import Rendered, Renderer
from redact.segments import Analyser, Analysis
from redact.structure import KeyBook
from schemas.reasons import Reason

ANALYSES_BYTES = 96 * 1024 * 1024
OUTPUTS_BYTES = 96 * 1024 * 1024
_WEIGHT = 600
"""About what an analysis or an output weighs in memory beside its text, in bytes."""


class Segment(msgspec.Struct, frozen=True, gc=False):
    """A text to redact: ``json`` allows it to be taken apart, ``free`` says people wrote it."""

    text: str
    json: bool
    free: bool


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Why a segment cannot be redacted. ``error`` is the name of a type of exception."""

    reason: Reason
    error: str


class Found(msgspec.Struct, frozen=True, gc=False):
    """What is known of a segment: its key in the caches, and its analysis or a failure."""

    key: bytes
    analysis: Analysis | Failure


class Segmenter:
    """Analyses and renders segments under one policy.

    With ``report`` types that are kept are looked for as well, so that they can be told.
    """

    def __init__(
        self, policy: Policy, keys: Keys, names: NamesStage | None = None, *, report: bool = False
    ) -> None:
        self._policy = policy
        self._secret = keys.cache
        self.pseudonyms = Pseudonyms(keys)
        self._operators = operators(self.pseudonyms)
        self._analyser = Analyser(
            PolicyDetector(policy, wanted=None if report else policy.replaced()),
            KeyBook(policy.keys),
        )
        self._names = names
        self._report = report
        self._analyses: SegmentCache[Analysis | Failure] = SegmentCache(ANALYSES_BYTES)
        self._outputs: SegmentCache[Rendered] = SegmentCache(OUTPUTS_BYTES)
        self._renderers: dict[tuple[FieldClass, str], Renderer] = {}
        self._allowed = frozenset(word.casefold() for word in policy.allow)

    def statistics(self) -> Mapping[str, int]:
        """Return how often a segment was known, in both memories, and how many are kept."""
        return {
            "segment_hits": self._analyses.hits,
            "segment_misses": self._analyses.misses,
            "segments_kept": len(self._analyses),
            "output_hits": self._outputs.hits,
            "output_misses": self._outputs.misses,
        }

    def analyse(self, segments: Sequence[Segment]) -> list[Found]:
        """Analyse segments; names in people's free text are looked for in all of them at once."""
        found: list[Found] = []
        fresh: dict[bytes, tuple[Segment, Analysis]] = {}
        for segment in segments:
            context = (b"j" if segment.json else b"t") + (b"f" if segment.free else b"")
            key = segment_key(self._secret, segment.text, context)
            analysis = self._analyses.get(key)
            if analysis is None:
                analysis = self._attempt(segment)
                if isinstance(analysis, Analysis) and self._wants_names(segment, analysis):
                    fresh[key] = (segment, analysis)
                self._analyses.put(key, analysis, _WEIGHT + len(segment.text))
            found.append(Found(key, analysis))
        if fresh:
            named = self._add_names(fresh)
            found = [Found(f.key, named.get(f.key, f.analysis)) for f in found]
        return found

    def render(
        self,
        text: str,
        found: Found,
        names: NameFinder | None,
        field_class: FieldClass,
        app: str,
    ) -> Rendered:
        """Return a segment redacted with what the record taught; ``found`` must be no failure."""
        renderer, who = self._renderer(field_class, app)
        serial = 0 if names is None else names.serial
        context = found.key + serial.to_bytes(8, "big") + who
        rendered = self._outputs.get(context)
        if rendered is None:
            if isinstance(found.analysis, Failure):
                raise TypeError("a segment that failed cannot be rendered")
            rendered = renderer.render(text, found.analysis, names)
            self._outputs.put(context, rendered, _WEIGHT + len(rendered.text))
        return rendered

    def scope(self, app: str) -> str:
        """Return within what a pseudonym stays the same: an app, or (empty) the lake."""
        return app if self._policy.scope == "app" else ""

    def renderer(self, field_class: FieldClass, app: str) -> Renderer:
        """Return the renderer of a class of fields in an app."""
        return self._renderer(field_class, app)[0]

    def _attempt(self, segment: Segment) -> Analysis | Failure:
        try:
            return self._analyser.analyse(segment.text, json=segment.json)
        except TextTimeoutError:
            return Failure(Reason.REDACTION_TIMEOUT, "TextTimeoutError")
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  # fail closed, whatever it was
            return Failure(Reason.REDACTION_FAILED, type(error).__name__)

    def _wants_names(self, segment: Segment, analysis: Analysis) -> bool:
        return (
            segment.free
            and self._names is not None
            and analysis.leaves is None
            and (self._report or worth_a_model(segment.text, analysis.findings))
        )

    def _add_names(
        self, fresh: Mapping[bytes, tuple[Segment, Analysis]]
    ) -> dict[bytes, Analysis | Failure]:
        """Let the model look through new free text, and remember the analyses with its names."""
        results = self._model([segment.text for segment, _ in fresh.values()])
        named: dict[bytes, Analysis | Failure] = {}
        for (key, (segment, analysis)), names in zip(fresh.items(), results, strict=True):
            if isinstance(names, Failure):
                named[key] = names
            elif names:
                learnt = analysis.learnt | learnt_from_prose(segment.text, names)
                named[key] = Analysis((*analysis.findings, *names), None, learnt)
        for key, result in named.items():
            self._analyses.put(key, result, _WEIGHT + len(fresh[key][0].text))
        return named

    def _model(self, texts: Sequence[str]) -> Sequence[list[Finding] | Failure]:
        if self._names is None:
            return [[] for _ in texts]
        try:
            return self._names.find(texts)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  # fail closed, whatever it was
            if len(texts) == 1:
                return [Failure(Reason.REDACTION_FAILED, type(error).__name__)]
        # One of them failed: look at each alone, so that only that one is lost.
        return [result for text in texts for result in self._model([text])]

    def _renderer(self, field_class: FieldClass, app: str) -> tuple[Renderer, bytes]:
        scope = self.scope(app)
        who = (field_class, app if scope or app in self._policy.apps else "")
        if who not in self._renderers:
            self._renderers[who] = Renderer(
                self._policy.rules(field_class, app),
                self._operators,
                self.pseudonyms,
                scope=scope,
                allowed=self._is_allowed(),
            )
        return self._renderers[who], f"{who[0]}/{who[1]}".encode("utf-8", "surrogatepass")

    def _is_allowed(self) -> Callable[[str], bool]:
        allowed = self._allowed
        if not allowed:
            return lambda _value: False
        return lambda value: value.casefold() in allowed
