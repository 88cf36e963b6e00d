"""The feedback of one partition: events in columns, chained by trace."""

from typing import Final

import numpy as np
import numpy.typing as npt

from labels.digests import DigestPairs
from labels.facts import FeedbackFacts
from labels.growable_columns import ColumnLayout, GrowableColumns, GrowableTexts
from labels.hash_index import NO_ROW, HashIndex, RowNumbers
from labels.join_rows import ACTORS, BoolArray, FeedbackRows, IntArray
from labels.policy import LabelPolicy

_COLUMNS: Final[ColumnLayout] = {
    "key": (np.uint64, 2),
    "trace": (np.int32, 1),
    "next": (np.int32, 1),
    "occurred": (np.int64, 1),
    "value": (np.float64, 1),
    "user_digest": (np.uint64, 1),
    "kind": (np.uint8, 1),
    "actor": (np.uint8, 1),
}
_ENTRY_BYTES: Final = 150  # a dict entry: its key and the header of the bytes


class FeedbackTable:
    """Feedback events by number. The caller identifies their traces by row number."""

    def __init__(self, policy: LabelPolicy) -> None:
        self._kinds = policy.kinds_in_order
        self._columns, self._ids, self._index = (
            GrowableColumns(_COLUMNS),
            GrowableTexts(),
            HashIndex(),
        )
        self._corrections: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def nbytes(self) -> int:
        """Return the bytes of memory in use."""
        texts = sum(len(text) + _ENTRY_BYTES for text in self._corrections.values())
        return self._columns.nbytes + self._ids.nbytes + self._index.nbytes + texts

    def is_new(self, keys: DigestPairs) -> BoolArray:
        """Return for each key whether its event is not in the table yet."""
        return np.equal(self._index.find(keys, self._columns["key"]), NO_ROW)

    def append(
        self, rows: FeedbackRows, selected: IntArray, traces: RowNumbers, heads: RowNumbers
    ) -> None:
        """Add events, each at the front of its trace's chain; updates ``heads``."""
        where = self._columns.append(len(selected))
        self._ids.append(rows.ids[i] for i in selected)
        columns = {
            "key": rows.keys,
            "occurred": rows.occurred,
            "value": rows.value,
            "user_digest": rows.user_digest,
            "kind": rows.kind,
            "actor": rows.actor,
        }
        for name, column in columns.items():
            self._columns[name][where] = column[selected]
        self._columns["trace"][where] = traces
        new_rows: RowNumbers = np.arange(where.start, where.stop, dtype=np.int32)
        self._index.add(new_rows, self._columns["key"])
        self._chain(new_rows, traces, heads)
        for row, i in zip(new_rows.tolist(), selected.tolist(), strict=True):
            if correction := rows.corrections[i]:
                self._corrections[row] = correction.encode("utf-8", "surrogatepass")

    def events_from(self, head: int) -> list[FeedbackFacts]:
        """Return the events of a trace, given the head of its chain."""
        following = self._columns["next"]
        events = []
        while head != NO_ROW:
            events.append(self._event(head))
            head = int(following[head])
        return events

    def keep(self, traces: npt.NDArray[np.bool_], new_rows: RowNumbers, heads: RowNumbers) -> None:
        """Keep the events of these traces, whose rows become ``new_rows``; updates ``heads``."""
        stays = traces[self._columns["trace"]]
        renumbered = renumber_rows(stays)
        self._columns.keep(stays)
        self._ids.keep(stays)
        # Events are removed with their trace, so a chain stays or is removed completely.
        heads[:] = renumbered[heads]
        self._columns["next"][:] = renumbered[self._columns["next"]]
        self._columns["trace"][:] = new_rows[self._columns["trace"]]
        corrections = self._corrections.items()
        self._corrections = {int(renumbered[i]): text for i, text in corrections if stays[i]}
        self._index.rebuild(np.arange(len(self), dtype=np.int32), self._columns["key"])

    def _chain(self, rows: RowNumbers, traces: RowNumbers, heads: RowNumbers) -> None:
        order = np.argsort(traces, kind="stable")
        rows, traces = rows[order], traces[order]
        same = traces[1:] == traces[:-1]
        following = heads[traces]
        following[1:][same] = rows[:-1][same]
        self._columns["next"][rows] = following
        last = np.append(~same, np.ones(min(len(traces), 1), bool))
        heads[traces[last]] = rows[last]

    def _event(self, row: int) -> FeedbackFacts:
        columns = self._columns
        value = float(columns["value"][row])
        correction = self._corrections.get(row)
        return FeedbackFacts(
            feedback_id=self._ids[row],
            kind=self._kinds[int(columns["kind"][row])],
            actor=ACTORS[int(columns["actor"][row])],
            occurred_at=int(columns["occurred"][row]),
            value=None if np.isnan(value) else value,
            user_digest=int(columns["user_digest"][row]),
            correction=correction.decode("utf-8", "surrogatepass") if correction else None,
        )


def renumber_rows(stays: npt.NDArray[np.bool_]) -> RowNumbers:
    """Return the new number of each row, ``NO_ROW`` for a removed one and for ``NO_ROW``."""
    new_rows = np.where(stays, np.cumsum(stays) - 1, NO_ROW)
    return np.append(new_rows, NO_ROW).astype(np.int32)
