"""Appends the label events of batch jobs exactly once, alongside concurrent writers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import pyarrow as pa

from batch.numbered_rows import NumberedRows
from labels.decision import EventRank
from labels.replacement_plan import ReconcileStatus, reconcile_status_of
from lake.fences import ERASURE_FENCE, RELABEL_FENCE
from lake.table_commit import Condition
from lake.tables import Table
from redact.pipeline.derived_rows import box_derived_rows
from schemas.columns import record_arrays
from schemas.errors import FencedError
from schemas.records import LabelEvent
from schemas.redacted import Redacted

NO_TEXT_POLICY: Final = "derived"
"""The redaction policy of a label without a text of its own."""


class LabelWriter:
    """Adds events of some traces, and knows the ranks of those in force.

    ``read_ranks`` returns the ranks of the events in force, as of the table's last refresh.
    ``guards`` hold as long as the evidence of the events is in the lake.
    """

    def __init__(
        self,
        rows: NumberedRows,
        read_ranks: Callable[[], Mapping[str, EventRank]],
        *,
        rebuild: bool,
        guards: Sequence[Condition] = (),
    ) -> None:
        self._rows, self._read_ranks, self._rebuild, self._guards = (
            rows,
            read_ranks,
            rebuild,
            guards,
        )
        self._at, self.ranks = 0, dict[str, EventRank]()
        self._refresh()

    def status_of(self, event: LabelEvent) -> ReconcileStatus:
        """Compare a decision with the event in force."""
        return reconcile_status_of(event, self.ranks.get(event.trace_id), rebuild=self._rebuild)

    def add(self, events: Sequence[LabelEvent], texts: Mapping[str, str]) -> list[LabelEvent]:
        """Add events in one commit; return those that were still missing.

        ``texts`` are texts of redacted rows, with the hash of the redaction policy of each. Raises
        FencedError if a guard fails: then the caller must read and decide everything again.
        """
        while events:
            try:
                batch = number_label_rows(self._rows, events, texts, at=self._at)
                self._rows.append(batch, at=self._at, guards=self._guards)
            except FencedError:  # another job has added rows, or a guard fails
                self._refresh()
                if not self._rows.holds(self._guards):
                    raise
                events = [
                    event for event in events if self.status_of(event) is ReconcileStatus.MISSING
                ]
            else:
                self._at += len(events)
                break
        return list(events)

    def _refresh(self) -> None:
        self._at = self._rows.refresh_position()
        self.ranks = dict(self._read_ranks())


def label_guards(labels: Table) -> list[Condition]:
    """Return the guards for events decided from rows read after the last refresh.

    They fail once such rows were replaced by a replay, or anything was erased.
    """
    return [
        RELABEL_FENCE.guard(RELABEL_FENCE.value(labels)),
        ERASURE_FENCE.guard(ERASURE_FENCE.value(labels)),
    ]


def number_label_rows(
    rows: NumberedRows, events: Sequence[LabelEvent], texts: Mapping[str, str], *, at: int
) -> Redacted[pa.RecordBatch]:
    """Return events as rows of ``labels``, numbered from ``at`` on.

    ``texts`` as in `LabelWriter.add`. Raises FatalError if an event repeats any other text.
    """
    answers = [event.expected_response for event in events]
    policies = [
        NO_TEXT_POLICY if text is None else texts.get(text, NO_TEXT_POLICY) for text in answers
    ]
    columns = record_arrays("label_event", events)
    batch = rows.number_rows(columns, policies, at=at)
    return box_derived_rows(
        batch, "label_event", redacted_texts=texts.keys(), policy=NO_TEXT_POLICY
    )
