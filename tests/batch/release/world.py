"""A lake to draw releases from: real conversations, each sent several times, some with labels."""

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa

from goldpan.demo.traffic import load_shipped_conversations, make_traces
from lake.commit import commit
from lake.config import LakeSettings
from lake.ledger import EntryKind, LedgerEntry, SourceRange
from lake.parquet import DataFile, encode_files
from lake.table_commit import Move, TableCommit
from lake.table_log import position_app
from lake.tables import Lake
from schemas.arrow import TABLES
from schemas.redacted import Redacted
from tests.lake.copies import init_lake
from tests.lake.kit import commit_context

START = datetime(2026, 11, 1, tzinfo=UTC)
POLICY = "policy-a"
PLANS = ("free", "free", "free", "silver", "gold")
Row = dict[str, Any]


def conversations(copies: int, *, days: int = 6, seed: int = 0) -> list[Row]:
    """Return the traces of every shipped conversation, ``copies`` times, over some days."""
    rng = random.Random(seed)  # noqa: S311
    rows = []
    for copy in range(copies):
        for conversation in load_shipped_conversations():
            at = START + timedelta(minutes=rng.randrange(days * 1440 - 60))
            plan = rng.choice(PLANS)
            found = make_traces(conversation, started_at=_micros(at), seed=copy + 1)
            for number, trace in enumerate(found):
                more = {"user_id": f"{conversation.user_id}-{copy}", "segments": {"plan": plan}}
                status = {"status": "error"} if rng.random() < 0.02 else {}
                rows.append({**trace, **more, **status, "latency_ms": 500.0 + 37 * number})
    return rows


def labels_for(traces: Iterable[Row], *, seed: int = 0, share: float = 0.5) -> list[Row]:
    """Return label events of a share of the traces; some traces have a later revision too."""
    rng = random.Random(seed + 1)  # noqa: S311
    events = []
    for trace in traces:
        if rng.random() >= share:
            continue
        p_fail = round(rng.betavariate(0.6, 1.4), 4)
        for revision in range(1, 2 + (rng.random() < 0.2)):
            p_fail = p_fail if revision == 1 else round(1 - p_fail, 4)
            events.append(label(trace, p_fail, revision=revision))
    return events


def label(trace: Row, p_fail: float, *, revision: int = 1, **more: Any) -> Row:
    """Return a label event on a trace."""
    word = "fail" if p_fail >= 0.7 else "pass" if p_fail <= 0.3 else "unknown"
    return {
        "label_event_id": f"e-{trace['trace_id']}-{revision}",
        "trace_id": trace["trace_id"],
        "revision": revision,
        "label": word,
        "p_fail": p_fail,
        "evidence": [],
        "route": "auto" if word != "unknown" else "review",
        "policy_version": "agent@1",
        "decided_at": trace["started_at"] + 3_600_000_000,
        "segments": [],
        **more,
    }


def make_lake(folder: Path | str, traces: Sequence[Row], labels: Sequence[Row]) -> Lake:
    """Make a lake that holds these rows, in several commits."""
    lake = init_lake(Lake(LakeSettings(uri=str(folder))))
    half = len(traces) // 2
    for part in (traces[:half], traces[half:]):
        add(lake, "traces", part)
    add(lake, "labels", labels)
    return lake


def add(
    lake: Lake, table: str, rows: Sequence[Row], *, policy: str = POLICY, topic: str | None = None
) -> None:
    """Commit rows to a table at the offsets that come next; to quarantine first, as workers do."""
    if not rows:
        return
    topic = topic or ("llm.feedback" if table == "feedback" else "llm.traces")
    opened = lake.table(table)
    opened.refresh()
    start = opened.txn_version(f"{topic}/0") or 0
    end = start + len(rows)
    if table in {"traces", "feedback"}:
        _commit(lake, "quarantine", [], SourceRange(topic, 0, start, end))
    batch = Redacted(_batch(table, rows, topic, start, policy), policy)
    item = SourceRange(topic, 0, start, end, start, end - 1, len(rows), len(rows))
    files = encode_files([batch], ranges=[item], layout=opened.layout)
    for file in files:
        opened.files.put(file.path, file.data)
    _commit(lake, table, files, item)


def _commit(lake: Lake, table: str, files: Sequence[DataFile], item: SourceRange) -> None:
    opened = lake.table(table)
    commit(
        opened,
        TableCommit(
            entry=LedgerEntry(EntryKind.FLUSH, [item], {}),
            token=item.start + 1,
            moves=[Move(position_app(item.source), item.start or None, item.end)],
            adds=files,
        ),
        commit_context(now_us=lambda: _micros(START)),
    )


def _batch(table: str, rows: Sequence[Row], topic: str, start: int, policy: str) -> pa.RecordBatch:
    schema = TABLES[table]
    offsets = count(start)
    empty: Row = {f.name: [] for f in schema.arrow if pa.types.is_list(f.type) or _is_map(f)}
    full = [
        {
            **empty,
            **_arrowable(row),
            "_topic": topic,
            "_partition": 0,
            "_offset": next(offsets),
            "_ingested_at": _micros(START),
            "_policy": policy,
            "event_date": _moment(row[schema.event_time]).date(),
        }
        for row in rows
    ]
    return pa.RecordBatch.from_pylist(full, schema=schema.arrow)


def _is_map(field: pa.Field) -> bool:
    return bool(pa.types.is_map(field.type))


def _arrowable(row: Mapping[str, Any]) -> Row:
    return {k: list(v.items()) if isinstance(v, dict) else v for k, v in row.items()}


def _micros(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def _moment(micros: int) -> datetime:
    return START + timedelta(microseconds=micros - _micros(START))
