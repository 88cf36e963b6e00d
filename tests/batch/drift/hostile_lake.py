"""Small lakes of what is hard to count, and the counts of a period one row at a time."""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from batch.assembled_rows import has_assembled_rows
from batch.drift.count_queries import MAX_VALUES
from batch.drift.period_engine import DayRange
from batch.drift.tally import (
    BANDS_PER_OCTAVE,
    CATEGORY_FEATURES,
    NO_VALUE,
    NUMERIC_FEATURES,
    OTHER_VALUES,
    STORED_RECORDS,
    assign_band,
    is_numeric,
)
from lake.config import LakeSettings
from lake.snapshot import open_snapshot
from lake.table_log import ASSEMBLY_SEQUENCE
from lake.tables import Lake
from schemas.trace_in_force import row_precedence
from tests.batch.drift.world import micros
from tests.batch.release.world import Row, add
from tests.lake.copies import init_lake

FIRST = date(2026, 3, 20)
DAYS = 12
BEFORE = DayRange(FIRST, FIRST + timedelta(days=7))
AFTER = DayRange(FIRST + timedelta(days=8), FIRST + timedelta(days=DAYS - 1))
SETTLED_DAYS = 1
DAY_US = 86_400_000_000

TEXTS = (
    *(NO_VALUE, OTHER_VALUES, STORED_RECORDS, "", " ", "'", '"', "\\", "\\u0041", "${x}", "%_"),
    *("a\x00b", "\n", "\t", "é", "e\u0301", "\ue000", "\U0001f600", "NaN", "null", "0", "-10000"),
)
MANY = tuple(f"v{number}" for number in range(60))
"""More than are counted separately, most of them equally often."""


def edge_numbers() -> list[float]:
    """Numbers on both sides of the edges of bands, and at the ends of what there is."""
    numbers = [0.0, -0.0, -1.5, math.inf, -math.inf, math.nan, 5e-324, 1.7976931348623157e308]
    for band in [*range(-40, 120), *range(-8592, 8192, 271)]:
        octave, place = divmod(band, BANDS_PER_OCTAVE)
        edge = math.ldexp(2 ** (place / BANDS_PER_OCTAVE), octave)
        below, above = math.nextafter(edge, 0), math.nextafter(edge, math.inf)
        numbers += [math.nextafter(below, 0), below, edge, above, math.nextafter(above, math.inf)]
    return numbers


WHOLE = (None, 0, -3, 1, 2, 3, 4, 1000, 1024, 2**53 + 1, 2**62, -(2**63), 2**63 - 1)
_EDGES = edge_numbers()


def make_hostile_lake(folder: Path, seed: int, *, is_assembled: bool) -> Lake:
    """Make a lake of all kinds of rows."""
    rng = random.Random(seed)  # noqa: S311
    lake = init_lake(Lake(LakeSettings(uri=str(folder))))
    traces = [_trace(rng, number) for number in range(240)]
    for part in (traces[:100], traces[100:]):
        add(lake, "traces", part)
    add(lake, "traces", [_trace(rng, number) for number in range(60)], topic="other.traces")
    if is_assembled:
        for row in (assembled := [_trace(rng, number) for number in range(120)]):
            row["revision"] = rng.randrange(1, 4)
            row["duplicate_of"] = rng.choice([None, None, "t-1"])
        add(lake, "traces", assembled, topic=ASSEMBLY_SEQUENCE)
    add(lake, "labels", [_label(rng, number) for number in range(300)])
    spans = {**_SPAN, "started_at": _moment(rng)}
    add(
        lake,
        "otel_spans",
        [{**spans, "started_at": _moment(rng)} for _ in range(9)],
        topic="sp'ans",
    )
    for topic in (None, "sp'ans"):
        add(lake, "redactions", [_finding(rng) for _ in range(90)], topic=topic)
        add(lake, "quarantine", [_set_aside(rng) for _ in range(30)], topic=topic)
    return lake


_SPAN: Mapping[str, Any] = {
    **dict.fromkeys(("trace_id", "name", "scope"), "s"),
    **dict.fromkeys(("attributes", "resource"), "{}"),
    **dict.fromkeys(("status_code", "dropped_attributes"), 0),
    "record": "span",
    "format": "otlp",
    "part": "whole",
}


