"""What the tests of retention share: a lake with planted texts in every table, and runs over it."""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from batch.retention.expiring import ExpiringDay
from batch.retention.plan import RetentionPlan, parse_retention_plan
from batch.retention.run import RetentionRun
from lake.commit import commit
from lake.config import LakeSettings
from lake.ledger import EntryKind, LedgerEntry, SourcePartition, SourceRange
from lake.parquet import encode_files
from lake.table_commit import CommitContext, Move, TableCommit
from lake.table_layouts import TABLE_LAYOUTS
from lake.table_log import ANSWER_SEQUENCE, JUDGE_SEQUENCE, REVIEW_SEQUENCE, position_app
from lake.tables import Lake
from redact.pipeline.audit import chain_hash, chain_start
from schemas.arrow import AUDIT_TABLE, SPANS_TABLE, TABLES, TIMESTAMP_US
from schemas.redacted import Redacted
from tests.lake.copies import init_lake, make_once
from tests.lake.kit import commit_context, patience

PLANTED = re.compile(rb"<(?:text|user|sealed)-of-day-\d+>")
FIRST = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAYS = 6
TODAY = date(2026, 11, 21)
PLAN = """
tables:
  traces: {rows: 19, text: 17, pseudonyms: 18}
  feedback: {rows: 19, text: 17, pseudonyms: 18}
  labels: {rows: 19, text: 17}
  quarantine: {rows: 19, sealed: 17}
  redactions: {rows: 19}
  reviews: {rows: 19, text: 17}
  judgements: {rows: 19, text: 17}
  answer_reviews: {rows: 19, text: 17}
  otel_spans: {rows: 19, text: 17, pseudonyms: 18}
"""
"""On TODAY: of 1 November nothing is left, of the 2nd neither texts nor users, of the 3rd no texts,
and from the 4th on everything is."""


def plan(text: str = PLAN) -> RetentionPlan:
    """Return a plan."""
    return parse_retention_plan(text, "plan.yaml")


def said(day: int, what: str) -> str:
    """Return a text that is found again in bytes, wherever it is: the day is in it."""
    return f"<{what}-of-day-{day}>"


def _micros(day: int) -> int:
    return int((FIRST + timedelta(days=day)).timestamp()) * 1_000_000


def traces(day: int) -> list[dict[str, Any]]:
    """Return traces of a day, with a text in every place that takes one."""
    text = said(day, "text")
    call = {"id": "c", "name": "look_up", "arguments": text}
    return [
        {
            "trace_id": f"t-{day}-{n}",
            "session_id": f"s-{day}-{n}",
            "user_id": said(day, "user"),
            "app": "shop",
            "environment": "production",
            "started_at": _micros(day) + n,
            "status": "ok",
            "error_message": text,
            "messages": [
                {
                    "role": "system",
                    "content": None,
                    "name": None,
                    "tool_call_id": None,
                    "tool_calls": [],
                },
                {
                    "role": "user",
                    "content": text,
                    "name": text,
                    "tool_call_id": "c",
                    "tool_calls": [call],
                },
            ],
            "response": text,
            "retrieved": [{"document_id": "d", "score": 0.5, "text": text}],
            "tool_calls": [{**call, "result": text, "error": text, "latency_ms": 1.0}],
            "cost_usd": 0.25,
            "attributes": {text: text},
        }
        for n in range(3)
    ]


def feedback(day: int) -> list[dict[str, Any]]:
    """Return feedback of a day."""
    text = said(day, "text")
    return [
        {
            "feedback_id": f"f-{day}-{n}",
            "trace_id": f"t-{day}-{n}",
            "user_id": said(day, "user"),
            "kind": "edit",
            "actor": "agent",
            "value": None,
            "comment": text,
            "corrected_response": text,
            "occurred_at": _micros(day) + 60_000_000,
            "attributes": {"note": text},
        }
        for n in range(2)
    ]


def spans(day: int) -> list[dict[str, Any]]:
    """Return the spans of one Kafka record, with a text in every place that takes one."""
    text = said(day, "text")
    document = json.dumps({text: text})
    return [
        {
            "record": "span",
            "format": "otlp",
            "trace_id": f"t-{day}-0",
            "span_id": f"s-{day}-{n}",
            "user_id": said(day, "user"),
            "name": text,
            "started_at": _micros(day) + n,
            "status_code": 2,
            "status_message": text,
            "scope": text,
            "trace_state": text,
            "resource": document,
            "attributes": document,
            "events": [{"name": text, "time_unix_nano": 1, "attributes": document}],
            "links": [{"trace_id": "t", "span_id": "s", "attributes": document}],
            "body": document,
            "dropped_attributes": 0,
            "part": "whole",
            "_index": n,
        }
        for n in range(2)
    ]


