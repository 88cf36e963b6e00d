"""What a lake holds of persons, for one who asks: the look of an erasure, told by table and day.

Nothing is changed. The rows are those that an erasure would take, so the answer and the erasure
cannot differ.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, Final

import pyarrow as pa

from batch.erase.removal import format_spans
from batch.erase.scanner import ErasureScan, ErasureScanner, TableMatches
from batch.erase.scope import collect_coordinates
from lake.ledger import SourcePartition
from lake.live_files import read_file_rows
from lake.retry import Retry
from schemas.arrow import (
    AUDIT_TABLE,
    LABELS_TABLE,
    PRIMARY_TABLES,
    QUARANTINE_TABLE,
    REVIEWS_TABLE,
)

_WITH_CONTENT: Final = (*PRIMARY_TABLES, LABELS_TABLE, REVIEWS_TABLE)
_BY_PLACE: Final = {AUDIT_TABLE: "_offset", QUARANTINE_TABLE: "sealed_payload"}


@dataclass(slots=True)
class Holding:
    """What one table holds of persons on one day.

    ``columns`` says in how many rows something stands in which column: an id, or a text.
    ``records`` are the places in the topics; ``rows`` the content of the persons' own rows, if it
    was asked for.
    """

    table: str
    day: date
    own: int = 0
    mentions: int = 0
    columns: Counter[str] = field(default_factory=Counter)
    records: dict[SourcePartition, frozenset[int]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return it as `goldpan subject show --json` prints it, without content."""
        return {
            "table": self.table,
            "day": self.day.isoformat(),
            "own": self.own,
            "mentions": self.mentions,
            "columns": dict(sorted(self.columns.items())),
            "records": {str(s): format_spans(found) for s, found in sorted(self.records.items())},
        }


def collect_holdings(
    found: ErasureScan, searcher: ErasureScanner, retry: Retry, *, content: bool = False
) -> list[Holding]:
    """Return what a look has found, by table and day.

    ``content`` adds the persons' own rows. Rows that only mention them are those of others, and
    payloads in quarantine may be: they are counted, and their content is never returned. Raises
    FatalError if the lake does not answer in time.
    """
    by_day: dict[tuple[str, date], Holding] = {}
    for one in found.tables:
        where = one.place.path_of(one.table.name)
        for day, rows in _rows(one, retry):
            held = by_day.setdefault((where, day), Holding(where, day))
            own, mention = searcher.flags(one.table.name, rows, found.wanted)
            held.own += int(own.sum())
            held.mentions += int(mention.sum())
            for source, offsets in collect_coordinates(rows, own | mention).items():
                held.records[source] = held.records.get(source, frozenset()) | offsets
            if one.table.name in _BY_PLACE:
                held.columns[_BY_PLACE[one.table.name]] += int((own | mention).sum())
                continue
            for column, flags in found.wanted.standing(one.table.name, rows).items():
                held.columns[column] += int(flags.sum())
            if content and one.table.name in _WITH_CONTENT:
                held.rows += map(_without_nulls, rows.filter(pa.array(own)).to_pylist())
    return [by_day[key] for key in sorted(by_day)]


def _rows(one: TableMatches, retry: Retry) -> Iterator[tuple[date, pa.Table]]:
    for file in one.files.values():
        step = partial(read_file_rows, one.table, file)
        yield file.day, retry.call(f"reading table {one.table.name}", step).rows


def _without_nulls(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