def _moment(rng: random.Random, days: int = DAYS) -> int:
    """Return a time of some days; often the first or the last microsecond of one."""
    day = micros(FIRST) + rng.randrange(-1, days + 1) * DAY_US
    return day + rng.choice([0, DAY_US - 1, rng.randrange(DAY_US), rng.randrange(DAY_US)])


def _trace(rng: random.Random, number: int) -> Row:
    few, many = rng.choice([None, *TEXTS]), rng.choice(MANY)
    keys = rng.sample([*TEXTS, *MANY], rng.choice([0, 0, 1, 3, 20, 80]))
    row = {
        "trace_id": f"t-{rng.choice([number, rng.randrange(30)])}",
        "app": rng.choice(["shop", "bank"]),
        "environment": "production",
        "started_at": _moment(rng),
        "latency_ms": rng.choice([None, rng.choice(_EDGES), rng.lognormvariate(6, 2)]),
        "cost_usd": rng.choice([None, rng.choice(_EDGES), rng.random()]),
        "input_tokens": rng.choice([rng.choice(WHOLE), rng.randrange(5000)]),
        "output_tokens": rng.choice([rng.choice(WHOLE), rng.randrange(5000)]),
        "status": rng.choice(["ok", "error"]),
        "error_type": rng.choice([few, many]),
        "segments": {key: rng.choice([*TEXTS[:4], *MANY]) for key in keys},
    }
    others = ("model_provider", "model_version", "prompt_version", "finish_reason")
    return row | {name: rng.choice([None, rng.choice(TEXTS), many]) for name in others}


