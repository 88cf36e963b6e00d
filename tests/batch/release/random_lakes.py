"""Random lakes in which traces and labels come again; and traces with hostile values."""

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lake.config import LakeSettings
from lake.table_log import ASSEMBLY_SEQUENCE
from lake.tables import Lake
from tests.batch.release.world import START, Row, add, conversations, label
from tests.lake.copies import init_lake

DAY: Final = 86_400_000_000
FIRST: Final = int(START.timestamp() * 1_000_000)
WINDOW: Final = {"from": "2026-11-01T12:00", "to": "2026-11-03T12:00"}
LONG_TEXT: Final = "long " * 4000
HOSTILE_TEXTS: Final = (
    *("", " ", "  x ", "null", "NULL", "-", "=", "0"),
    *("'", "''", '"', "`", "\\", "\\\\", "\\'", "\\n", "\\u0041", "\\101", "\\%", "r'x'"),
    *("${x}", "${env:HOME}", "\\${x}", "{{x}}", "--", "/*", ";", "%s", "_%", ":x", "?", "@x"),
    *("\x00", "a\x00b", "\x01", "\x1f", "=\x1f-", "\x7f", "\n\t\r", "\u2028", "\ufeff"),
    *("\u00e9", "e\u0301", "\u0130", "\u00df", "SS", "\U0001f642", "\U0010fffd", "\ue000"),
    LONG_TEXT,
)
HOSTILE_NUMBERS: Final = (
    *(None, 0.0, -0.0, -1.0, 600.0, 599.9999999999999, 600.0000000000001, 900.0, 900.5),
    *(5e-324, 1.7976931348623157e308, -1.7976931348623157e308, 0.1, 1e15, 1e16, 1e22),
    *(float("inf"), float("-inf"), float("nan"), 2.0**53, 2.0**53 + 2),
)
HOSTILE_INTEGERS: Final = (None, 0, -1, 2**31, 2**53, 2**53 + 1, 2**63 - 1, -(2**63))
HOSTILE_TIMES: Final = tuple(
    FIRST + day * DAY + at
    for day in range(4)
    for at in (0, 1, DAY // 2 - 1, DAY // 2, DAY // 2 + 1, DAY - 1, 7 * 3_600_000_000)
)

Change = Callable[[random.Random, list[Row]], list[Row]]


def _unchanged(_rng: random.Random, rows: list[Row]) -> list[Row]:
    return rows


def with_hostile_values(rng: random.Random, rows: list[Row]) -> list[Row]:
    """Give traces values that engines could read, compare, hash or write in ways of their own."""
    ids = [f"t-{text}" for text in HOSTILE_TEXTS]
    for row in rows:
        keys = rng.sample(HOSTILE_TEXTS, rng.randrange(4))
        row |= {
            "trace_id": rng.choice([row["trace_id"], *ids]),
            "session_id": rng.choice([row["session_id"], None, rng.choice(HOSTILE_TEXTS)]),
            "user_id": rng.choice([row["user_id"], rng.choice(HOSTILE_TEXTS)]),
            "app": rng.choice(HOSTILE_TEXTS),
            "error_type": rng.choice([None, *HOSTILE_TEXTS]),
            "latency_ms": rng.choice(HOSTILE_NUMBERS),
            "cost_usd": rng.choice(HOSTILE_NUMBERS),
            "input_tokens": rng.choice(HOSTILE_INTEGERS),
            "started_at": rng.choice(HOSTILE_TIMES),
            "segments": {
                **({"plan": rng.choice(HOSTILE_TEXTS)} if rng.random() < 0.7 else {}),
                **{key: rng.choice(HOSTILE_TEXTS) for key in keys},
            },
            "tool_calls": [
                {"id": "1", "name": rng.choice(HOSTILE_TEXTS), "arguments": "{}"}
                for _ in range(rng.choice([0, 0, 1, 2]))
            ],
        }
    return rows


def with_hostile_texts(rng: random.Random, rows: list[Row]) -> list[Row]:
    """As above, with finite numbers alone, which are those that the contract allows."""
    for row in with_hostile_values(rng, rows):
        for name in ("latency_ms", "cost_usd"):
            if row[name] is not None and not math.isfinite(row[name]):
                row[name] = None
    return rows


def random_traces(rng: random.Random, count: int) -> list[Row]:
    """Return traces of few ids, so that many come again: on other days, and with other content."""
    template = conversations(1)[0]
    rows = []
    for _ in range(count):
        number = rng.randrange(count)
        rows.append(
            {
                **template,
                "trace_id": f"t-{number}",
                "session_id": rng.choice([None, f"s-{number % 20}", f"s-{rng.randrange(20)}"]),
                "user_id": rng.choice([None, f"u-{number % 7}"]),
                "status": rng.choice(["ok", "error"]),
                "error_type": rng.choice([None, "timeout"]),
                "latency_ms": rng.choice([None, 500.0, 700.0, 1000.0]),
                "segments": rng.choice([{}, {"plan": "free"}, {"plan": "silver", "team": "x"}]),
                "sampling_probability": rng.choice([None, 1.0, 0.25, 0.1]),
                "started_at": FIRST + rng.randrange(4 * DAY),
            }
        )
    return rows


def _labels(rng: random.Random, traces: list[Row]) -> list[Row]:
    events: list[Row] = []
    for trace in traces:
        for revision in range(1, 1 + rng.choice([0, 0, 1, 1, 2])):
            answer = {"expected_response": rng.choice([None, "so"])}
            review = {"kind": rng.choice(["review_fail", "review_pass"]), "weight": 1.0}
            audit = {"route": "audit", "audit_probability": 0.5, "evidence": [review]}
            more = {**answer, **(audit if rng.random() < 0.2 else {})}
            event = label(trace, rng.random(), revision=revision, **more)
            events.append({**event, "label_event_id": f"e-{len(events)}"})
    return events


def random_lake(
    folder: Path, seed: int, *, is_assembled: bool, change: Change = _unchanged
) -> Lake:
    """Make a lake of random traces and labels; ``change`` changes the traces before they go in."""
    rng = random.Random(seed)  # noqa: S311
    lake = init_lake(Lake(LakeSettings(uri=str(folder))))
    traces = change(rng, random_traces(rng, 150))
    add(lake, "traces", traces)
    add(
        lake, "traces", change(rng, random_traces(rng, 60)), policy="policy-b", topic="other.traces"
    )
    if is_assembled:
        for row in (assembled := change(rng, random_traces(rng, 80))):
            row["revision"] = rng.randrange(1, 4)
            row["duplicate_of"] = rng.choice([None, None, "t-1"])
        add(lake, "traces", assembled, topic=ASSEMBLY_SEQUENCE)
    add(lake, "labels", _labels(rng, traces))
    return lake
