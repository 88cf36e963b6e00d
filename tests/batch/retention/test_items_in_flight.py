"""Items of one record lie in two tables without being in flight; the same item in both is."""

from pathlib import Path
from typing import Any

import pytest

from batch.retention.expiring import ExpiringDay
from batch.retention.in_flight_guard import InFlightGuard
from lake.commit import commit
from lake.ledger import EntryKind, LedgerEntry
from lake.live_files import list_live_files
from lake.table_commit import Move, TableCommit
from lake.table_log import position_app
from tests.lake.kit import SOURCE, START, commit_context, make_lake, put, rows, span

FIELDS: dict[str, Any] = {
    "record": "span",
    "format": "otlp",
    "name": "s",
    "started_at": START,
    "status_code": 0,
    "scope": "",
    "resource": "{}",
    "attributes": "{}",
    "events": [],
    "links": [],
    "dropped_attributes": 0,
    "part": "whole",
}


@pytest.mark.parametrize(
    ("stored", "aside", "in_flight"),
    [
        ([0, 2], [1], False),
        ([0, 1], [1], True),
        ([0, 1], [None], True),
        ([], [None], False),
    ],
)
def test_items_in_flight(
    tmp_path: Path, stored: list[int], aside: list[int | None], *, in_flight: bool
) -> None:
    """An item is in one table only; a record in quarantine as one has no item anywhere else."""
    lake = make_lake(tmp_path)
    item = span(0, 1)
    for name, indexes in (("otel_spans", stored), ("quarantine", aside)):
        table = lake.table(name)
        fields: dict[str, Any] = FIELDS if name == "otel_spans" else {}
        batches = [rows([(0, 0)], table=name, _index=index, **fields) for index in indexes]
        change = TableCommit(
            entry=LedgerEntry(EntryKind.FLUSH, [item]),
            token=1,
            moves=[Move(position_app(SOURCE), None, 1)],
            adds=put(table, batches, item) if batches else (),
        )
        commit(table, change, commit_context())
        table.refresh()
    quarantine = lake.table("quarantine")
    guard = InFlightGuard(quarantine, [lake.table("otel_spans")], quarantine, commit_context())
    day = ExpiringDay("quarantine", START.date(), list_live_files(quarantine), {})
    assert guard.is_in_flight(day) == in_flight