def _label(rng: random.Random, number: int) -> Row:
    started = _moment(rng)
    settles = (started // DAY_US + 1 + SETTLED_DAYS) * DAY_US
    decided = [started + rng.randrange(3 * DAY_US), settles - 1, settles, started - 5]
    return {
        "label_event_id": f"e-{rng.choice(TEXTS)}-{number}",
        "trace_id": f"t-{rng.randrange(60)}",
        "revision": rng.randrange(1, 4),
        "label": rng.choice(["pass", "fail", "unknown"]),
        "p_fail": rng.choice([0.0, -0.0, 1.0, rng.random(), *_edges_of(rng.randrange(50))]),
        "evidence": [],
        "route": "auto",
        "policy_version": "agent@1",
        "decided_at": rng.choice(decided),
        "trace_started_at": rng.choice([started, started, started, None]),
        "segments": [],
    }


def _edges_of(band: int) -> tuple[float, float]:
    return band / 50, math.nextafter(band / 50, 0)


def _finding(rng: random.Random) -> Row:
    kinds = [
        {
            "type": rng.choice(["URL", "EMAIL_ADDRESS", "PERSON", NO_VALUE]),
            "operator": rng.choice(["keep", "mask", "placeholder"]),
            "count": 2,
        }
        for _ in range(rng.choice([0, 1, 3, 6]))
    ]
    return {
        "_ingested_at": _moment(rng),
        "characters_scanned": 1,
        "counts": kinds,
        "previous": "p",
        "chain": "c",
    }


def _set_aside(rng: random.Random) -> Row:
    reason = rng.choice(["not_json", STORED_RECORDS, *MANY])
    return {
        "reason": reason,
        "detail": "none",
        "record_timestamp": _moment(rng),
        "size_bytes": 9,
        "sealed_payload": rng.choice([None, b"\x00\xff"]),
    }


Counts = dict[tuple[str, int, str], int]
"""How often a feature has on a day (since 1970) a value."""


def plain_counts(lake: Lake, days: DayRange) -> Counts:
    """Count the rows of a period one at a time."""
    counts: Counts = Counter()
    traces, repeating = _traces_in_force(lake, days)
    by_day = Counter(_day_number(row["event_date"]) for row in traces)
    keys = {key for row in traces for key, _ in row["segments"]}
    for row in traces:
        day = _day_number(row["event_date"])
        segments = dict(row["segments"])
        for name in CATEGORY_FEATURES:
            counts[name, day, NO_VALUE if row[name] is None else row[name]] += 1
        for name in NUMERIC_FEATURES:
            counts[name, day, assign_band(name, row[name])] += 1
        for key in keys:
            counts[f"segments.{key}", day, segments.get(key, NO_VALUE)] += 1
    labels = _labels_in_force(lake, days, repeating)
    labelled = Counter(day for day, _ in labels)
    for day, row in labels:
        counts["label", day, row["label"]] += 1
        counts["p_fail", day, assign_band("p_fail", row["p_fail"])] += 1
    for day, number in by_day.items():
        counts["label", day, NO_VALUE] += max(0, number - labelled[day])
    _count_records(lake, days, counts)
    return {cell: number for cell, number in counts.items() if number}


def _count_records(lake: Lake, days: DayRange, counts: Counts) -> None:
    spans = {row["_topic"] for row in _rows_of(lake, "otel_spans", days)}
    for row in _rows_of(lake, "redactions", days):
        kinds = {one["type"] for one in row["counts"] if one["operator"] != "keep"}
        for kind in kinds or {NO_VALUE}:
            counts[_source("findings", row, spans), _day_number(row["event_date"]), kind] += 1
    for row in _rows_of(lake, "quarantine", days):
        name = _source("quarantine", row, spans)
        counts[name, _day_number(row["event_date"]), row["reason"]] += 1
    for table, name in (("traces", ""), ("feedback", ""), ("otel_spans", "span_")):
        for row in _rows_of(lake, table, days):
            counts[f"{name}quarantine", _day_number(row["event_date"]), STORED_RECORDS] += 1


def _source(name: str, row: Row, spans: Collection[str]) -> str:
    return f"span_{name}" if row["_topic"] in spans else name


def _traces_in_force(lake: Lake, days: DayRange) -> tuple[list[Row], set[str]]:
    """Return the rows in force, and the traces of the days that repeat others."""
    is_assembled = has_assembled_rows(open_snapshot(lake, "traces"))
    by_trace: dict[str, list[Row]] = defaultdict(list)
    for row in _rows(lake, "traces"):
        is_inside = days.first <= row["event_date"] <= days.last
        outranks = is_assembled and (row["revision"] is None or row["revision"] >= 2)
        if is_inside or outranks:
            by_trace[row["trace_id"]].append({**row, "inside": is_inside})
    present = [rows for rows in by_trace.values() if any(row["inside"] for row in rows)]
    first = [min(rows, key=row_precedence) for rows in present]
    repeating = {row["trace_id"] for row in first if row["duplicate_of"] is not None}
    return [r for r in first if r["inside"] and r["trace_id"] not in repeating], repeating


def _labels_in_force(
    lake: Lake, days: DayRange, repeating: Collection[str]
) -> list[tuple[int, Row]]:
    last: dict[tuple[int, str], Row] = {}
    for row in sorted(
        _rows(lake, "labels"),
        key=lambda row: (row["revision"], row["decided_at"], row["label_event_id"]),
    ):
        if row["trace_started_at"] is None or row["trace_id"] in repeating:
            continue
        started = row["trace_started_at"].date()
        settled = row["decided_at"].date() <= started + timedelta(days=SETTLED_DAYS)
        if days.first <= started <= days.last and settled:
            last[_day_number(started), row["trace_id"]] = row
    return [(day, row) for (day, _), row in last.items()]


def _day_number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _rows(lake: Lake, name: str) -> list[Row]:
    rows: list[Row] = open_snapshot(lake, name).dataset().to_table().to_pylist()
    return rows


def _rows_of(lake: Lake, name: str, days: DayRange) -> Iterator[Row]:
    return (row for row in _rows(lake, name) if days.first <= row["event_date"] <= days.last)


def plain_common_values(counts: Counts) -> frozenset[tuple[str, str]]:
    """Return the values that are counted separately."""
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    for (name, _, value), number in counts.items():
        totals[name][value] += number
    segments = {
        name: sum(number for value, number in values.items() if value != NO_VALUE)
        for name, values in totals.items()
        if name.startswith("segments.")
    }
    valued = {name: number for name, number in segments.items() if number}
    keys = sorted(valued, key=lambda name: (-valued[name], name))[:MAX_VALUES]
    return frozenset(
        (name, value)
        for name, values in totals.items()
        if name in keys or name not in segments
        for value in _commonest(name, values)
    )


def _commonest(name: str, values: Counter[str]) -> list[str]:
    ordered = sorted(values, key=lambda value: (-values[value], value))
    return ordered if is_numeric(name) else ordered[:MAX_VALUES]


def plain_tally(counts: Counts, values: Collection[tuple[str, str]]) -> Counts:
    """Return the counts of these values, and of the other values of their features."""
    features = {name for name, _ in values}
    tally: Counts = Counter()
    for (name, day, value), number in counts.items():
        if name in features:
            shown = value if (name, value) in values else OTHER_VALUES
            tally[name, day, shown] += number
    return dict(tally)
