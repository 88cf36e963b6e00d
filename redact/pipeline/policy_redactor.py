"""Redacts decoded records field by field, by class; a record that fails is rejected.

For each batch: (1) collect the slots that hold text; (2) analyse each segment, or reuse its cached
analysis; (3) collect the identities that the record states; (4) render each segment with both;
(5) scan the output once more, and render it again with the residual findings; (6) turn the records
into rows. If any step fails, for whatever reason, the record is rejected: neither its text nor the
text of the exception passes.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from redact.analysis.segments import SegmentFailure, TextSegment
from redact.crypto.keys import Keys
from redact.crypto.sealing import fingerprint
from redact.field_keys.key_book import KeyBook
from redact.identities.extraction import IdentityValue, identities_from_user_id, merge_identities
from redact.identities.identity_search import RecordIdentities, identities_of
from redact.lexical.findings import PiiFinding
from redact.pipeline.audit import AuditCount, AuditEntry, AuditReplacement
from redact.pipeline.field_walker import FieldWalker, MapSlot, RecordSlots
from redact.pipeline.identifiers import IdentifierRedactor
from redact.pipeline.redactor import FOUND_BY_PROOF, RedactionOutcome
from redact.pipeline.segmenter import SEGMENT_CACHE_BYTES, AnalysedSegment, Segmenter
from redact.pipeline.stored_fields import JOIN_KEYS, StoredFieldScanner
from redact.pipeline.watchdog import StalledError
from redact.policies.policy import FieldClass, RedactionPolicy
from redact.rendering.renderer import KEEP_OPERATOR, RenderedReplacement, RenderedSegment
from redact.rendering.residual_scan import RESIDUAL_SCAN_BYTES, ResidualScanner
from redact.screening.free_text import load_names_stage
from schemas.columns import record_batch
from schemas.reasons import QuarantineReason
from schemas.record_batches import DecodedBatch, RecordKind, RejectedRecord
from schemas.redacted import Redacted


class _Work(msgspec.Struct, gc=False):
    """One record in progress: its slots, and its segments among those of the batch."""

    record: Any
    slots: RecordSlots
    maps: list[tuple[MapSlot, FieldClass]]
    segments: list[TextSegment]
    failure: SegmentFailure | None = None
    field: str | None = None
    kept: tuple[AuditCount, ...] = ()


class RedactedBatch(NamedTuple):
    """The result of redacting a batch in place: rows that passed, rejected records, audit."""

    passed: list[int]
    rejected: list[RejectedRecord]
    audit: list[AuditEntry]


class RedactedText(NamedTuple):
    """A redacted text, the findings (offsets into the input), and the replacements."""

    text: str
    findings: list[PiiFinding]
    replaced: tuple[RenderedReplacement, ...]


class PolicyRedactor:
    """Redacts by a policy, with the detectors that the policy requires.

    With ``audit`` it reports what it did to each record. With ``report`` it also looks for types
    that are kept, and reports those too; the output is the same.
    """

    def __init__(
        self, policy: RedactionPolicy, keys: Keys, *, audit: bool = False, report: bool = False
    ) -> None:
        self._policy = policy
        self._keys = keys
        self._audit = audit
        self._report = report
        stage = load_names_stage(policy, None if report else policy.replaced_types())
        self.model = stage.identity if stage else ""
        self.policy_hash = policy.hash_with(self.model)
        self.book = KeyBook(policy.keys)
        self.segmenter = Segmenter(policy, keys, self.book, stage, report=report)
        self._identifiers = IdentifierRedactor(self.segmenter.pseudonyms, policy.segments.allow)
        self._scanner = ResidualScanner(policy, keys.cache, self.book)
        self._writers_read = frozenset(policy.names.read)
        self._stored_fields = StoredFieldScanner(
            self.segmenter.detector,
            self.segmenter.pseudonyms,
            self.segmenter.replaces,
            denied=bool(policy.deny),
        )
        self._found_by_proof: Counter[str] = Counter()
        self._walkers = {kind: FieldWalker(kind.value) for kind in RecordKind}
        self.memory_bytes = SEGMENT_CACHE_BYTES + RESIDUAL_SCAN_BYTES
        self._counts = {"records": 0, "rejected": 0, "findings": 0}

    def __reduce__(
        self,
    ) -> tuple[Callable[..., "PolicyRedactor"], tuple[RedactionPolicy, Keys, bool, bool]]:
        return _rebuild, (self._policy, self._keys, self._audit, self._report)

    def statistics(self) -> dict[str, int]:
        """Return counters since the start; see also :meth:`Segmenter.statistics`.

        ``found_by_proof_TYPE`` counts the values of a type that only the residual scan found.
        """
        proof = {f"{FOUND_BY_PROOF}{kind}": n for kind, n in sorted(self._found_by_proof.items())}
        return {**self._counts, **proof, **self.segmenter.statistics()}

    def redact(self, decoded: DecodedBatch[Any], *, ingested_at: int) -> RedactionOutcome:
        """Redact a batch; see :class:`Redactor`."""
        redacted = self.in_place(decoded)
        passed = decoded if not redacted.rejected else decoded.subset(redacted.passed)
        batch = record_batch(decoded.kind, passed, ingested_at=ingested_at, policy=self.policy_hash)
        return RedactionOutcome(
            Redacted(batch, self.policy_hash), redacted.rejected, redacted.audit
        )

    def in_place(self, decoded: DecodedBatch[Any]) -> RedactedBatch:
        """Redact the records of a batch in place. Rejected records must not be used."""
        walker = self._walkers[decoded.kind]
        works = [self._collect(walker, record) for record in decoded.records]
        analysed = iter(self.segmenter.analyse([s for work in works for s in work.segments]))
        self._scan_stored_fields(works)
        outcome = RedactedBatch([], [], [])
        for index, work in enumerate(works):
            own = [next(analysed) for _ in work.segments]
            positions = self._finish(work, own)
            if work.failure is not None:
                outcome.rejected.append(_reject(decoded, index, work))
                continue
            outcome.passed.append(index)
            if self._audit:
                outcome.audit.append(self._audit_entry(decoded, index, work, positions))
        self._counts["records"] += len(decoded)
        self._counts["rejected"] += len(outcome.rejected)
        return outcome

    def texts(self, segments: Sequence[TextSegment]) -> list[RedactedText | SegmentFailure]:
        """Redact texts that belong to no record, each on its own."""
        return [
            self._redact_text(segment, analysed)
            for segment, analysed in zip(segments, self.segmenter.analyse(segments), strict=True)
        ]

    def _redact_text(
        self, segment: TextSegment, analysed: AnalysedSegment
    ) -> RedactedText | SegmentFailure:
        analysis = analysed.analysis
        if isinstance(analysis, SegmentFailure):
            return analysis
        rendered, identities, left = self._render_and_scan(
            [segment], [analysed], ["redact_json"], "", analysis.learnt
        )
        if left:
            return SegmentFailure(QuarantineReason.RESIDUAL_PII, min(left))
        renderer = self.segmenter.renderer("redact_json", "")
        findings = renderer.reported(segment.text, analysis, identities.finders)
        return RedactedText(rendered[0].text, findings, rendered[0].replaced)

    def _collect(self, walker: FieldWalker, record: Any) -> _Work:
        """Collect the segments of a record: its texts, then its maps as JSON."""
        slots = walker.slots(record)
        maps = [(slot, slot.field_class) for slot in slots.maps if slot.field_class]
        segments = [
            TextSegment(slot.text, free=slot.writer in self._writers_read) for slot in slots.texts
        ]
        free = "attributes" in self._writers_read
        segments += [TextSegment(_as_json(slot), free=free) for slot, _ in maps]
        return _Work(record, slots, maps, segments)

    def _scan_stored_fields(self, works: Sequence[_Work]) -> None:
        """Scan the stored fields of a batch together; a failed group is left to each record."""
        for group in self._stored_fields.groups(work.slots for work in works):
            try:
                self.segmenter.watched(partial(self._stored_fields.check_together, group))
            except (MemoryError, StalledError):
                raise
            except Exception:  # noqa: BLE001, S112  # each record meets it again, and fails closed
                continue

    def _finish(self, work: _Work, analysed: Sequence[AnalysedSegment]) -> list[AuditReplacement]:
        """Put the redacted segments in place; on failure set ``work.failure``."""
        for index, segment in enumerate(analysed):
            if isinstance(segment.analysis, SegmentFailure):
                work.failure, work.field = segment.analysis, _path(work, index)
                return []
        try:
            return self._replace(work, analysed)
        except (MemoryError, StalledError):
            raise
        except Exception as error:  # noqa: BLE001  # fail closed, whatever it was
            work.failure = SegmentFailure(QuarantineReason.REDACTION_FAILED, type(error).__name__)
            return []

    def _replace(self, work: _Work, analysed: Sequence[AnalysedSegment]) -> list[AuditReplacement]:
        slots, record = work.slots, work.record
        app = getattr(record, "app", "")
        classes = [slot.field_class for slot in slots.texts] + [c for _, c in work.maps]
        rendered, identities, left = self._render_and_scan(
            work.segments, analysed, classes, app, _record_identities(slots, analysed)
        )
        if left:
            work.failure = SegmentFailure(QuarantineReason.RESIDUAL_PII, min(left))
            return []
        personal = self.segmenter.watched(lambda: self._stored_fields.personal(slots, identities))
        refused = [each for each in personal if each.name in JOIN_KEYS]
        if refused:
            work.failure, work.field = _personal_id(refused[0].type), refused[0].path
            return []
        hashed = self._stored_fields.replace(personal)
        outputs = [each.text for each in rendered]
        for slot, text in zip(slots.texts, outputs, strict=False):
            setattr(slot.owner, slot.name, text)
        for (map_slot, _), text in zip(work.maps, outputs[len(slots.texts) :], strict=True):
            setattr(map_slot.owner, map_slot.name, msgspec.json.decode(text, type=dict[str, str]))
        self._identifiers.replace(slots, self.segmenter.scope(app))
        self._counts["findings"] += sum([len(each.replaced) for each in rendered])
        if not self._audit:
            return []
        if self._report:
            work.kept = self._count_kept(work.segments, analysed, classes, app, identities)
        replaced = [
            AuditReplacement(
                path, replacement.type, replacement.operator, replacement.start, replacement.end
            )
            for index, output in enumerate(rendered)
            if output.replaced
            for path in (_path(work, index),)
            for replacement in output.replaced
        ]
        return replaced + hashed

    def _count_kept(
        self,
        segments: Sequence[TextSegment],
        analysed: Sequence[AnalysedSegment],
        classes: Sequence[FieldClass],
        app: str,
        identities: RecordIdentities,
    ) -> tuple[AuditCount, ...]:
        """Count the findings in the segments of a record that are kept, by type."""
        kept: Counter[str] = Counter()
        for segment, each, field_class in zip(segments, analysed, classes, strict=True):
            if not isinstance(each.analysis, SegmentFailure):
                renderer = self.segmenter.renderer(field_class, app)
                kept.update(renderer.kept_types(segment.text, each.analysis, identities.finders))
        return tuple(AuditCount(kind, KEEP_OPERATOR, count) for kind, count in sorted(kept.items()))

    def _render_and_scan(
        self,
        segments: Sequence[TextSegment],
        analysed: Sequence[AnalysedSegment],
        classes: Sequence[FieldClass],
        app: str,
        learnt: frozenset[IdentityValue],
    ) -> tuple[list[RenderedSegment], RecordIdentities, frozenset[str]]:
        """Render segments and scan the output, twice if something is left in it.

        Return them with the identities used, and the types still left after the second scan.
        """

        def rendered(identities: RecordIdentities) -> list[RenderedSegment]:
            return [
                self.segmenter.render(segment.text, each, identities, field_class, app)
                for segment, each, field_class in zip(segments, analysed, classes, strict=True)
            ]

        def left(output: Sequence[RenderedSegment]) -> frozenset[IdentityValue]:
            return self._scanner.left([each.text for each in output], learnt, rules)

        rules = self.segmenter.renderer("redact", app).rules
        identities = identities_of(learnt)
        output = rendered(identities)
        missed = left(output)
        if not missed:
            return output, identities, frozenset()
        self._found_by_proof.update([each.type for each in missed])
        identities = identities_of(learnt | missed)
        output = rendered(identities)
        return output, identities, frozenset([each.type for each in left(output)])

    def _audit_entry(
        self,
        decoded: DecodedBatch[Any],
        index: int,
        work: _Work,
        positions: Sequence[AuditReplacement],
    ) -> AuditEntry:
        value = decoded.raws[index].value
        return AuditEntry(
            topic=decoded.topic,
            partition=decoded.partitions[index],
            offset=decoded.offsets[index],
            fingerprint=None if value is None else fingerprint(self._keys.fingerprint, value),
            characters=sum([len(segment.text) for segment in work.segments]),
            positions=tuple(positions),
            kept=work.kept,
            item=decoded.raws[index].item,
        )


def _rebuild(policy: RedactionPolicy, keys: Keys, audit: bool, report: bool) -> PolicyRedactor:  # noqa: FBT001  # from a pickle
    return PolicyRedactor(policy, keys, audit=audit, report=report)


def _path(work: _Work, index: int) -> str:
    texts = work.slots.texts
    return texts[index].path if index < len(texts) else work.maps[index - len(texts)][0].path


def _record_identities(
    slots: RecordSlots, analysed: Sequence[AnalysedSegment]
) -> frozenset[IdentityValue]:
    return merge_identities(
        [
            segment.analysis.learnt
            for segment in analysed
            if not isinstance(segment.analysis, SegmentFailure)
        ]
        + [identities_from_user_id(slot.value) for slot in slots.ids]
    )


def _as_json(slot: MapSlot) -> str:
    return msgspec.json.encode(getattr(slot.owner, slot.name)).decode()


def _personal_id(kind: str) -> SegmentFailure:
    return SegmentFailure(QuarantineReason.PERSONAL_ID, kind)


_DETAILS = {
    QuarantineReason.PERSONAL_ID: "The id `{field}` holds a value of the type {error}.",
    QuarantineReason.REDACTION_FAILED: "Redaction stopped with {error}.",
    QuarantineReason.RESIDUAL_PII: "After redaction a value of the type {error} was still there.",
}


def _reject(decoded: DecodedBatch[Any], index: int, work: _Work) -> RejectedRecord:
    failure = work.failure or SegmentFailure(QuarantineReason.REDACTION_FAILED, "")
    return RejectedRecord(
        topic=decoded.topic,
        reason=failure.reason.value,
        detail=_DETAILS[failure.reason].format(field=work.field, error=failure.error),
        raw=decoded.raws[index],
        field=work.field,
        schema_id=decoded.schema_ids[index],
    )
