"""Redacts decoded records field by field, by class; a record that fails is rejected.

For each batch: (1) collect the slots that hold text; (2) analyse each segment, or reuse its cached
analysis; (3) collect the identities that the record states, or all items of its trace in the same
Kafka record; (4) render each segment with both; (5) scan the output once more, and render it again
with the residual findings; (6) turn the records into rows. If any step fails, for whatever reason,
the record is rejected: neither its text nor the text of the exception passes.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from redact.analysis.segment_parts import SegmentFailure, TextSegment
from redact.crypto.keys import Keys
from redact.crypto.sealing import fingerprint
from redact.field_keys.key_book import KeyBook
from redact.identities.extraction import (
    identities_from_user,
    identities_from_user_id,
    join_persons,
    merge_identities,
)
from redact.identities.identity import IdentityValue
from redact.identities.taught_values import TaughtValues, mark_identities
from redact.lexical.findings import PiiFinding
from redact.pipeline.audit import AuditCount, AuditEntry, AuditReplacement
from redact.pipeline.field_walker import FieldWalker
from redact.pipeline.group_rendering import GroupRenderer, group_rows
from redact.pipeline.identifiers import IdentifierRedactor
from redact.pipeline.record_app import app_of
from redact.pipeline.record_draft import AnalysedSegment, RecordDraft, RecordWork
from redact.pipeline.record_slots import MapSlot
from redact.pipeline.redactor import FOUND_BY_PROOF, RedactionOutcome
from redact.pipeline.segmenter import SEGMENT_CACHE_BYTES, Segmenter
from redact.pipeline.stand_in_shield import StandInShield
from redact.pipeline.stored_fields import JOIN_KEYS, StoredFieldScanner
from redact.pipeline.watchdog import StalledError
from redact.policies.policy import RedactionPolicy
from redact.rendering.rendered import RenderedReplacement
from redact.rendering.renderer import KEEP_OPERATOR
from redact.rendering.residual_scan import RESIDUAL_SCAN_BYTES, ResidualScanner
from redact.screening.free_text import load_names_stage
from schemas.columns import record_batch
from schemas.reasons import QuarantineReason
from schemas.record_batches import DecodedBatch, RecordKind, RejectedRecord
from schemas.redacted import Redacted


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
        self._writers_read = frozenset(policy.names.read)
        self._stored_fields = StoredFieldScanner(
            self.segmenter.detector,
            self.segmenter.pseudonyms,
            self.segmenter.replaces,
            denied=bool(policy.deny),
        )
        self._found_by_proof: Counter[str] = Counter()
        apps_differ = policy.scope == "app" or bool(policy.apps)
        self._app: Callable[[Any], str] = app_of if apps_differ else _app_field
        self._taught = TaughtValues(self.segmenter.pseudonyms.word_mark)
        self._groups = GroupRenderer(
            self.segmenter, ResidualScanner(policy, keys.cache, self.book), self._found_by_proof
        )
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
        return self._outcome(decoded, self.in_place(decoded), ingested_at)

    def redact_again(self, decoded: DecodedBatch[Any], *, ingested_at: int) -> RedactionOutcome:
        """Redact records that were made from redacted rows; see :class:`Redactor`."""
        redacted = self.in_place(decoded, redacted_before=True)
        return self._outcome(decoded, redacted, ingested_at)

    def _outcome(
        self, decoded: DecodedBatch[Any], redacted: RedactedBatch, ingested_at: int
    ) -> RedactionOutcome:
        passed = decoded if not redacted.rejected else decoded.subset(redacted.passed)
        batch = record_batch(decoded.kind, passed, ingested_at=ingested_at, policy=self.policy_hash)
        return RedactionOutcome(
            Redacted(batch, self.policy_hash), redacted.rejected, redacted.audit
        )

    def in_place(
        self, decoded: DecodedBatch[Any], *, redacted_before: bool = False
    ) -> RedactedBatch:
        """Redact the records of a batch in place. Rejected records must not be used.

        With ``redacted_before`` they were made from redacted rows: their stand-ins and pseudonyms
        stay.
        """
        walker = self._walkers[decoded.kind]
        prints = (
            [_print_of(record) for record in decoded.records]
            if redacted_before and self._audit
            else []
        )
        works = [
            self._collect(walker, record, redacted_before=redacted_before)
            for record in decoded.records
        ]
        analysed = iter(self.segmenter.analyse([s for work in works for s in work.draft.segments]))
        for work in works:
            work.draft.analysed = [next(analysed) for _ in work.draft.segments]
        self._scan_stored_fields(works)
        for group in group_rows(decoded):
            self._finish(
                [works[row] for row in group],
                of_items=bool(decoded.groups),
                taught=[decoded.assembly[row].taught for row in group if decoded.assembly],
            )
        outcome = RedactedBatch([], [], [])
        for index, work in enumerate(works):
            if work.failure is not None:
                outcome.rejected.append(_reject(decoded, index, work))
                continue
            outcome.passed.append(index)
            if self._audit:
                original = prints[index] if prints else decoded.raws[index].value
                outcome.audit.append(self._audit_entry(decoded, index, work, original))
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
        draft = RecordDraft([segment], [analysed], ["redact_json"], "")
        self._groups.render([draft], analysis.learnt, lambda _draft, work: work())
        if draft.left:
            return _residual(draft)
        renderer = self.segmenter.renderer("redact_json", "")
        findings = renderer.reported(segment.text, analysis, draft.identities.finders)
        return RedactedText(draft.rendered[0].text, findings, draft.rendered[0].replaced)

    def _collect(self, walker: FieldWalker, record: Any, *, redacted_before: bool) -> RecordWork:
        """Collect the segments of a record: its texts, then its maps as JSON."""
        slots = walker.slots(record)
        maps = [(slot, slot.field_class) for slot in slots.maps if slot.field_class]
        segments = [
            TextSegment(slot.text, free=slot.writer in self._writers_read) for slot in slots.texts
        ]
        free = "attributes" in self._writers_read
        segments += [TextSegment(_as_json(slot), free=free) for slot, _ in maps]
        classes = [slot.field_class for slot in slots.texts] + [c for _, c in maps]
        shield = StandInShield(self.segmenter.pseudonyms) if redacted_before else None
        if shield is not None:
            segments = [shield.covered_segment(segment) for segment in segments]
        draft = RecordDraft(segments, (), classes, self._app(record), redacted_before)
        return RecordWork(record, slots, maps, draft, shield)

    def _scan_stored_fields(self, works: Sequence[RecordWork]) -> None:
        """Scan the stored fields of a batch together; a failed group is left to each record."""
        for group in self._stored_fields.groups(work.slots for work in works):
            try:
                self.segmenter.watched(partial(self._stored_fields.check_together, group))
            except (MemoryError, StalledError):
                raise
            except Exception:  # noqa: BLE001, S112  # each record meets it again, and fails closed
                continue

    def _finish(
        self, group: Sequence[RecordWork], *, of_items: bool, taught: Sequence[Sequence[str]]
    ) -> None:
        """Put the redacted segments of a group in place; on failure set ``failure``.

        ``taught`` are marks of what other rows taught, record by record.
        """
        learn = identities_from_user if of_items else identities_from_user_id
        learnt = merge_identities([part for work in group for part in _identities(work, learn)])
        shield = group[0].shield
        if shield is not None:
            texts = [segment.text for work in group for segment in work.draft.segments]
            learnt = frozenset([v for v in learnt if shield.names_somebody(v.value, texts)])
            learnt |= self._taught.find([mark for marks in taught for mark in marks], texts)
        if of_items:
            marks = mark_identities(join_persons(learnt), self.segmenter.pseudonyms.word_mark)
            for work in group:
                work.record.taught = marks
        sound = {id(work.draft): work for work in group if not _has_failed(work)}

        drafts = [work.draft for work in sound.values()]
        self._groups.render(drafts, learnt, partial(self._attempt_draft, sound))
        for work in sound.values():
            self._attempt(work, partial(self._replace, work))

    def _attempt_draft(
        self, works: Mapping[int, RecordWork], draft: RecordDraft, step: Callable[[], None]
    ) -> None:
        """Run a step for the record of a draft; ``works`` are by the identity of their drafts."""
        self._attempt(works[id(draft)], step)

    def _attempt(self, work: RecordWork, step: Callable[[], None]) -> None:
        """Run a step for a record that has not failed; if it raises, the record has failed."""
        if work.failure is not None:
            return
        try:
            step()
        except (MemoryError, StalledError):
            raise
        except Exception as error:  # noqa: BLE001  # fail closed, whatever it was
            work.failure = SegmentFailure(QuarantineReason.REDACTION_FAILED, type(error).__name__)

    def _replace(self, work: RecordWork) -> None:
        slots, draft = work.slots, work.draft
        if draft.left:
            work.failure = _residual(draft)
            return
        personal = self.segmenter.watched(
            partial(self._stored_fields.personal, slots, draft.identities)
        )
        refused = [each for each in personal if each.name in JOIN_KEYS]
        if refused:
            work.failure, work.field = _personal_id(refused[0].type), refused[0].path
            return
        hashed = self._stored_fields.replace(personal)
        if work.shield is not None:
            draft.rendered = [work.shield.uncover(each) for each in draft.rendered]
        outputs = [each.text for each in draft.rendered]
        for slot, text in zip(slots.texts, outputs, strict=False):
            setattr(slot.owner, slot.name, text)
        for (map_slot, _), text in zip(work.maps, outputs[len(slots.texts) :], strict=True):
            setattr(map_slot.owner, map_slot.name, msgspec.json.decode(text, type=dict[str, str]))
        self._identifiers.replace(
            slots, self.segmenter.scope(draft.app), redacted_before=draft.redacted_before
        )
        self._counts["findings"] += sum(len(each.replaced) for each in draft.rendered)
        if not self._audit:
            return
        if self._report:
            work.kept = self._count_kept(draft)
        replaced = [
            AuditReplacement(
                path, replacement.type, replacement.operator, replacement.start, replacement.end
            )
            for index, output in enumerate(draft.rendered)
            if output.replaced
            for path in (_path(work, index),)
            for replacement in output.replaced
        ]
        work.replaced = replaced + hashed

    def _count_kept(self, draft: RecordDraft) -> tuple[AuditCount, ...]:
        """Count the findings in the segments of a record that are kept, by type."""
        kept: Counter[str] = Counter()
        finders = draft.identities.finders
        for segment, each, field_class in zip(
            draft.segments, draft.analysed, draft.classes, strict=True
        ):
            if not isinstance(each.analysis, SegmentFailure):
                renderer = self.segmenter.renderer(field_class, draft.app)
                kept.update(renderer.kept_types(segment.text, each.analysis, finders))
        return tuple(AuditCount(kind, KEEP_OPERATOR, count) for kind, count in sorted(kept.items()))

    def _audit_entry(
        self,
        decoded: DecodedBatch[Any],
        index: int,
        work: RecordWork,
        value: bytes | None,
    ) -> AuditEntry:
        return AuditEntry(
            topic=decoded.topic,
            partition=decoded.partitions[index],
            offset=decoded.offsets[index],
            fingerprint=None if value is None else fingerprint(self._keys.fingerprint, value),
            characters=sum(len(segment.text) for segment in work.draft.segments),
            positions=tuple(work.replaced),
            kept=work.kept,
            item=decoded.raws[index].item,
        )


def _rebuild(policy: RedactionPolicy, keys: Keys, audit: bool, report: bool) -> PolicyRedactor:  # noqa: FBT001  # from a pickle
    return PolicyRedactor(policy, keys, audit=audit, report=report)


def _path(work: RecordWork, index: int) -> str:
    texts = work.slots.texts
    return texts[index].path if index < len(texts) else work.maps[index - len(texts)][0].path


def _has_failed(work: RecordWork) -> bool:
    """Return whether the analysis of a segment failed; then the record has failed."""
    for index, segment in enumerate(work.draft.analysed):
        if isinstance(segment.analysis, SegmentFailure):
            work.failure, work.field = segment.analysis, _path(work, index)
            return True
    return False


def _identities(
    work: RecordWork, learn: Callable[[str], frozenset[IdentityValue]]
) -> list[frozenset[IdentityValue]]:
    """Return the identities that a record states, text by text."""
    return [
        segment.analysis.learnt
        for segment in work.draft.analysed
        if not isinstance(segment.analysis, SegmentFailure)
    ] + [learn(slot.value) for slot in work.slots.ids]


def _app_field(record: Any) -> str:
    return str(getattr(record, "app", ""))


def _print_of(record: Any) -> bytes:
    """Return what the fingerprint of a record is made of if no producer has sent it."""
    return msgspec.json.encode(record)


def _as_json(slot: MapSlot) -> str:
    return msgspec.json.encode(getattr(slot.owner, slot.name)).decode()


def _residual(draft: RecordDraft) -> SegmentFailure:
    return SegmentFailure(QuarantineReason.RESIDUAL_PII, min(each.type for each in draft.left))


def _personal_id(kind: str) -> SegmentFailure:
    return SegmentFailure(QuarantineReason.PERSONAL_ID, kind)


_DETAILS = {
    QuarantineReason.PERSONAL_ID: "The id `{field}` holds a value of the type {error}.",
    QuarantineReason.REDACTION_FAILED: "Redaction stopped with {error}.",
    QuarantineReason.RESIDUAL_PII: "After redaction a value of the type {error} was still there.",
}


def _reject(decoded: DecodedBatch[Any], index: int, work: RecordWork) -> RejectedRecord:
    failure = work.failure or SegmentFailure(QuarantineReason.REDACTION_FAILED, "")
    return RejectedRecord(
        topic=decoded.topic,
        reason=failure.reason.value,
        detail=_DETAILS[failure.reason].format(field=work.field, error=failure.error),
        raw=decoded.raws[index],
        field=work.field,
        schema_id=decoded.schema_ids[index],
    )
