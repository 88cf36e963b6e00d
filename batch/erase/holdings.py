"""Reports what a lake holds about persons, by table and day, from the scan of an erasure.

Nothing is changed. The rows are those that an erasure would remove, so report and erasure cannot
differ.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, Final

import pyarrow as pa

from batch.erase.receipt import format_spans
from batch.erase.scanner import ErasureScan, ErasureScanner, TableMatches
from batch.erase.scope import collect_coordinates
from lake.ledger import RecordSource
from lake.live_files import read_file_rows
from lake.retry import Retry
from schemas.arrow import (
    ANSWER_REVIEWS_TABLE,
    AUDIT_TABLE,
    JUDGEMENTS_TABLE,
    LABELS_TABLE,
    PRIMARY_TABLES,
    QUARANTINE_TABLE,
    REVIEWS_TABLE,
)

_TABLES_WITH_CONTENT: Final = (
    *PRIMARY_TABLES,
    LABELS_TABLE,
    REVIEWS_TABLE,
    JUDGEMENTS_TABLE,
    ANSWER_REVIEWS_TABLE,
)
_MATCHED_COLUMN: Final = {AUDIT_TABLE: "_offset", QUARANTINE_TABLE: "sealed_payload"}
"""The column to report for tables whose rows are not matched by their columns."""


@dataclass(slots=True)
class Holding:
    """What one table holds about persons on one day.

    ``columns`` counts the matching rows of each column, ``records`` are their coordinates. ``rows``
    is the content of the persons' own rows, if requested.
    """

    table: str
    day: date
    own: int = 0
    mentions: int = 0
    columns: Counter[str] = field(default_factory=Counter)
    records: dict[RecordSource, frozenset[int]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the holding as `goldpan subject show --json` prints it, without content."""
        return {
            "table": self.table,
            "day": self.day.isoformat(),
            "own": self.own,
            "mentions": self.mentions,
            "columns": dict(sorted(self.columns.items())),
            "records": {
                str(source): format_spans(offsets)
                for source, offsets in sorted(self.records.items())
            },
        }


def collect_holdings(
    scan: ErasureScan, scanner: ErasureScanner, retry: Retry, *, content: bool = False
) -> list[Holding]:
    """Return the matches of a scan, by table and day.

    ``content`` adds the persons' own rows. Rows that only mention them belong to others, and
    payloads in quarantine may: these are counted, and their content is never returned. Raises
    FatalError if the lake does not answer in time.
    """
    by_day: dict[tuple[str, date], Holding] = {}
    for matches in scan.tables:
        name = matches.table.name
        for day, rows in _read_files(matches, retry):
            holding = by_day.setdefault((matches.path, day), Holding(matches.path, day))
            own, mention = scanner.match_rows(name, rows, scan.scope)
            holding.own += int(own.sum())
            holding.mentions += int(mention.sum())
            for source, offsets in collect_coordinates(rows, own | mention).items():
                holding.records[source] = holding.records.get(source, frozenset()) | offsets
            if name in _MATCHED_COLUMN:
                holding.columns[_MATCHED_COLUMN[name]] += int((own | mention).sum())
                continue
            for column, flags in scan.scope.match_columns(name, rows).items():
                holding.columns[column] += int(flags.sum())
            if content and name in _TABLES_WITH_CONTENT:
                holding.rows += map(_without_nulls, rows.filter(pa.array(own)).to_pylist())
    return [by_day[key] for key in sorted(by_day)]


def _read_files(matches: TableMatches, retry: Retry) -> Iterator[tuple[date, pa.Table]]:
    for file in matches.files.values():
        step = partial(read_file_rows, matches.table, file)
        yield file.day, retry.call(f"reading table {matches.table.name}", step).rows


def _without_nulls(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