def labels(day: int, number: int) -> list[dict[str, Any]]:
    """Return a label event of a day."""
    return [
        {
            "label_event_id": f"e-{number}",
            "trace_id": f"t-{day}-0",
            "revision": 4,
            "label": "fail",
            "p_fail": 0.9,
            "evidence": [{"feedback_id": f"f-{day}-0", "kind": "agent_edit", "weight": 2.0}],
            "expected_response": said(day, "text"),
            "route": "auto",
            "policy_version": "p/1",
            "decided_at": _micros(day) + 120_000_000,
            "segments": {},
        }
    ]


def new_lake(folder: Path | str, *, s3_endpoint_url: str | None = None, days: int = DAYS) -> Lake:
    """Make a lake with six days (or so many) in every table, a commit a day."""
    lake = open_lake(folder, s3_endpoint_url=s3_endpoint_url)
    if s3_endpoint_url is None:
        make_once(Path(folder), f"{days} days", lambda made: _fill(open_lake(made), days))
    else:
        _fill(lake, days)
    return lake


def _fill(lake: Lake, days: int) -> None:
    init_lake(lake)
    for day in range(days):
        add_day(lake, day)


def open_lake(folder: Path | str, *, s3_endpoint_url: str | None = None) -> Lake:
    """Open a lake with handles of its own, as another process would."""
    return Lake(LakeSettings(uri=str(folder), s3_endpoint_url=s3_endpoint_url))


def add_day(lake: Lake, day: int) -> None:
    """Add rows of a day to every table, as workers and reviewers do; one record is set aside."""
    traces_here, feedback_here = (
        SourcePartition("llm.traces", 0),
        SourcePartition("llm.feedback", 0),
    )
    at = FIRST + timedelta(days=day)
    sealed = {"reason": "not_json", "detail": "d", "size_bytes": 9, "record_timestamp": at}
    sealed |= {"sealed_payload": said(day, "sealed").encode(), "sealed_key_id": "k"}
    for source, table, rows in (
        (traces_here, "traces", traces(day)),
        (feedback_here, "feedback", feedback(day)),
    ):
        start, end = _next(lake, table, source, len(rows) + 1)
        span = SourceRange(*source, start, end, start, end - 1, len(rows) + 1, quarantined=1)
        commit_rows(lake, "quarantine", [sealed], replace(span, consumed=1, first=end - 1), end - 1)
        commit_rows(lake, table, rows, replace(span, stored=len(rows)), start)
    spans_here = SourcePartition("llm.spans", 0)
    start, end = _next(lake, SPANS_TABLE, spans_here, 1)
    span = SourceRange(*spans_here, start, end, start, start, consumed=1, stored=2, found=2)
    commit_rows(lake, "quarantine", [], replace(span, stored=0, found=None, consumed=0), start)
    commit_rows(lake, SPANS_TABLE, spans(day), span, start)
    commented = {"expected_response": said(day, "text"), "comment": said(day, "text")}
    review: dict[str, Any] = {"review_id": f"r-{day}", "trace_id": f"t-{day}-0", "step": "review"}
    review |= {"reviewer": "ann", "occurred_at": at, "verdict": "fail"}
    judgement: dict[str, Any] = {
        "judgement_id": f"{day:064}",
        "step": "judgement",
        "judge": "faithfulness",
        "judge_digest": "a" * 64,
        "subject_kind": "trace",
        "subject": f"t-{day}-0",
        "trace_id": f"t-{day}-0",
        "input_digest": "b" * 64,
        "epoch": 1,
        "repeat": 0,
        "judged_at": at,
        "outcome": "fail",
        "rationale": said(day, "text"),
        "run_id": "r",
        "segments": [],
    }
    answer: dict[str, Any] = {
        "answer_id": f"{day:064}",
        "step": "ask",
        "trace_id": f"t-{day}-0",
        "metric": "faithfulness",
        "release": "support@1",
        "release_digest": "a" * 64,
        "candidate_digest": "b" * 64,
        "side": "candidate",
        "scope": "rows",
        "probability": 0.5,
        "occurred_at": at,
        "conversation": said(day, "text"),
        "response": said(day, "text"),
    }
    counted = {"_ingested_at": at, "characters_scanned": 1, "previous": "", "chain": ""}
    for table, source, rows in (
        ("labels", traces_here, labels(day, _next(lake, "labels", traces_here, 1)[0])),
        ("reviews", SourcePartition(REVIEW_SEQUENCE, 0), [review | commented]),
        ("judgements", SourcePartition(JUDGE_SEQUENCE, 0), [judgement]),
        ("answer_reviews", SourcePartition(ANSWER_SEQUENCE, 0), [answer]),
        ("redactions", traces_here, [counted]),
    ):
        start, end = _next(lake, table, source, len(rows))
        span = SourceRange(*source, start, end, start, end - 1, len(rows), len(rows))
        commit_rows(lake, table, rows, span, start)


