"""Adds label events that a batch job decided, each of them once, whoever else adds at the time."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import pyarrow as pa

from batch.sequence import NumberedRows
from labels.decide import Rank
from labels.missing import Finding, finding
from lake import erasures, relabelled
from lake.commit import Condition
from lake.tables import Table
from redact.derived import derived
from schemas.columns import record_arrays
from schemas.errors import FencedError
from schemas.records import LabelEvent
from schemas.redacted import Redacted

SEQUENCE: Final = "#reconcile"
"""The sequence that rows of ``labels`` are numbered in which batch jobs add."""

WITHOUT_TEXT: Final = "derived"
"""What stands for the redaction policy of a label that has no text of its own."""


class Adder:
    """Adds events of some traces, and knows which are in force among those.

    ``read`` returns the ranks of the events in force, as of the table's last refresh. ``guards``
    hold as long as what the events are decided from is in the lake.
    """

    def __init__(
        self,
        rows: NumberedRows,
        read: Callable[[], Mapping[str, Rank]],
        *,
        rebuild: bool,
        guards: Sequence[Condition] = (),
    ) -> None:
        self._rows, self._read, self._rebuild, self._guards = rows, read, rebuild, guards
        self._at, self.there = 0, dict[str, Rank]()
        self._look()

    def find(self, event: LabelEvent) -> Finding:
        """Compare a decision with the event in force."""
        return finding(event, self.there.get(event.trace_id), rebuild=self._rebuild)

    def add(self, events: Sequence[LabelEvent], texts: Mapping[str, str]) -> list[LabelEvent]:
        """Add events in one commit; return those that were still missing then.

        ``texts`` are texts of redacted rows, with the hash of the redaction policy of each. Raises
        FencedError if the guards hold no more: then all must be read and decided again.
        """
        while events:
            try:
                batch = boxed(self._rows, events, texts, at=self._at)
                self._rows.append(batch, at=self._at, guards=self._guards)
            except FencedError:  # another job has added some; the position tells, once for each
                self._look()
                if not self._rows.holds(self._guards):
                    raise
                events = [event for event in events if self.find(event) is Finding.MISSING]
            else:
                self._at += len(events)
                break
        return list(events)

    def _look(self) -> None:
        self._at = self._rows.look()
        self.there = dict(self._read())


def guards_of(labels: Table) -> list[Condition]:
    """Return what must hold for events that are decided from rows read after the last refresh.

    No such row has been put in the place of others, nor was anybody erased.
    """
    tombstone = labels.number(erasures.ERASURES_APP) or 0
    return [relabelled.guard(relabelled.number_of(labels)), erasures.guard(tombstone)]


def boxed(
    rows: NumberedRows, events: Sequence[LabelEvent], texts: Mapping[str, str], *, at: int
) -> Redacted[pa.RecordBatch]:
    """Return events as rows of ``labels``, numbered from ``at`` on.

    ``texts`` as in `Adder.add`. Raises FatalError if an event repeats a text that is none of them.
    """
    answers = [event.expected_response for event in events]
    policies = [WITHOUT_TEXT if text is None else texts.get(text, WITHOUT_TEXT) for text in answers]
    columns = record_arrays("label_event", events)
    batch = rows.numbered(columns, policies, at=at)
    return derived(batch, "label_event", known=texts.keys(), policy=WITHOUT_TEXT)
