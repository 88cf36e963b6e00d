"""The label events that a table holds of some traces."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa

from batch.labels.anew import sifted
from labels.decide import Rank, in_force
from labels.settle import Held
from labels.textset import TextSet
from lake.tables import FILE_COLUMN, Table
from schemas.records import LabelEvent

_RANK: Final = ("trace_id", "revision", "decided_at", "label_event_id", "expected_response")
_EVENT: Final = (*_RANK, "label", "p_fail", "route", "policy_version")


class Row(NamedTuple):
    """An event, when its trace began, and the path of the file that it lies in."""

    held: Held
    started_at: int | None
    path: str


def rows_of(labels: Table, wanted: TextSet) -> Mapping[str, Sequence[Row]]:
    """Return all events of some traces by trace id, as of the table's last refresh."""
    found: dict[str, list[Row]] = defaultdict(list)
    columns = (*_RANK, "trace_started_at", FILE_COLUMN)
    for batch in sifted(labels.batches(columns), wanted):
        for trace_id, revision, at, event_id, text, began, path in zip(*_plain(batch), strict=True):
            held = Held(Rank(revision, at, event_id), text)
            found[trace_id].append(Row(held, began, path))
    return found


def events_of(labels: Table, wanted: TextSet) -> Mapping[str, LabelEvent]:
    """Return the event in force of each of these traces that has one, without its evidence."""
    return in_force(
        msgspec.convert(dict(zip(_EVENT, values, strict=True)), LabelEvent)
        for batch in sifted(labels.batches(_EVENT), wanted)
        for values in zip(*_plain(batch), strict=True)
    )


def _plain(batch: pa.RecordBatch) -> list[list[Any]]:
    """Return the columns as lists, times in microseconds since 1970 (UTC)."""
    return [
        (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for column in batch.columns
    ]