def _next(lake: Lake, table: str, source: SourcePartition, count: int) -> tuple[int, int]:
    lake.table(table).refresh()
    start = lake.table(table).txn_version(position_app(source)) or 0
    return start, start + count


def _linked(rows: Sequence[dict[str, Any]], span: SourceRange) -> list[dict[str, Any]]:
    """Return rows of the audit with their links, as redaction writes them."""
    linked = []
    previous = chain_start(span.topic, {span.partition: span.start})
    outside = ("previous", "chain", "event_date", "_schema")
    for row in rows:
        body = {name: value for name, value in row.items() if name not in outside}
        body["_ingested_at"] = pa.scalar(row["_ingested_at"], TIMESTAMP_US).value
        for name in TABLES[AUDIT_TABLE].arrow.names:
            if name not in outside:
                body.setdefault(name, None)
        chain = chain_hash(body, previous)
        linked.append({**row, "previous": previous, "chain": chain})
        previous = chain
    return linked


def commit_rows(
    lake: Lake, name: str, rows: Sequence[Mapping[str, Any]], span: SourceRange, first: int
) -> None:
    """Commit rows of one source to a table, numbered from ``first`` on."""
    table, schema = lake.table(name), TABLES[name]
    full = [
        {
            **{f.name: [] for f in schema.arrow if pa.types.is_nested(f.type)},
            "_ingested_at": FIRST,
            **{k: list(v.items()) if isinstance(v, dict) else v for k, v in row.items()},
            "_topic": span.topic,
            "_partition": span.partition,
            "_offset": first + (0 if "_index" in row else number),
            "_policy": "p",
        }
        for number, row in enumerate(rows)
    ]
    for row in full:
        row["event_date"] = pa.scalar(row[schema.event_time], TIMESTAMP_US).as_py().date()
    if name == AUDIT_TABLE:
        full = _linked(full, span)
    batch = Redacted(pa.RecordBatch.from_pylist(full, schema=schema.arrow), "p")
    files = encode_files([batch], ranges=[span], layout=table.layout)
    for file in files:
        table.files.put(file.path, file.data)
    commit(
        table,
        TableCommit(
            entry=LedgerEntry(EntryKind.FLUSH, [span], {}),
            token=span.start + 1,
            moves=[Move(position_app(span.source), span.start or None, span.end)],
            adds=files,
        ),
        commit_context(),
    )


def means() -> CommitContext:
    """Return a clock that has not begun (what leaves a table is old then), and tokens."""
    tokens = itertools.count(1_000_000)
    return CommitContext(patience(), lambda: 0, lambda: next(tokens))


def runs(lake: Lake, text: str = PLAN, *, today: date = TODAY) -> list[RetentionRun]:
    """Return a run for each table of a plan."""
    tables = plan(text).tables
    return [RetentionRun.of(lake, name, tables[name].until(today), means()) for name in tables]


def carried_out(lake: Lake, text: str = PLAN, *, today: date = TODAY) -> list[ExpiringDay]:
    """Carry out a plan; return what was done."""
    return [done for one in runs(lake, text, today=today) for done in one.run()]


def table_rows(lake: Lake, name: str) -> list[dict[str, Any]]:
    """Return all rows of a table, in the order of their coordinates."""
    table = lake.table(name)
    table.refresh()
    found: pa.Table = table.handle.to_pyarrow_dataset(schema=TABLES[name].arrow).to_table()
    order = [("_topic", "ascending"), ("_partition", "ascending"), ("_offset", "ascending")]
    return list(found.sort_by(order).to_pylist())


def everything(lake: Lake) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of all tables."""
    return {name: table_rows(lake, name) for name in TABLE_LAYOUTS}


def versions(lake: Lake) -> dict[str, int]:
    """Return the newest version of every table."""
    for table in lake.tables():
        table.refresh()
    return {table.name: table.handle.version() for table in lake.tables()}


def texts_on_disk(folder: Path) -> set[str]:
    """Return the planted texts that some file of a lake holds, looked for in decoded columns too.

    Columns are compressed; so every Parquet file that is there, live or not, is read as well.
    """
    found: set[str] = set()
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if path.suffix == ".parquet":
            data += repr(pq.read_table(pa.BufferReader(data)).to_pylist()).encode()
        found |= {match.decode() for match in PLANTED.findall(data)}
    return found
