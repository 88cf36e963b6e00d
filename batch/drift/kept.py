"""Reports that are kept in the lake, ``drift/<last day of the window>.json``, the newest counting.

A report holds counts, shares and values of columns that are never personal.
"""

import json
from datetime import date
from typing import Any, Final, NamedTuple

from batch.drift.reading import Days
from batch.drift.report import Report
from lake.objects import ObjectStore

FOLDER: Final = "drift"
"""Where they are, under the root of the lake."""


class Kept(NamedTuple):
    """A report as it was kept: the last day that it looks at, and what it says as JSON."""

    day: date
    told: dict[str, Any]


def put(files: ObjectStore, window: Days, found: Report) -> None:
    """Keep a report, in the place of an earlier one about the same day."""
    files.put(f"{window.last}.json", json.dumps(found.to_json()).encode())


def newest(files: ObjectStore) -> Kept | None:
    """Return the report about the latest day, None if none was kept."""
    names = [path for path, _ in files.walk("") if path.endswith(".json")]
    if not names:
        return None
    last = max(names)
    return Kept(date.fromisoformat(last.removesuffix(".json")), json.loads(files.get(last)))
