"""Records in progress: their segments, analysed and rendered, and what became of them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from redact.analysis.segment_parts import SegmentAnalysis, SegmentFailure, TextSegment
from redact.identities.identity import NO_IDENTITIES, IdentityValue
from redact.identities.identity_search import RecordIdentities, identities_of
from redact.lexical.findings import PiiFinding
from redact.pipeline.audit import AuditCount, AuditReplacement
from redact.pipeline.record_slots import MapSlot, RecordSlots
from redact.pipeline.stand_in_shield import StandInShield
from redact.policies.policy import FieldClass
from redact.rendering.rendered import RenderedSegment


class AnalysedSegment(msgspec.Struct, gc=False):
    """A cached segment: its analysis, the occurrences of names, and the outputs.

    ``occurrences`` holds those of a name in the segment by the serial of its finder.
    ``outputs`` are keyed by renderer and the names that occur (see ``_output_id``), and, negated,
    by renderer and all names of the record, which is a faster way to the same output.
    """

    key: bytes
    analysis: SegmentAnalysis | SegmentFailure
    occurrences: dict[int, tuple[PiiFinding, ...]]
    outputs: dict[int, RenderedSegment]


NOTHING_KNOWN = identities_of(NO_IDENTITIES)


class RecordDraft(msgspec.Struct, gc=False):
    """The segments of one record, before and after they are rendered.

    ``redacted_before`` says whether they are the output of an earlier pass. ``left`` holds the
    values that the last scan found in ``rendered``.
    """

    segments: Sequence[TextSegment]
    analysed: Sequence[AnalysedSegment]
    classes: Sequence[FieldClass]
    app: str
    redacted_before: bool = False
    identities: RecordIdentities = NOTHING_KNOWN
    rendered: Sequence[RenderedSegment] = ()
    left: frozenset[IdentityValue] = NO_IDENTITIES


class RecordWork(msgspec.Struct, gc=False):
    """One record in progress: its slots, and its texts as a draft.

    ``shield`` is there if the record was redacted before.
    """

    record: Any
    slots: RecordSlots
    maps: list[tuple[MapSlot, FieldClass]]
    draft: RecordDraft
    shield: StandInShield | None = None
    failure: SegmentFailure | None = None
    field: str | None = None
    replaced: Sequence[AuditReplacement] = ()
    kept: tuple[AuditCount, ...] = ()
