"""What a scan found in one file, kept so that the file need not be searched again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from batch.erase.receipt import RecordCoordinates
from batch.erase.scope import (
    COORDINATE_COLUMNS,
    ErasureScope,
    RowMatches,
    collect_coordinates,
    list_mentioning_columns,
)
from batch.erase.text_search import RowIndexes
from schemas.arrow import PRIMARY_TABLES, SPANS_TABLE

_OWN_ID: Final = {
    "traces": "trace_id",
    "feedback": "feedback_id",
    "reviews": "review_id",
    SPANS_TABLE: "trace_id",
}


@dataclass(frozen=True, slots=True)
class FileMatches:
    """The rows of a file that match, by their index; ``ids`` are those known at the time.

    ``mentioning`` are the own ids of the rows that mention the persons. ``coordinates`` are those
    of all rows that match, in tables of records.
    """

    ids: tuple[frozenset[str], ...]
    own: RowIndexes
    mention: RowIndexes
    mentioning: frozenset[str]
    coordinates: RecordCoordinates

    @classmethod
    def of(
        cls, table: str, rows: pa.Table, matched: RowMatches, scope: ErasureScope
    ) -> "FileMatches":
        """Return what matched; ``rows`` need only the columns of `columns_of_mentions`."""
        mentioning: Sequence[str | None] = []
        if table in _OWN_ID:
            mentioning = rows[_OWN_ID[table]].filter(pa.array(matched.mention)).to_pylist()
        of_records = table in PRIMARY_TABLES and matched.either.any()
        return cls(
            scope.all_ids,
            np.flatnonzero(matched.own),
            np.flatnonzero(matched.mention),
            frozenset(id_ for id_ in mentioning if id_ is not None),
            collect_coordinates(rows, matched.either) if of_records else {},
        )

    def searched_for(self, scope: ErasureScope) -> bool:
        """Return whether the texts of the file were searched for the ids in a scope."""
        return self.ids[: len(scope.searched_ids)] == scope.searched_ids

    def with_mentions(self, mention: RowMatches) -> RowMatches:
        """Return flags of these rows and of more that mention the persons."""
        own, mentions = np.zeros_like(mention.own), mention.mention.copy()
        own[self.own] = mentions[self.mention] = True
        return RowMatches(own, mentions & ~own)


def columns_of_mentions(table: str) -> list[str]:
    """Return the columns to read of a file that was searched, once more mentioning ids are known.

    Texts are not searched for these ids.
    """
    own_id = [_OWN_ID[table]] if table in _OWN_ID else []
    record = COORDINATE_COLUMNS if table in PRIMARY_TABLES else ()
    return list(dict.fromkeys((*list_mentioning_columns(table), *own_id, *record)))
