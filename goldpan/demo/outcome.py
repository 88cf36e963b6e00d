"""Reads the result of the demo from the lake: counts, reasons, findings, labels, delays."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from goldpan.demo.gated_release import GateOutcome
from goldpan.demo.judged_month import MonthOutcome
from goldpan.demo.run import DemoRun, SentRecord
from goldpan.demo.sent_offsets import TABLES
from goldpan.demo.traffic import TrafficRecord
from lake.config import LakeSettings
from lake.datasets import open_dataset
from lake.ledger import SourcePartition, read_ledger
from lake.quarantine import QuarantineFilter, read_quarantined
from lake.tables import Lake, TableFacts
from lake.verify import VerifyReport, verify_lake
from redact.crypto.pseudonyms import PLACEHOLDER
from schemas.arrow import QUARANTINE_TABLE
from schemas.record_batches import RecordKind

_TOKEN: Final = re.compile(r"[a-z2-7]{12}")


@dataclass(frozen=True, slots=True)
class PlaceholderCount:
    """Placeholders of one type in stored rows: occurrences, and distinct values."""

    type: str
    occurrences: int
    values: int


@dataclass(frozen=True, slots=True)
class BrokenRecord:
    """A broken record: what is wrong with it, and the reason in quarantine."""

    broken: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class RedactionExample:
    """Some fields of one trace, as sent and as stored."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LabelGroup:
    """The traces with the same evidence, and their label.

    ``signals`` are the kinds of evidence, empty for traces that were only sampled for the audit.
    """

    signals: Sequence[str]
    label: str
    p_fail: float
    route: str
    traces: int


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """Everything that the demo shows. ``seconds`` maps percentiles to seconds until queryable."""

    sent: Mapping[str, int]
    formats: Mapping[str, int]
    tables: Sequence[TableFacts]
    quarantined: Sequence[BrokenRecord]
    placeholders: Sequence[PlaceholderCount]
    labels: Sequence[LabelGroup]
    seconds: Mapping[str, float]
    report: VerifyReport
    example: RedactionExample | None
    month: MonthOutcome
    gate: GateOutcome


def read_outcome(uri: str, run: DemoRun) -> DemoOutcome:
    """Read the lake and match it with the sent records.

    Texts, labels and delays are those of the records that were sent in real time.
    """
    lake, sent = Lake(LakeSettings(uri=uri)), run.sent
    tables = lake.tables()
    for table in tables:
        table.refresh()
    names, month = ("traces", "feedback", "labels"), run.month
    stored = {name: _read_after(lake, name, month.last_day) for name in names}
    return DemoOutcome(
        sent=run.topics,
        formats=run.formats,
        tables=[table.facts() for table in tables],
        quarantined=_read_quarantined(lake, sent),
        placeholders=_count_placeholders(row for name in TABLES.values() for row in stored[name]),
        labels=_group_labels(stored["labels"]),
        seconds=_measure_delays(lake, sent),
        report=verify_lake(lake),
        example=_find_example(sent, stored["traces"]),
        month=month,
        gate=run.gate,
    )


def _read_after(lake: Lake, name: str, day: date) -> list[dict[str, Any]]:
    """Return the rows of a table that are of later days."""
    condition = pc.field("event_date") > pa.scalar(day)
    rows = open_dataset(lake.table(name).handle).to_table(filter=condition)
    return cast(list[dict[str, Any]], rows.to_pylist())


def _read_quarantined(lake: Lake, sent: Sequence[SentRecord]) -> list[BrokenRecord]:
    names = {
        (*record.source, record.offset): record.line.broken for record in sent if record.source
    }
    return [
        BrokenRecord(
            names.get((row["_topic"], row["_partition"], row["_offset"])) or "a good record",
            row["reason"],
            row["detail"],
        )
        for row in read_quarantined(lake.table(QUARANTINE_TABLE), QuarantineFilter()).to_pylist()
    ]


def _count_placeholders(stored: Iterable[Mapping[str, Any]]) -> list[PlaceholderCount]:
    """Count placeholders and pseudonyms, most frequent first."""
    occurrences: Counter[str] = Counter()
    values: dict[str, set[str]] = {}
    for row in stored:
        placeholders = PLACEHOLDER.findall(json.dumps(row, default=str))
        user = (row.get("user_id") or "").rpartition(":")[2]
        if _TOKEN.fullmatch(user):
            placeholders.append(("USER_ID", user))
        for kind, token in placeholders:
            occurrences[kind] += 1
            values.setdefault(kind, set()).add(token)
    return [
        PlaceholderCount(kind, count, len(values[kind]))
        for kind, count in occurrences.most_common()
    ]


def _group_labels(events: Iterable[Mapping[str, Any]]) -> list[LabelGroup]:
    """Group the labels in force by their evidence, most frequent first."""
    in_force = {event["trace_id"]: event for event in sorted(events, key=lambda e: e["revision"])}
    groups = Counter(
        (
            tuple(sorted(item["kind"] for item in event["evidence"])),
            event["label"],
            event["p_fail"],
            event["route"],
        )
        for event in in_force.values()
    )
    return [LabelGroup(*group, count) for group, count in groups.most_common()]


def _measure_delays(lake: Lake, sent: Sequence[SentRecord]) -> dict[str, float]:
    """Return percentiles of the seconds between sending a record and its commit."""
    delays: list[float] = []
    for topic, name in TABLES.items():
        commits = _commits(lake.table(name).handle)
        for record in sent:
            if record.source and record.source.topic == topic:
                committed_at = next(
                    moment
                    for source, start, end, moment in commits
                    if source == record.source and start <= record.offset < end
                )
                delays.append((committed_at - record.moment) / 1e6)
    if not delays:
        return {}
    percentiles = np.percentile(delays, (50, 95, 100))
    return dict(zip(("p50", "p95", "max"), (round(float(p), 2) for p in percentiles), strict=True))


def _commits(handle: DeltaTable) -> list[tuple[SourcePartition, int, int, int]]:
    """Return (source, first offset, one after the last, microseconds since 1970) of all commits."""
    history = handle.history()
    moments = {commit["version"]: int(commit["timestamp"]) * 1000 for commit in history}
    return [
        (item.source, item.start, item.end, moments[logged.table_version])
        for logged in read_ledger(history, table="traces")
        for item in logged.entry.ranges
    ]


def _find_example(
    sent: Sequence[SentRecord], stored: Sequence[Mapping[str, Any]]
) -> RedactionExample | None:
    """Return the trace in which a customer's profile is looked up, if there is one."""
    by_id = {row["trace_id"]: row for row in stored}
    candidates = (
        each.record
        for each in sent
        if each.record and each.line.kind is RecordKind.TRACE and _looks_up_profile(each.record)
    )
    before = next((record for record in candidates if record["trace_id"] in by_id), None)
    if before is None:
        return None
    return RedactionExample(_excerpt(before), _excerpt(by_id[before["trace_id"]]))


def _looks_up_profile(record: TrafficRecord) -> bool:
    return any(
        call["name"] == "get_user_details" and call["result"] for call in record["tool_calls"]
    )


def _excerpt(record: Mapping[str, Any]) -> dict[str, Any]:
    user_messages = [
        m["content"] for m in record["messages"] if m["role"] == "user" and m["content"]
    ]
    return {
        "user_id": record["user_id"],
        "the customer's message": user_messages[-1] if user_messages else "",
        "the tool's arguments": record["tool_calls"][0]["arguments"],
        "the tool's result": record["tool_calls"][0]["result"],
    }
