"""Stores drift reports in the lake, as ``drift/<last day of the window>.json``.

A report holds counts, shares and values of columns that never hold personal data. The newest
report counts.
"""

import json
from datetime import date
from typing import Any, Final, NamedTuple

from batch.drift.period_engine import DayRange
from batch.drift.report import DriftReport
from lake.objects import ObjectStore

DRIFT_FOLDER: Final = "drift"
"""The folder, relative to the lake."""


class StoredDriftReport(NamedTuple):
    """A stored report: the last day of its window, and its JSON content."""

    day: date
    content: dict[str, Any]


def store_report(files: ObjectStore, window: DayRange, report: DriftReport) -> None:
    """Store a report, replacing an earlier one of the same day."""
    files.put(f"{window.last}.json", json.dumps(report.to_json()).encode())


def load_newest_report(files: ObjectStore) -> StoredDriftReport | None:
    """Return the report of the latest day, None if none is stored."""
    names = [path for path, _ in files.walk("") if path.endswith(".json")]
    if not names:
        return None
    newest_name = max(names)
    return StoredDriftReport(
        date.fromisoformat(newest_name.removesuffix(".json")), json.loads(files.get(newest_name))
    )
