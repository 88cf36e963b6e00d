"""How much one run of retention may take: a wrong plan, or a wrong clock, must not empty a table.

A run that would take more of a table than a share that is set, and far more than the last runs
took, is not begun. What those took is in the metadata of their commits (`batch.retention.run`).
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
from lake.retention_horizon import RETENTION_KEY
from lake.tables import Table

RUNS_COMPARED: Final = 5
"""So many runs are looked back at."""
EXCESS_FACTOR: Final = 3
"""A run that takes so many times what the last ones did is no longer like them."""


@dataclass(frozen=True, slots=True)
class RetentionExcess:
    """What a run would take of a table: ``rows`` of its rows, ``of`` in all, of one part.

    ``usual`` is what the last runs took.
    """

    table: str
    part: str
    rows: int
    of: int
    usual: int

    @property
    def share(self) -> float:
        """Return the share of the table's rows."""
        return self.rows / self.of if self.of else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return it as the command prints it."""
        return {
            "table": self.table,
            "part": self.part,
            "rows": self.rows,
            "of": self.of,
            "share": round(self.share, 4),
            "usual": self.usual,
        }


def find_table_excesses(
    table: Table, found: Iterable[ExpiringDay], at_most: float
) -> list[RetentionExcess]:
    """Return what of ``found`` is more of a table than ``at_most`` (a share), and not usual.

    As of the table's last refresh. Raises RetryableError if the lake does not answer.
    """
    wanted: dict[str, int] = defaultdict(int)
    for one in found:
        for part, amount in one.parts.items():
            wanted[part] += amount.rows
    if not wanted:
        return []
    rows = sum(file.rows for file in list_live_files(table))
    usual = median_rows_taken(table.said(RETENTION_KEY))
    all_of_it = [
        RetentionExcess(table.name, part, count, rows, usual.get(part, 0))
        for part, count in sorted(wanted.items())
    ]
    return [
        one for one in all_of_it if one.share > at_most and one.rows > EXCESS_FACTOR * one.usual
    ]


def median_rows_taken(said: Sequence[tuple[int, str]]) -> Mapping[str, int]:
    """Return how many rows the last runs usually took (the median), by part.

    ``said`` is what their commits say, oldest first. A run that took nothing of a part does not
    count for it; one of before runs were told apart counts by the day of data.
    """
    by_run: dict[str, dict[str, int]] = defaultdict(dict)
    for version, text in said:
        told = json.loads(text)
        run = str(told.get(RUN_KEY, f"version {version}"))
        for part, amount in told["parts"].items():
            runs = by_run[part]
            runs[run] = runs.get(run, 0) + int(amount["rows"])
    return {
        part: int(median(list(runs.values())[-RUNS_COMPARED:])) for part, runs in by_run.items()
    }
