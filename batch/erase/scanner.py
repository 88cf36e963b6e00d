"""The look: which files of which tables hold rows that are to go, and what else is learnt by it.

It goes from what names the persons to what follows from it: their traces and feedback, then texts
of others in which they are mentioned, then what was derived from all those, then quarantine and the
audit, which know coordinates only. One file is in memory at a time. A file never changes, so one
that held nothing is not read again unless more has become known since.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch.erase.scope import ErasureScope, collect_coordinates
from batch.erase.sealed_payloads import PAYLOAD_COLUMNS as SEALED
from batch.erase.sealed_payloads import SealedMatches, open_payload_texts, search_payloads
from batch.erase.table_set import DERIVED_TABLES, TableSet, read_file_columns, refresh_files
from batch.erase.text_search import RowFlags
from lake.live_files import LiveFile, read_file_rows
from lake.retry import Retry
from lake.tables import Table
from redact.crypto.sealing import Sealer
from schemas.arrow import (
    AUDIT_TABLE,
    LABELS_TABLE,
    PRIMARY_TABLES,
    QUARANTINE_TABLE,
    REVIEWS_TABLE,
)

ReportProgress = Callable[[str, int, int], None]
"""Told what is looked through, how much of it is done, and of how much."""

_LEARNT: Final = {"traces": "trace_id", "feedback": "feedback_id", "reviews": "review_id"}
_TOLD: Final = ("_topic", "_partition", "_offset", "fingerprint", "characters_scanned")


@dataclass(slots=True)
class TableMatches:
    """What goes of one table: by file, how many rows as a person's own and how many for a mention.

    ``closed`` are rows of quarantine whose payload nobody could look into, ``bare`` those without.
    """

    place: TableSet
    table: Table
    files: dict[str, LiveFile] = field(default_factory=dict)
    own: Counter[str] = field(default_factory=Counter)
    mentions: Counter[str] = field(default_factory=Counter)
    closed: int = 0
    bare: int = 0

    def count(self, file: LiveFile, own: RowFlags, mention: RowFlags) -> None:
        """Take down what a file holds."""
        if own.any() or mention.any():
            self.files[file.path] = file
            self.own[file.path] = int(own.sum())
            self.mentions[file.path] = int(mention.sum())


@dataclass(frozen=True, slots=True)
class ErasureScan:
    """What a look has found, and what is known by it."""

    wanted: ErasureScope
    tables: Sequence[TableMatches]

    @property
    def nothing(self) -> bool:
        """Return whether no row has to go."""
        return not any(one.files for one in self.tables)

    @property
    def not_looked_into(self) -> dict[str, int]:
        """Return how many payloads could not be opened, and how many records have none."""
        return {
            "sealed_payloads": sum(one.closed for one in self.tables),
            "quarantined_without_payload": sum(one.bare for one in self.tables),
        }


class ErasureScanner:
    """Looks through tables, again and again; remembers which files hold nothing."""

    def __init__(
        self,
        places: Sequence[TableSet],
        sealer: Sealer,
        *,
        retry: Retry,
        closed_too: bool = False,
        progress: ReportProgress = lambda _what, _done, _of: None,
    ) -> None:
        """With ``closed_too`` payloads that cannot be opened go as well."""
        self.places, self.sealer, self.closed_too = places, sealer, closed_too
        self._retry, self._progress = retry, progress
        self._clean: dict[tuple[str, str], tuple[int, ...]] = {}
        self.named: set[str] = set()
        """The persons' ids that some row named, in all looks so far."""

    def look(self, wanted: ErasureScope) -> ErasureScan:
        """Look through all tables as they are now.

        Raises FatalError if the lake does not answer in time, RetryableError if told to stop.
        """
        wanted = self._learn(wanted)
        records = [self._through(place, t, wanted) for place, t in self._each(PRIMARY_TABLES)]
        more = self._touched(records, wanted)
        if more != wanted:
            wanted = more
            records = [self._through(place, t, wanted) for place, t in self._each(PRIMARY_TABLES)]
        reviews = [self._through(place, t, wanted) for place, t in self._each([REVIEWS_TABLE])]
        wanted = self._touched(reviews, wanted)
        labels = [self._through(place, t, wanted) for place, t in self._each([LABELS_TABLE])]
        wanted = self._located(records, wanted)
        aside = [self._aside(place, t, wanted) for place, t in self._each([QUARANTINE_TABLE])]
        told = [self._told(place, t, wanted) for place, t in self._each([AUDIT_TABLE])]
        return ErasureScan(wanted, [*labels, *reviews, *told, *aside, *reversed(records)])

    def _each(self, names: Sequence[str]) -> Iterator[tuple[TableSet, Table]]:
        for place in self.places:
            for table in place.named(names):
                yield place, table

    def _learn(self, wanted: ErasureScope) -> ErasureScope:
        """Find the ids of the persons' traces and feedback, and others that tombstones name."""
        traces, feedback = set[str](), set[str]()
        touched, remarks = set[str](), set[str]()
        for place, table in self._each([*PRIMARY_TABLES, *DERIVED_TABLES]):
            self._progress(f"ids of {place.path_of(table.name)}", 0, 0)

            def step(table: Table = table) -> None:
                table.refresh()
                for batch in table.batches(_id_columns(table.name)):
                    mine = _of_users(batch, wanted)
                    ids = batch.column("trace_id")
                    if table.name == "traces":
                        traces.update(ids.filter(mine).to_pylist())
                    touched.update(wanted.marks.traces_among(_distinct(ids)))
                    if table.name == "feedback":
                        said = batch.column("feedback_id")
                        feedback.update(said.filter(mine).to_pylist())
                        remarks.update(wanted.marks.feedback_among(_distinct(said)))

            self._retry.call(f"reading table {table.name}", step)
        return wanted.and_also(
            traces=traces,
            feedback=feedback,
            touched=touched - traces - wanted.traces,
            remarks=remarks - feedback - wanted.feedback,
        )

    def flags(self, name: str, rows: pa.Table, wanted: ErasureScope) -> tuple[RowFlags, RowFlags]:
        """Return which rows of a table, with all its columns, go: own, and for a mention."""
        nothing = np.zeros(len(rows), np.bool_)
        if name == AUDIT_TABLE:
            scanned = np.asarray(rows["characters_scanned"]) > 0
            told = np.asarray(rows["fingerprint"].is_valid()) | scanned
            return wanted.in_places(rows) & told, nothing
        if name == QUARANTINE_TABLE:
            return self._of_aside(search_payloads(rows, wanted, self.sealer)), nothing
        return wanted.chosen(name, rows)

    def _of_aside(self, seen: SealedMatches) -> RowFlags:
        return seen.goes | seen.closed if self.closed_too else seen.goes

    def closed(self, wanted: ErasureScope) -> int:
        """Return how many payloads in quarantine nobody could look into."""
        return sum(self._aside(p, t, wanted).closed for p, t in self._each([QUARANTINE_TABLE]))

    def other_cases(self, wanted: ErasureScope) -> Counter[str]:
        """Return how often tables hold what differs from an id by case only, by what they hold.

        Other ids than e-mail addresses count exactly, so such rows stay.
        """
        found = Counter[str]()
        if wanted.in_any_case is not None:
            for place, table in self._each([*PRIMARY_TABLES, REVIEWS_TABLE]):
                self._progress(f"spellings in {place.path_of(table.name)}", 0, 0)
                for file in self._files(table):
                    found += wanted.other_cases(self._read(table, file))
            for _, table in self._each([QUARANTINE_TABLE]):
                for file in self._files(table):
                    texts = open_payload_texts(self._columns(table, file, SEALED), self.sealer)
                    found += wanted.other_cases_in(texts)
        return found

    def _through(self, place: TableSet, table: Table, wanted: ErasureScope) -> TableMatches:
        """Read all columns of each file, but for those that are known to hold nothing."""
        found = TableMatches(place, table)
        files, where = self._files(table), place.path_of(table.name)
        known = _size(wanted)
        for number, file in enumerate(files):
            self._progress(where, number, len(files))
            if self._clean.get((where, file.path)) == known:
                continue
            rows = self._read(table, file)
            chosen = wanted.chosen(table.name, rows)
            if chosen.either.any():
                found.count(file, chosen.own, chosen.mention)
                left = wanted.persons.raw - self.named
                goes = rows.filter(pa.array(chosen.either)) if left else rows
                self.named |= wanted.named_by(table.name, goes, left)
            else:
                self._clean[where, file.path] = known
        return found

    def _touched(self, tables: Sequence[TableMatches], wanted: ErasureScope) -> ErasureScope:
        """Learn the ids of what mentions the persons: all of such a trace goes."""
        for found in tables:
            name = found.table.name
            for file in found.files.values():
                rows = self._read(found.table, file)
                mention = wanted.chosen(name, rows).mention
                ids = set(rows[_LEARNT[name]].filter(pa.array(mention)).to_pylist())
                if name == "traces":
                    wanted = wanted.and_also(touched=ids - wanted.traces)
                else:
                    wanted = wanted.and_also(remarks=ids - wanted.feedback)
        return wanted

    def _located(self, records: Sequence[TableMatches], wanted: ErasureScope) -> ErasureScope:
        """Learn the coordinates of the records that go."""
        for found in records:
            for file in found.files.values():
                rows = self._read(found.table, file)
                flags = wanted.chosen(found.table.name, rows).either
                wanted = wanted.at(collect_coordinates(rows, flags))
        return wanted

    def _aside(self, place: TableSet, table: Table, wanted: ErasureScope) -> TableMatches:
        found = TableMatches(place, table)
        for file in self._files(table):
            seen = search_payloads(self._columns(table, file, SEALED), wanted, self.sealer)
            goes = self._of_aside(seen)
            self.named |= seen.named
            found.count(file, goes, np.zeros(len(goes), np.bool_))
            found.closed += int((seen.closed & ~goes).sum())
            found.bare += int(seen.bare.sum())
        return found

    def _told(self, place: TableSet, table: Table, wanted: ErasureScope) -> TableMatches:
        """Find the rows of the audit that still tell what was done to a record that goes."""
        found = TableMatches(place, table)
        for file in self._files(table):
            rows = self._columns(table, file, _TOLD)
            found.count(file, *self.flags(AUDIT_TABLE, rows, wanted))
        return found

    def _files(self, table: Table) -> list[LiveFile]:
        return self._retry.call(f"reading table {table.name}", lambda: refresh_files(table))

    def _read(self, table: Table, file: LiveFile) -> pa.Table:
        return self._retry.call(
            f"reading table {table.name}", lambda: read_file_rows(table, file).rows
        )

    def _columns(self, table: Table, file: LiveFile, columns: Sequence[str]) -> pa.Table:
        return self._retry.call(
            f"reading table {table.name}", lambda: read_file_columns(table, file, columns)
        )


def _id_columns(name: str) -> list[str]:
    if name == "feedback":
        return ["trace_id", "user_id", "feedback_id"]
    return ["trace_id", "user_id"] if name == "traces" else ["trace_id"]


def _of_users(batch: pa.RecordBatch, wanted: ErasureScope) -> pa.Array:
    if "user_id" not in batch.schema.names:
        return pa.array(np.zeros(batch.num_rows, np.bool_))
    return pa.array(wanted.persons.among(batch.column("user_id")))


def _size(wanted: ErasureScope) -> tuple[int, ...]:
    """Return what tells whether more is known than before: sets of ids only grow."""
    return (
        len(wanted.traces),
        len(wanted.feedback),
        len(wanted.touched),
        len(wanted.remarks),
    )


def _distinct(ids: pa.Array) -> list[str]:
    return [one for one in pc.unique(ids).to_pylist() if one is not None]
