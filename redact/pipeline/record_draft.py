"""Records in progress: their segments, analysed and rendered, and what became of them."""

from collections.abc import Sequence
from typing import Any

from mypy_extensions import mypyc_attr

from redact.analysis.segment_parts import SegmentAnalysis, SegmentFailure, TextSegment
from redact.identities.identity import NO_IDENTITIES, IdentityValue
from redact.identities.identity_search import RecordIdentities, identities_of
from redact.lexical.findings import PiiFinding
from redact.pipeline.audit import AuditCount, AuditReplacement
from redact.pipeline.record_slots import MapSlot, RecordSlots
from redact.pipeline.stand_in_shield import StandInShield
from redact.policies.policy import FieldClass
from redact.rendering.rendered import RenderedSegment


@mypyc_attr(acyclic=True)
class AnalysedSegment:
    """A cached segment: its analysis, the occurrences of names, and the outputs.

    ``occurrences`` holds those of a name in the segment by the serial of its finder.
    ``outputs`` are keyed by renderer and the names that occur (see ``_output_id``), and, negated,
    by renderer and all names of the record, which is a faster way to the same output.
    """

    __slots__ = ("analysis", "key", "occurrences", "outputs")

    def __init__(
        self,
        key: bytes,
        analysis: SegmentAnalysis | SegmentFailure,
        occurrences: dict[int, tuple[PiiFinding, ...]],
        outputs: dict[int, RenderedSegment],
    ) -> None:
        self.key = key
        self.analysis = analysis
        self.occurrences = occurrences
        self.outputs = outputs


NOTHING_KNOWN = identities_of(NO_IDENTITIES)


@mypyc_attr(acyclic=True)
class RecordDraft:
    """The segments of one record, before and after they are rendered.

    ``redacted_before`` says whether they are the output of an earlier pass. ``left`` holds the
    values that the last scan found in ``rendered``.
    """

    __slots__ = (
        "analysed",
        "app",
        "classes",
        "identities",
        "left",
        "redacted_before",
        "rendered",
        "segments",
    )

    def __init__(  # a plain record
        self,
        segments: Sequence[TextSegment],
        analysed: Sequence[AnalysedSegment],
        classes: Sequence[FieldClass],
        app: str,
        redacted_before: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        self.segments: Sequence[TextSegment] = segments
        self.analysed: Sequence[AnalysedSegment] = analysed
        self.classes: Sequence[FieldClass] = classes
        self.app = app
        self.redacted_before = redacted_before
        self.identities: RecordIdentities = NOTHING_KNOWN
        self.rendered: Sequence[RenderedSegment] = ()
        self.left: frozenset[IdentityValue] = NO_IDENTITIES


@mypyc_attr(acyclic=True)
class RecordWork:
    """One record in progress: its slots, and its texts as a draft.

    ``shield`` is there if the record was redacted before.
    """

    __slots__ = (
        "draft",
        "failure",
        "field",
        "kept",
        "maps",
        "record",
        "replaced",
        "shield",
        "slots",
    )

    def __init__(  # a plain record
        self,
        record: Any,
        slots: RecordSlots,
        maps: list[tuple[MapSlot, FieldClass]],
        draft: RecordDraft,
        shield: StandInShield | None = None,
    ) -> None:
        self.record = record
        self.slots = slots
        self.maps = maps
        self.draft = draft
        self.shield = shield
        self.failure: SegmentFailure | None = None
        self.field: str | None = None
        self.replaced: Sequence[AuditReplacement] = ()
        self.kept: tuple[AuditCount, ...] = ()
