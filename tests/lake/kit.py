"""What the tests of the lake share: tables in a folder, rows for them, patience without waiting."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from lake.commit import commit
from lake.config import LakeSettings
from lake.ledger import EntryKind, Incarnation, LedgerEntry, SourcePartition, SourceRange
from lake.parquet import DataFile, encode_files
from lake.retry import Retry
from lake.table_commit import CommitContext, CommitWatch, Condition, Move, TableCommit
from lake.table_layouts import TABLE_LAYOUTS
from lake.table_log import position_app
from lake.tables import Lake, Table
from schemas.arrow import TABLES
from schemas.redacted import Redacted
from tests.lake.copies import init_lake

TOPIC = "llm.feedback"
SOURCE = SourcePartition(TOPIC, 0)
OTHER = SourcePartition(TOPIC, 1)
HERE = Incarnation("cluster", "topic-1")
START = datetime(2026, 11, 1, 12, tzinfo=UTC)
"""The time of the event at offset 0."""


class At(NamedTuple):
    """The coordinates of a row."""

    partition: int
    offset: int


def make_lake(folder: Path) -> Lake:
    """Make a lake with all its tables."""
    return init_lake(open_lake(folder))


def open_lake(folder: Path) -> Lake:
    """Open a lake with handles of its own, as another worker would."""
    return Lake(LakeSettings(uri=str(folder / "lake")))


def patience(seconds: float = 1000.0, **more: Any) -> Retry:
    """Return a Retry whose clock moves by what is waited, and that never really waits."""
    now = [0.0]

    def sleep(wait: float) -> bool:
        now[0] += wait
        return False

    given: dict[str, Any] = {
        "monotonic": lambda: now[0],
        "sleep": sleep,
        "uniform": lambda _low, high: high,
        **more,
    }
    return Retry(seconds=seconds, **given)


def commit_context(
    retry: Retry | None = None,
    *,
    watch: CommitWatch | None = None,
    now_us: Callable[[], int] = lambda: 0,
    new_token: Callable[[], int] = lambda: 1,
) -> CommitContext:
    """Return what commits need: patience without waiting, a clock that stands, one token."""
    return CommitContext(retry or patience(), now_us, new_token, watch or CommitWatch())


def rows(
    coordinates: Iterable[At | tuple[int, int]],
    *,
    table: str = "feedback",
    topic: str = TOPIC,
    ingested_at: datetime = START,
    day: int = 0,
    **fields: Any,
) -> Redacted[pa.RecordBatch]:
    """Return rows of a table; what is not given is filled in. ``day`` counts from that of START."""
    schema = TABLES[table].arrow
    at = START + timedelta(days=day)
    common = filled_columns(table, at) | {
        "_topic": topic,
        "_ingested_at": ingested_at,
        "_policy": "p",
        "event_date": at.date(),
    }
    return Redacted(
        pa.RecordBatch.from_pylist(
            [
                {**common, **fields, "_partition": partition, "_offset": offset}
                for partition, offset in coordinates
            ],
            schema=schema,
        ),
        "p",
    )


def filled_columns(table: str, at: datetime) -> dict[str, Any]:
    """Return values of a table's own columns that must not be null."""
    if table == "quarantine":
        return {"reason": "not_json", "detail": "d", "size_bytes": 1, "record_timestamp": at}
    if table == "traces":
        return {
            "trace_id": "t",
            "app": "a",
            "environment": "e",
            "started_at": at,
            "status": "ok",
        } | {name: [] for name in ("messages", "retrieved", "tool_calls", "segments", "attributes")}
    return {
        "feedback_id": "f",
        "trace_id": "t",
        "kind": "comment",
        "actor": "user",
        "occurred_at": at,
        "attributes": [],
    }


def span(
    start: int, end: int, *, quarantined: int = 0, source: SourcePartition = SOURCE, **more: Any
) -> SourceRange:
    """Return a range in which each offset is a record."""
    body: dict[str, Any] = {
        "first": start,
        "last": end - 1,
        "consumed": end - start,
        "stored": end - start - quarantined,
        "quarantined": quarantined,
        **more,
    }
    return SourceRange(source.topic, source.partition, start, end, **body)


def put(table: Table, batches: Sequence[Redacted[pa.RecordBatch]], item: SourceRange) -> list[Any]:
    """Encode and upload rows; return the files."""
    files: list[DataFile] = encode_files(batches, ranges=[item], layout=TABLE_LAYOUTS[table.name])
    for file in files:
        table.files.put(file.path, file.data)
    return files


def append(
    table: Table,
    start: int | None,
    end: int,
    *,
    source: SourcePartition = SOURCE,
    token: int = 1,
    handle: Any = None,
    guards: Sequence[Condition] = (),
    kind: EntryKind = EntryKind.FLUSH,
    quarantined: Iterable[int] = (),
    retry: Retry | None = None,
    watch: CommitWatch | None = None,
    incarnations: Mapping[str, Incarnation] | None = None,
    ingested_at: datetime = START,
) -> bool:
    """Commit the records ``[start, end)`` of a partition, but for those that are set aside."""
    aside = set(quarantined)
    first = start or 0
    stored = [At(source.partition, o) for o in range(first, end) if o not in aside]
    item = span(first, end, quarantined=len(aside), source=source)
    change = TableCommit(
        entry=LedgerEntry(
            kind, [item], incarnations if incarnations is not None else {TOPIC: HERE}
        ),
        token=token,
        moves=[Move(position_app(source), start, end)],
        guards=guards,
        adds=put(table, [rows(stored, table=table.name, ingested_at=ingested_at)], item),
    )
    return commit(through(table, handle), change, commit_context(retry, watch=watch))


def through(table: Table, handle: Any) -> Table:
    """Return a table whose commits go through another handle, if one is given."""
    if handle is None:
        return table
    meddled = copy.copy(table)
    meddled.handle = handle
    return meddled


def set_aside(
    lake: Lake,
    start: int | None,
    end: int,
    bad: Iterable[int],
    *,
    source: SourcePartition = SOURCE,
    token: int = 1,
    incarnation: Incarnation = HERE,
    ingested_at: datetime = START,
) -> None:
    """Commit to quarantine what a flush of ``[start, end)`` sets aside."""
    table, first = lake.table("quarantine"), start or 0
    found = [At(source.partition, offset) for offset in sorted(bad)]
    count = len(found)
    item = span(first, end, source=source, consumed=count, quarantined=count, stored=0)
    commit(
        table,
        TableCommit(
            entry=LedgerEntry(EntryKind.FLUSH, [item], {TOPIC: incarnation}),
            token=token,
            moves=[Move(position_app(source), start, end)],
            adds=put(table, [rows(found, table=table.name, ingested_at=ingested_at)], item),
        ),
        commit_context(),
    )


def offsets(table: Table, source: SourcePartition = SOURCE) -> list[int]:
    """Return the offsets of a partition that a table holds, in order, as often as it does."""
    table.refresh()
    found = table.read(["_topic", "_partition", "_offset"]).to_pylist()
    return sorted(
        row["_offset"]
        for row in found
        if SourcePartition(row["_topic"], row["_partition"]) == source
    )
