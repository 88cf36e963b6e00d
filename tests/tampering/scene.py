"""A small lake in use: flushes with an audit, quarantine, feedback, labels and reviews."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa

from lake.config import LakeSettings
from lake.ledger import SourcePartition, SourceRange
from lake.table_commit import Move
from lake.table_log import ANSWER_SEQUENCE, JUDGE_SEQUENCE, REVIEW_SEQUENCE, position_app
from lake.table_writer import FlushPart, TableWriter
from lake.tables import Lake
from redact.pipeline.audit import AuditEntry, AuditReplacement, build_audit_rows, chain_start
from schemas.arrow import TABLES
from schemas.redacted import Redacted
from stream.buffer import Flush
from stream.flusher import RecordFlushRunner
from tests.lake.copies import init_lake, make_once
from tests.lake.kit import HERE, commit_context

Rows = Redacted[pa.RecordBatch]

TRACES: Final = SourcePartition("llm.traces", 0)
FEEDBACK: Final = SourcePartition("llm.feedback", 0)
BEGUN: Final = datetime(2026, 11, 1, 12, tzinfo=UTC)
_POLICY: Final = "p"
_EMPTY: Final[Mapping[str, Any]] = {
    "string": "x",
    "double": 0.5,
    "int64": 1,
    "timestamp[us, tz=UTC]": BEGUN,
}


def open_lake(folder: Path) -> Lake:
    """Open a lake with handles of its own."""
    return Lake(LakeSettings(uri=str(folder)))


def rows(table: str, source: SourcePartition, offset: int, **fields: Any) -> Rows:
    """Return one row of a table; columns that are not given hold something of their type."""
    row: dict[str, Any] = {
        field.name: _EMPTY.get(str(field.type), [])
        for field in TABLES[table].arrow
        if not field.nullable
    }
    row |= {"_topic": source.topic, "_partition": source.partition, "_offset": offset}
    row |= {"_policy": _POLICY, "_ingested_at": BEGUN, "event_date": BEGUN.date()} | fields
    return Redacted(pa.RecordBatch.from_pylist([row], schema=TABLES[table].arrow), _POLICY)


class Scene:
    """Writes what a worker writes, by its own steps."""

    def __init__(
        self, folder: Path, positions: Mapping[SourcePartition, int] = MappingProxyType({})
    ) -> None:
        """Begin a lake, or go on with one whose positions are those."""
        self.lake = init_lake(open_lake(folder))
        self._tokens = itertools.count(1)
        names = ("traces", "feedback", "quarantine", "redactions")
        self._positions = {(name, s): at for name in names for s, at in positions.items()}
        self.restart()

    def restart(self) -> None:
        """Go on as another worker would."""
        self.lake = open_lake(Path(self.lake.location.uri))
        self._writers = {
            table.name: TableWriter(table, commit_context(now_us=lambda: 1_762_000_000_000_000))
            for table in self.lake.tables()
        }

    def flush(
        self,
        table: str,
        source: SourcePartition,
        end: int,
        bad: Sequence[int] = (),
        days: Sequence[int] = (0,),
    ) -> None:
        """Bring records up to an offset into the lake; ``bad`` ones are set aside.

        ``days`` after `BEGUN` they were ingested on, in as many batches.
        """
        start = self._positions.get((table, source), 0)
        good = [offset for offset in range(start, end) if offset not in bad]
        told = _audited(source, start, good, days)
        RecordFlushRunner(
            primary=self._writers[table],
            quarantine=self._writers["quarantine"],
            audit=self._writers["redactions"],
            incarnation=lambda _topic: HERE,
            reached=lambda _step: None,
            on_checkpoint_error=lambda _table, _error: None,
            referenced_tables=[w.table for name, w in self._writers.items() if name != table],
        ).run(
            Flush(
                topic=source.topic,
                token=next(self._tokens),
                incarnation=HERE,
                rows=[_record(table, source, offset) for offset in good],
                primary=self._part(table, source, end, good, bad),
                quarantine_rows=[
                    rows("quarantine", source, offset, reason="not_json") for offset in bad
                ],
                quarantine=self._part("quarantine", source, end, [], bad),
                claim=FlushPart(),
                audit_rows=told,
                audit=self._part("redactions", source, end, good, []),
                bytes=1,
            )
        )

    def add(self, table: str, source: SourcePartition, end: int, **fields: Any) -> None:
        """Bring rows up to a number into a table that follows others."""
        start = self._positions.get((table, source), 0)
        some = range(start, end)
        made = [rows(table, source, n, **{k: f"{v}-{n}" for k, v in fields.items()}) for n in some]
        part = self._part(table, source, end, list(some), [])
        writer = self._writers[table]
        prepared = writer.prepare(made, part.ranges)
        writer.commit(prepared, part, token=next(self._tokens), incarnations={})

    def _part(
        self, table: str, source: SourcePartition, end: int, good: Sequence[int], bad: Sequence[int]
    ) -> FlushPart:
        start = self._positions.get((table, source))
        self._positions[table, source] = end
        span = SourceRange(
            *source,
            start or 0,
            end,
            consumed=len(good) + len(bad),
            stored=len(good),
            quarantined=len(bad),
        )
        return FlushPart(moves=[Move(position_app(source), start, end)], ranges=[span])


def _record(table: str, source: SourcePartition, offset: int) -> Rows:
    text = {"response": f"answer {offset}"} if table == "traces" else {"comment": f"word {offset}"}
    who = {"trace_id": f"t-{offset}", "user_id": f"k1:user-{offset}"}
    at = BEGUN + timedelta(days=offset // 6)  # two days
    return rows(table, source, offset, event_date=at.date(), **who, **text)


def _audited(
    source: SourcePartition, start: int, offsets: Sequence[int], days: Sequence[int]
) -> list[Rows]:
    done = (AuditReplacement("response", "PERSON", "mask", 0, 3),)
    entries = [AuditEntry(*source, offset, f"{offset:032x}", 10, done) for offset in offsets]
    many = -(-len(entries) // len(days))
    previous = chain_start(source.topic, {source.partition: start})
    told = []
    for number, day in enumerate(days):
        some = entries[number * many : (number + 1) * many]
        at = int((BEGUN + timedelta(days=day)).timestamp() * 1_000_000)
        if some:
            batch, previous = build_audit_rows(
                some, policy=_POLICY, ingested_at=at, previous=previous
            )
            told.append(batch)
    return told


def make(folder: Path) -> Lake:
    """Make the lake; what is newest is a commit of labels, with nothing after it."""
    make_once(folder, "scene of tampering", make_anew)
    return open_lake(folder)


def make_anew(folder: Path) -> None:
    """Make such a lake, but no copy of one: its files and commits are its own."""
    scene = Scene(folder)
    scene.flush("traces", TRACES, 6, [2])
    scene.flush("feedback", FEEDBACK, 4)
    scene.add("labels", TRACES, 4, label_event_id="event", label="pass")
    scene.add("reviews", SourcePartition(REVIEW_SEQUENCE, 0), 2, review_id="review", verdict="fail")
    judged = {"judgement_id": "judgement", "failure_mode": "late"}
    scene.add("judgements", SourcePartition(JUDGE_SEQUENCE, 0), 2, **judged)
    asked = {"answer_id": "answer", "verdict": "fail"}
    scene.add("answer_reviews", SourcePartition(ANSWER_SEQUENCE, 0), 2, **asked)
    scene.flush("traces", TRACES, 9)
    scene.restart()
    scene.flush("traces", TRACES, 14, [10, 12])
    scene.flush("feedback", FEEDBACK, 6)
    scene.add("labels", TRACES, 9, label_event_id="event", label="fail")
