"""A lake of five weeks of traffic, in which something may change in the last days."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from lake.config import LakeSettings
from lake.tables import Lake
from tests.batch.release.world import Row, add, label, make_lake
from tests.lake.copies import make_once

FIRST = date(2026, 10, 5)
DAYS = 35
WINDOW = 7
LAST = FIRST + timedelta(days=DAYS - 1)
TRACES = 120
"""So many traces a day."""

QUIET: Mapping[str, Any] = {
    "errors": 0.05,
    "slow": 1.0,
    "failing": 0.2,
    "model": 0.3,
    "mail": 0.2,
    "kept": False,
    "bad": 2,
    "segments": ("free", "free", "gold"),
}


def five_weeks(folder: Path, **changed: Any) -> Lake:
    """Make the lake; ``changed`` says what is otherwise in the last week."""
    key = f"five weeks {sorted(changed.items())}"
    make_once(folder, key, lambda made: _make_five_weeks(made, changed))
    return Lake(LakeSettings(uri=str(folder)))


def _make_five_weeks(folder: Path, changed: Mapping[str, Any]) -> None:
    rng = random.Random(0)  # noqa: S311
    traces, labels, findings, bad = [], [], [], []
    for number in range(DAYS):
        now = {**QUIET, **(changed if number >= DAYS - WINDOW else {})}
        day = micros(FIRST + timedelta(days=number))
        for i, trace in enumerate(_traces(rng, number, day, now)):
            traces.append(trace)
            findings.append(found_in(day, i, mail=rng.random() < now["mail"], kept=now["kept"]))
            if i % 2:
                p_fail = 0.9 if rng.random() < now["failing"] else 0.1
                labels.append(label(trace, p_fail, trace_started_at=trace["started_at"]))
        bad += [set_aside(day) for _ in range(now["bad"])]
    lake = make_lake(folder, traces, labels)
    add(lake, "redactions", findings)
    add(lake, "quarantine", bad)


def _traces(
    rng: random.Random, number: int, day: int, now: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    for i in range(TRACES):
        error = rng.random() < now["errors"]
        yield {
            "trace_id": f"t-{number}-{i}",
            "app": "shop",
            "environment": "production",
            "started_at": day + rng.randrange(86_400_000_000),
            "latency_ms": rng.lognormvariate(6, 0.5) * now["slow"],
            "status": "error" if error else "ok",
            "error_type": "timeout" if error else None,
            "model_version": "new" if rng.random() < now["model"] else "old",
            "segments": {"plan": rng.choice(now["segments"])},
        }


def found_in(day: int, number: int, *, mail: bool, kept: bool = False) -> Row:
    """Return an entry of the audit."""
    one = {"type": "EMAIL_ADDRESS", "operator": "placeholder", "count": 2}
    return {
        "_ingested_at": day + number,
        "characters_scanned": 100,
        "counts": [one] * mail + [{"type": "URL", "operator": "keep", "count": 1}] * kept,
        "previous": "p",
        "chain": "c",
    }


def set_aside(day: int) -> Row:
    """Return a row of quarantine."""
    return {"reason": "not_json", "detail": "none", "record_timestamp": day, "size_bytes": 9}


def micros(day: date) -> int:
    """Return the beginning of a day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
