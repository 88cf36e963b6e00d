"""Redaction of decoded records: every field by its class, a record that fails set aside.

For each batch: (1) find the places that hold text; (2) analyse each segment, or remember its
analysis; (3) collect what the record's structured fields say about persons; (4) render each
segment with both; (5) turn the records into rows. A record for which any step fails, for whatever
reason, is rejected: its text never passes, and neither does the text of the exception.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import pyarrow as pa

from redact.cache import SegmentCache, segment_key
from redact.fields import MapSlot, Places, Walker
from redact.findings import Detector, TextTimeoutError
from redact.keys import Keys
from redact.names import NameFinder, finder, learnt_from_user
from redact.policy import FieldClass, Policy
from redact.pseudonyms import Pseudonyms, operators
from redact.recognisers import build_recognisers
from redact.reference import ReferenceDetector
from redact.render import Renderer
from redact.segments import Analyser, Analysis
from redact.structure import KeyBook
from schemas.columns import record_batch
from schemas.provenance import Decoded, RecordKind, Rejected
from schemas.reasons import Reason
from schemas.redacted import Redacted

CACHE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a batch: rows for the table, and the records that could not be redacted."""

    rows: Redacted[pa.RecordBatch]
    rejected: list[Rejected]


class Redactor(Protocol):
    """Redacts batches of records under one policy."""

    policy_hash: str

    def redact(self, decoded: Decoded[Any], *, ingested_at: int) -> Outcome:
        """Redact a batch. The records are changed in place; never raises for a bad record.

        ``ingested_at`` in microseconds since 1970 (UTC).
        """

    def statistics(self) -> dict[str, int]:
        """Return counters since the start: records, findings, look-ups of segments."""


def build_redactor(policy: Policy, keys: Keys) -> Redactor:
    """Make the redactor of a policy. It pickles as its policy and keys, and is built anew."""
    return OpenDoor() if policy.off else PolicyRedactor(policy, keys)


class OpenDoor:
    """The redactor of the policy `off`: everything passes as it is."""

    policy_hash = "off"

    def redact(self, decoded: Decoded[Any], *, ingested_at: int) -> Outcome:
        """Return all records as rows."""
        batch = record_batch(decoded.kind, decoded, ingested_at=ingested_at, policy="off")
        return Outcome(Redacted(batch, "off"), [])

    def statistics(self) -> dict[str, int]:
        """Return nothing: nothing is counted."""
        return {}


