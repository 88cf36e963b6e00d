"""Reports that are kept in the lake, ``drift/<last day of the window>.json``, the newest counting.

A report holds counts, shares and values of columns that are never personal.
"""

import json
from datetime import date
from typing import Any, Final, NamedTuple

from batch.drift.period_counts import DayRange
from batch.drift.report import DriftReport
from lake.objects import ObjectStore

DRIFT_FOLDER: Final = "drift"
"""Where they are, under the root of the lake."""


class StoredDriftReport(NamedTuple):
    """A report as it was kept: the last day that it looks at, and what it says as JSON."""

    day: date
    told: dict[str, Any]


def store_report(files: ObjectStore, window: DayRange, found: DriftReport) -> None:
    """Keep a report, in the place of an earlier one about the same day."""
    files.put(f"{window.last}.json", json.dumps(found.to_json()).encode())


def load_newest_report(files: ObjectStore) -> StoredDriftReport | None:
    """Return the report about the latest day, None if none was kept."""
    names = [path for path, _ in files.walk("") if path.endswith(".json")]
    if not names:
        return None
    last = max(names)
    return StoredDriftReport(
        date.fromisoformat(last.removesuffix(".json")), json.loads(files.get(last))
    )
