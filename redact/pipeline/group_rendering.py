"""Renders the segments of records that learn from each other, and scans the output once more.

What one record of a group teaches (a name, an account) is replaced in all of them. A group is one
record of the contract, or the items of one trace in one Kafka record.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from redact.identities.identity import NO_IDENTITIES, IdentityValue
from redact.identities.identity_search import RecordIdentities, identities_of
from redact.pipeline.record_draft import RecordDraft
from redact.pipeline.segmenter import Segmenter
from redact.rendering.residual_scan import ResidualScanner
from schemas.record_batches import DecodedBatch

Attempt = Callable[[RecordDraft, Callable[[], None]], None]
"""Runs work on a draft, and handles its errors."""


class GroupRenderer:
    """Renders groups of records; ``found_by_scan`` counts, by type, the
    values that only the scan found."""

    def __init__(
        self, segmenter: Segmenter, scanner: ResidualScanner, found_by_scan: Counter[str]
    ) -> None:
        self._segmenter = segmenter
        self._scanner = scanner
        self._found_by_scan = found_by_scan

    def render(
        self,
        drafts: Sequence[RecordDraft],
        learnt: frozenset[IdentityValue],
        attempt: Attempt,
    ) -> None:
        """Render the drafts with the identities ``learnt``, twice if the scan finds something.

        ``attempt`` runs the work on a draft and handles its errors.
        """
        missed = self._render_all(drafts, learnt, attempt, identities_of(learnt))
        if missed:
            self._found_by_scan.update([each.type for each in missed])
            self._render_all(drafts, learnt, attempt, identities_of(learnt | missed))

    def _render_all(
        self,
        drafts: Sequence[RecordDraft],
        learnt: frozenset[IdentityValue],
        attempt: Attempt,
        identities: RecordIdentities,
    ) -> frozenset[IdentityValue]:
        """Render all drafts, and return the values that the scan finds in them."""
        for draft in drafts:
            attempt(draft, partial(self._render, draft, identities, learnt))
        left = [draft.left for draft in drafts if draft.left]
        return NO_IDENTITIES.union(*left) if left else NO_IDENTITIES

    def _render(
        self,
        draft: RecordDraft,
        identities: RecordIdentities,
        learnt: frozenset[IdentityValue],
    ) -> None:
        segmenter = self._segmenter
        draft.rendered = [
            segmenter.render(
                segment.text,
                analysed,
                identities,
                segmenter.numbered_renderer(
                    field_class, draft.app, redacted_before=draft.redacted_before
                ),
            )
            for segment, analysed, field_class in zip(
                draft.segments, draft.analysed, draft.classes, strict=True
            )
        ]
        draft.identities = identities
        rules = segmenter.renderer("redact", draft.app).rules
        draft.left = self._scanner.left([each.text for each in draft.rendered], learnt, rules)


def group_rows(decoded: DecodedBatch[object]) -> list[list[int]]:
    """Return the rows of a batch in groups of those that learn from each other.

    Rows learn from each other if partition, offset and group are the same, and the group is known.
    """
    rows = range(len(decoded))
    if not decoded.groups:
        return [[row] for row in rows]
    groups: dict[object, list[int]] = {}
    for row in rows:
        group = decoded.groups[row]
        where = decoded.partitions[row], decoded.offsets[row]
        groups.setdefault(row if group is None else (*where, group), []).append(row)
    return list(groups.values())