class PolicyRedactor:
    """Redacts by a policy, with the detectors that it asks for."""

    def __init__(self, policy: Policy, keys: Keys) -> None:
        self.policy_hash = policy.hash
        self._policy = policy
        self._keys = keys
        self._pseudonyms = Pseudonyms(keys)
        self._operators = operators(self._pseudonyms)
        self._book = KeyBook(policy.keys)
        self._analyser = Analyser(_detector(policy), self._book)
        self._walkers = {kind: Walker(kind.value) for kind in RecordKind}
        self._analyses: SegmentCache[Analysis] = SegmentCache(CACHE_BYTES)
        self._renderers: dict[tuple[FieldClass, str], Renderer] = {}
        self._allowed = frozenset(word.casefold() for word in policy.allow)
        self._segment_values = frozenset(policy.segments.allow)
        self._counts = {"records": 0, "rejected": 0, "findings": 0}

    def __reduce__(self) -> tuple[Callable[..., Redactor], tuple[Policy, Keys]]:
        return build_redactor, (self._policy, self._keys)

    def statistics(self) -> dict[str, int]:
        """Return counters since the start, and the size of the cache."""
        cache = self._analyses
        return {
            **self._counts,
            "segment_hits": cache.hits,
            "segment_misses": cache.misses,
            "segments_cached": len(cache),
        }

    def redact(self, decoded: Decoded[Any], *, ingested_at: int) -> Outcome:
        """Redact a batch; see :class:`Redactor`."""
        kept: list[int] = []
        rejected: list[Rejected] = []
        for index in range(len(decoded)):
            reason, detail = self._try(decoded, index)
            if reason is None:
                kept.append(index)
            else:
                rejected.append(_rejected(decoded, index, reason, detail))
        self._counts["records"] += len(decoded)
        self._counts["rejected"] += len(rejected)
        passed = decoded if not rejected else _subset(decoded, kept)
        batch = record_batch(decoded.kind, passed, ingested_at=ingested_at, policy=self.policy_hash)
        return Outcome(Redacted(batch, self.policy_hash), rejected)

    def _try(self, decoded: Decoded[Any], index: int) -> tuple[Reason | None, str]:
        try:
            self._redact(self._walkers[decoded.kind], decoded.records[index])
        except TextTimeoutError:
            return Reason.REDACTION_TIMEOUT, "A text of the record took too long to look through."
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  # fail closed, whatever it was
            return Reason.REDACTION_FAILED, f"Redaction stopped with {type(error).__name__}."
        return None, ""

    def _redact(self, walker: Walker, record: Any) -> None:
        places = walker.places(record)
        app = getattr(record, "app", "")
        analyses = [
            self._analysis(s.text, json=s.field_class == "redact_json") for s in places.texts
        ]
        maps = [(slot, _as_json(slot)) for slot in places.maps if slot.field_class]
        map_analyses = [self._analysis(text, json=True) for _, text in maps]
        names = _names(places, [*analyses, *map_analyses])
        for slot, analysis in zip(places.texts, analyses, strict=True):
            new = self._render(slot.text, analysis, names, slot.field_class, app)
            setattr(slot.owner, slot.name, new)
        for (held, text), analysis in zip(maps, map_analyses, strict=True):
            new = self._render(text, analysis, names, held.field_class or "redact", app)
            setattr(held.owner, held.name, msgspec.json.decode(new, type=dict[str, str]))
        for held in places.maps:
            if held.field_class is None:
                setattr(held.owner, held.name, self._segments(getattr(held.owner, held.name)))
        scope = self._scope(app)
        for place in places.ids:
            new = self._pseudonyms.identifier("USER_ID", place.value, scope)
            setattr(place.owner, place.name, new)

    def _analysis(self, text: str, *, json: bool) -> Analysis:
        key = segment_key(self._keys.cache, text, b"json" if json else b"text")
        analysis = self._analyses.get(key)
        if analysis is None:
            analysis = self._analyser.analyse(text, json=json)
            self._analyses.put(key, analysis, 400 + len(text))
        return analysis

    def _render(
        self,
        text: str,
        analysis: Analysis,
        names: NameFinder | None,
        field_class: FieldClass,
        app: str,
    ) -> str:
        rendered = self._renderer(field_class, app).render(text, analysis, names)
        self._counts["findings"] += len(rendered.replaced)
        return rendered.text

    def _renderer(self, field_class: FieldClass, app: str) -> Renderer:
        scope = self._scope(app)
        key = (field_class, app if scope or app in self._policy.apps else "")
        if key not in self._renderers:
            self._renderers[key] = Renderer(
                self._policy.rules(field_class, app),
                self._operators,
                self._pseudonyms,
                scope=scope,
                allowed=self._is_allowed,
            )
        return self._renderers[key]

    def _is_allowed(self, value: str) -> bool:
        return bool(self._allowed) and value.casefold() in self._allowed

    def _scope(self, app: str) -> str:
        return app if self._policy.scope == "app" else ""

    def _segments(self, segments: dict[str, str]) -> dict[str, str]:
        return {
            key: value
            if value.casefold() in self._segment_values
            else self._pseudonyms.identifier("SEGMENT", f"{key}={value}")
            for key, value in segments.items()
        }


def _detector(policy: Policy) -> Detector:
    return ReferenceDetector(build_recognisers(policy))


def _names(places: Places, analyses: list[Analysis]) -> NameFinder | None:
    learnt = frozenset().union(
        *(analysis.learnt for analysis in analyses),
        *(learnt_from_user(place.value) for place in places.ids),
    )
    return finder(learnt)


def _as_json(slot: MapSlot) -> str:
    return msgspec.json.encode(getattr(slot.owner, slot.name)).decode()


def _rejected(decoded: Decoded[Any], index: int, reason: Reason, detail: str) -> Rejected:
    return Rejected(
        topic=decoded.topic,
        reason=reason.value,
        detail=detail,
        raw=decoded.raws[index],
        schema_id=decoded.schema_ids[index],
    )


def _subset(decoded: Decoded[Any], kept: list[int]) -> Decoded[Any]:
    return Decoded(
        kind=decoded.kind,
        topic=decoded.topic,
        records=[decoded.records[i] for i in kept],
        partitions=[decoded.partitions[i] for i in kept],
        offsets=[decoded.offsets[i] for i in kept],
        schema_ids=[decoded.schema_ids[i] for i in kept],
        raws=[decoded.raws[i] for i in kept],
    )
