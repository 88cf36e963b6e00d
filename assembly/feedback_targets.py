"""Finds in the lake what feedback is about: a trace, a span, a session, or an entity."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lake.parquet import PARTITION_COLUMN
from lake.tables import Table
from otel.assembly import AssembledTrace
from otel.feedback_records import ENTITY_KEYS, FeedbackTargets
from otel.json_documents import load_json
from otel.signals import ProductFeedback
from otel.stored_spans import from_stored_span
from schemas.arrow import SPANS_TABLE, TABLES
from schemas.times import to_micros

Days: TypeAlias = frozenset[date] | tuple[date, date] | None
"""The days of rows to read: some, or those from the first to the last of two. None: all days."""

_FEEDBACK: Final = "feedback"
_BATCH_ROWS: Final = 65_536
_ENTITY_MARK: Final = "|".join(f'"{re.escape(key)}"' for key in ENTITY_KEYS)


def has_feedback(rows: pa.Table) -> bool:
    """Return whether there is feedback among rows that have the column ``record``."""
    return bool(pc.any(pc.equal(rows["record"], _FEEDBACK)).as_py())


def read_feedback(
    table: Table, path: str, since_us: int | None = None
) -> list[tuple[ProductFeedback, int]]:
    """Return the feedback in a file of ``otel_spans``, each with its arrival.

    Raises RetryableError or FatalError if the store cannot be read.
    """
    schema = TABLES[SPANS_TABLE].arrow
    rows = pq.read_table(pa.BufferReader(table.files.get(path)))
    rows = rows.filter(pc.equal(rows["record"].cast(pa.string()), _FEEDBACK))
    rows = rows.cast(pa.schema([schema.field(name) for name in rows.column_names]))
    found = []
    for row in rows.to_pylist():
        arrived_us = to_micros(row["_ingested_at"])
        item = _restore({"_index": None, **row})
        if item is not None and (since_us is None or arrived_us >= since_us):
            found.append((item, arrived_us))
    return found


def _restore(row: dict[str, Any]) -> ProductFeedback | None:
    try:
        item = from_stored_span(row)
    except (ValueError, KeyError, TypeError):
        return None
    return item if isinstance(item, ProductFeedback) else None


@dataclass(frozen=True)
class TargetFinder:
    """Looks for the targets of feedback in two tables, among rows of some days."""

    spans: Table
    traces: Table

    def find(
        self,
        feedback: Sequence[ProductFeedback],
        days: Days,
        is_open: Callable[[str], bool] = lambda _trace_id: False,
    ) -> tuple[FeedbackTargets, frozenset[str]]:
        """Return the targets, and the ids of feedback that must wait although a target is there.

        A session stands for its last trace before the feedback: as long as a later trace of it
        is open (``is_open``), which one that is cannot be said. As of the last refreshes. Raises
        RetryableError if a table cannot be read.
        """
        ids = _group(feedback)
        spans, sessions = self._find_spans(ids["span"], ids["session"], days)
        entities = self._find_entities(ids["entity"], days)
        asked = {*ids["trace"], *spans.values(), *entities.values()}
        traces = self._find_traces(asked, ids["session"], days)
        targets = FeedbackTargets(traces, spans, entities)
        waiting = frozenset(
            each.feedback_id
            for each in feedback
            if each.target_kind == "session"
            and any(
                trace_id not in traces and is_open(trace_id)
                for trace_id in sessions.get(each.target_id, ())
            )
        )
        return targets, waiting

    def _find_spans(
        self, span_ids: Collection[str], session_ids: Collection[str], days: Days
    ) -> tuple[dict[str, str], dict[str, set[str]]]:
        spans: dict[str, str] = {}
        sessions: dict[str, set[str]] = {}
        if not span_ids and not session_ids:
            return spans, sessions
        of_span = is_one_of("span_id", span_ids)
        of_session = is_one_of("session_id", session_ids)
        columns = ("record", "trace_id", "span_id", "session_id")
        for row in _rows(self.spans, columns, _within(of_span | of_session, days)):
            if row["record"] == _FEEDBACK or row["trace_id"] is None:
                continue
            spans[row["span_id"]] = row["trace_id"]
            if row["session_id"] is not None:
                sessions.setdefault(row["session_id"], set()).add(row["trace_id"])
        return spans, sessions

    def _find_entities(self, entity_ids: Collection[str], days: Days) -> dict[str, str]:
        """Return the last trace of each entity of the application."""
        latest: dict[str, tuple[int, str]] = {}
        if not entity_ids:
            return {}
        marked = pc.match_substring_regex(pc.field("attributes"), _ENTITY_MARK)
        columns = ("record", "trace_id", "started_at", "attributes")
        for row in _rows(self.spans, columns, _within(marked, days)):
            if row["record"] == _FEEDBACK or row["trace_id"] is None:
                continue
            attributes = _object(row["attributes"])
            for key in ENTITY_KEYS:
                entity = attributes.get(key)
                if isinstance(entity, str) and entity in entity_ids:
                    this = to_micros(row["started_at"]), row["trace_id"]
                    latest[entity] = max(latest.get(entity, this), this)
        return {entity: trace_id for entity, (_, trace_id) in latest.items()}

    def _find_traces(
        self, trace_ids: Collection[str], session_ids: Collection[str], days: Days
    ) -> dict[str, AssembledTrace]:
        """Return the traces in the lake that have one of these ids, or are of these sessions."""
        found: dict[str, AssembledTrace] = {}
        if not trace_ids and not session_ids:
            return found
        condition = is_one_of("trace_id", trace_ids) | is_one_of("session_id", session_ids)
        columns = ("trace_id", "session_id", "user_id", "started_at", "revision")
        ranks: dict[str, tuple[bool, int]] = {}
        for row in _rows(self.traces, columns, _within(condition, days)):
            # A record of the contract is in force before any assembled row.
            rank = row["revision"] is None, row["revision"] or 0
            if rank > ranks.get(row["trace_id"], (False, -1)):
                ranks[row["trace_id"]] = rank
                facts = {**row, "started_at": to_micros(row["started_at"])}
                found[row["trace_id"]] = AssembledTrace(row["trace_id"], facts, None, (), {}, (), 0)
        return found


def _group(feedback: Iterable[ProductFeedback]) -> dict[str, set[str]]:
    ids: dict[str, set[str]] = {kind: set() for kind in ("trace", "span", "session", "entity")}
    for each in feedback:
        ids[each.target_kind].add(each.target_id)
    return ids


def is_one_of(column: str, texts: Collection[str]) -> pc.Expression:
    """Return the condition that a column holds one of some texts, of which there may be none."""
    return pc.field(column).isin(pa.array(list(texts), pa.string()))


def _within(condition: pc.Expression, days: Days) -> pc.Expression:
    if days is None:
        return condition
    day = pc.field(PARTITION_COLUMN)
    if isinstance(days, tuple):
        return condition & (day >= pa.scalar(days[0])) & (day <= pa.scalar(days[1]))
    return condition & day.isin(pa.array(sorted(days), pa.date32()))


def _rows(table: Table, columns: Sequence[str], condition: pc.Expression) -> Iterable[Any]:
    for batch in table.batches(columns, condition, rows=_BATCH_ROWS):
        yield from batch.to_pylist()


def _object(text: str) -> dict[str, Any]:
    try:
        document = load_json(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
