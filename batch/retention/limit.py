"""Limits what one run of retention may remove: a wrong plan or clock must not empty a table.

A run does not begin if it would remove more than a configured share of a table, and far more than
the last runs did. What those removed is in the metadata of their commits (`batch.retention.run`).
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from batch.retention.expiring import ExpiringDay
from batch.retention.run import RUN_KEY
from lake.live_files import list_live_files
from lake.table_log import RETENTION_KEY
from lake.tables import Table

RUNS_COMPARED: Final = 5
"""The number of earlier runs that a run is compared with."""
EXCESS_FACTOR: Final = 3
"""A run that removes more than this many times what earlier runs did is unusual."""


@dataclass(frozen=True, slots=True)
class RetentionExcess:
    """One part of a table from which a run would remove too much.

    ``rows`` would be removed of ``table_rows``; ``usual_rows`` is what the last runs removed.
    """

    table: str
    part: str
    rows: int
    table_rows: int
    usual_rows: int

    @property
    def share(self) -> float:
        """Return the share of the table's rows that would be removed."""
        return self.rows / self.table_rows if self.table_rows else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the excess as the command prints it."""
        return {
            "table": self.table,
            "part": self.part,
            "rows": self.rows,
            "of": self.table_rows,
            "share": round(self.share, 4),
            "usual": self.usual_rows,
        }


def find_table_excesses(
    table: Table, expiring: Iterable[ExpiringDay], at_most: float
) -> list[RetentionExcess]:
    """Return the parts that would lose more than the share ``at_most``, and more than usual.

    As of the table's last refresh. Raises RetryableError if the lake does not answer.
    """
    rows_by_part: dict[str, int] = defaultdict(int)
    for day in expiring:
        for part, amount in day.parts.items():
            rows_by_part[part] += amount.rows
    if not rows_by_part:
        return []
    rows = sum(file.rows for file in list_live_files(table))
    usual_rows = median_rows_taken(table.commit_metadata(RETENTION_KEY))
    candidates = [
        RetentionExcess(table.name, part, count, rows, usual_rows.get(part, 0))
        for part, count in sorted(rows_by_part.items())
    ]
    return [
        excess
        for excess in candidates
        if excess.share > at_most and excess.rows > EXCESS_FACTOR * excess.usual_rows
    ]


def median_rows_taken(notes: Sequence[tuple[int, str]]) -> Mapping[str, int]:
    """Return how many rows the last runs usually removed (the median), by part.

    ``notes`` are the versions and notes of their commits, oldest first. A run that removed nothing
    of a part does not count for it. Commits from before runs had ids count one by one.
    """
    by_run: dict[str, dict[str, int]] = defaultdict(dict)
    for version, text in notes:
        note = json.loads(text)
        run_id = str(note.get(RUN_KEY, f"version {version}"))
        for part, amount in note["parts"].items():
            rows_by_run = by_run[part]
            rows_by_run[run_id] = rows_by_run.get(run_id, 0) + int(amount["rows"])
    return {
        part: int(median(list(rows_by_run.values())[-RUNS_COMPARED:]))
        for part, rows_by_run in by_run.items()
    }
