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

from batch.erase.place import DERIVED, Place, columns_of, files_of
from batch.erase.sealed import COLUMNS as SEALED
from batch.erase.sealed import Aside, look_into, texts_in
from batch.erase.search import Flags
from batch.erase.wanted import Wanted, coordinates_of
from lake.retry import Retry
from lake.stored import LiveFile, read_rows
from lake.tables import Table
from redact.quarantine import Sealer
from schemas.arrow import AUDIT, LABELS, PRIMARY_TABLES, QUARANTINE, REVIEWS

Progress = Callable[[str, int, int], None]
"""Told what is looked through, how much of it is done, and of how much."""

_LEARNT: Final = {"traces": "trace_id", "feedback": "feedback_id", "reviews": "review_id"}
_TOLD: Final = ("_topic", "_partition", "_offset", "fingerprint", "characters_scanned")


@dataclass(slots=True)
class InTable:
    """What goes of one table: by file, how many rows as a person's own and how many for a mention.

    ``closed`` are rows of quarantine whose payload nobody could look into, ``bare`` those without.
    """

    place: Place
    table: Table
    files: dict[str, LiveFile] = field(default_factory=dict)
    own: Counter[str] = field(default_factory=Counter)
    mentions: Counter[str] = field(default_factory=Counter)
    closed: int = 0
    bare: int = 0

    def count(self, file: LiveFile, own: Flags, mention: Flags) -> None:
        """Take down what a file holds."""
        if own.any() or mention.any():
            self.files[file.path] = file
            self.own[file.path] = int(own.sum())
            self.mentions[file.path] = int(mention.sum())


@dataclass(frozen=True, slots=True)
class Found:
    """What a look has found, and what is known by it."""

    wanted: Wanted
    tables: Sequence[InTable]

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


class Searcher:
    """Looks through tables, again and again; remembers which files hold nothing."""

    def __init__(
        self,
        places: Sequence[Place],
        sealer: Sealer,
        *,
        retry: Retry,
        closed_too: bool = False,
        progress: Progress = lambda _what, _done, _of: None,
    ) -> None:
        """With ``closed_too`` payloads that cannot be opened go as well."""
        self.places, self.sealer, self.closed_too = places, sealer, closed_too
        self._retry, self._progress = retry, progress
        self._clean: dict[tuple[str, str], tuple[int, ...]] = {}
        self.named: set[str] = set()
        """The persons' ids that some row named, in all looks so far."""

    def look(self, wanted: Wanted) -> Found:
        """Look through all tables as they are now.

        Raises FatalError if the lake does not answer in time, RetryableError if told to stop.
        """
        wanted = self._learn(wanted)
        records = [self._through(place, t, wanted) for place, t in self._each(PRIMARY_TABLES)]
        more = self._touched(records, wanted)
        if more != wanted:
            wanted = more
            records = [self._through(place, t, wanted) for place, t in self._each(PRIMARY_TABLES)]
        reviews = [self._through(place, t, wanted) for place, t in self._each([REVIEWS])]
        wanted = self._touched(reviews, wanted)
        labels = [self._through(place, t, wanted) for place, t in self._each([LABELS])]
        wanted = self._located(records, wanted)
        aside = [self._aside(place, t, wanted) for place, t in self._each([QUARANTINE])]
        told = [self._told(place, t, wanted) for place, t in self._each([AUDIT])]
        return Found(wanted, [*labels, *reviews, *told, *aside, *reversed(records)])

    def _each(self, names: Sequence[str]) -> Iterator[tuple[Place, Table]]:
        for place in self.places:
            for table in place.named(names):
                yield place, table

    def _learn(self, wanted: Wanted) -> Wanted:
        """Find the ids of the persons' traces and feedback, and others that tombstones name."""
        traces, feedback = set[str](), set[str]()
        touched, remarks = set[str](), set[str]()
        for place, table in self._each([*PRIMARY_TABLES, *DERIVED]):
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

    def flags(self, name: str, rows: pa.Table, wanted: Wanted) -> tuple[Flags, Flags]:
        """Return which rows of a table, with all its columns, go: own, and for a mention."""
        nothing = np.zeros(len(rows), np.bool_)
        if name == AUDIT:
            scanned = np.asarray(rows["characters_scanned"]) > 0
            told = np.asarray(rows["fingerprint"].is_valid()) | scanned
            return wanted.in_places(rows) & told, nothing
        if name == QUARANTINE:
            return self._of_aside(look_into(rows, wanted, self.sealer)), nothing
        return wanted.chosen(name, rows)

    def _of_aside(self, seen: Aside) -> Flags:
        return seen.goes | seen.closed if self.closed_too else seen.goes

    def closed(self, wanted: Wanted) -> int:
        """Return how many payloads in quarantine nobody could look into."""
        return sum(self._aside(p, t, wanted).closed for p, t in self._each([QUARANTINE]))

    def other_cases(self, wanted: Wanted) -> Counter[str]:
        """Return how often tables hold what differs from an id by case only, by what they hold.

        Other ids than e-mail addresses count exactly, so such rows stay.
        """
        found = Counter[str]()
        if wanted.in_any_case is not None:
            for place, table in self._each([*PRIMARY_TABLES, REVIEWS]):
                self._progress(f"spellings in {place.path_of(table.name)}", 0, 0)
                for file in self._files(table):
                    found += wanted.other_cases(self._read(table, file))
            for _, table in self._each([QUARANTINE]):
                for file in self._files(table):
                    texts = texts_in(self._columns(table, file, SEALED), self.sealer)
                    found += wanted.other_cases_in(texts)
        return found

    def _through(self, place: Place, table: Table, wanted: Wanted) -> InTable:
        """Read all columns of each file, but for those that are known to hold nothing."""
        found = InTable(place, table)
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

    def _touched(self, tables: Sequence[InTable], wanted: Wanted) -> Wanted:
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

    def _located(self, records: Sequence[InTable], wanted: Wanted) -> Wanted:
        """Learn the coordinates of the records that go."""
        for found in records:
            for file in found.files.values():
                rows = self._read(found.table, file)
                flags = wanted.chosen(found.table.name, rows).either
                wanted = wanted.at(coordinates_of(rows, flags))
        return wanted

    def _aside(self, place: Place, table: Table, wanted: Wanted) -> InTable:
        found = InTable(place, table)
        for file in self._files(table):
            seen = look_into(self._columns(table, file, SEALED), wanted, self.sealer)
            goes = self._of_aside(seen)
            self.named |= seen.named
            found.count(file, goes, np.zeros(len(goes), np.bool_))
            found.closed += int((seen.closed & ~goes).sum())
            found.bare += int(seen.bare.sum())
        return found

    def _told(self, place: Place, table: Table, wanted: Wanted) -> InTable:
        """Find the rows of the audit that still tell what was done to a record that goes."""
        found = InTable(place, table)
        for file in self._files(table):
            rows = self._columns(table, file, _TOLD)
            found.count(file, *self.flags(AUDIT, rows, wanted))
        return found

    def _files(self, table: Table) -> list[LiveFile]:
        return self._retry.call(f"reading table {table.name}", lambda: files_of(table))

    def _read(self, table: Table, file: LiveFile) -> pa.Table:
        return self._retry.call(f"reading table {table.name}", lambda: read_rows(table, file).rows)

    def _columns(self, table: Table, file: LiveFile, columns: Sequence[str]) -> pa.Table:
        return self._retry.call(
            f"reading table {table.name}", lambda: columns_of(table, file, columns)
        )


def _id_columns(name: str) -> list[str]:
    if name == "feedback":
        return ["trace_id", "user_id", "feedback_id"]
    return ["trace_id", "user_id"] if name == "traces" else ["trace_id"]


def _of_users(batch: pa.RecordBatch, wanted: Wanted) -> pa.Array:
    if "user_id" not in batch.schema.names:
        return pa.array(np.zeros(batch.num_rows, np.bool_))
    return pa.array(wanted.persons.among(batch.column("user_id")))


def _size(wanted: Wanted) -> tuple[int, ...]:
    """Return what tells whether more is known than before: sets of ids only grow."""
    return (
        len(wanted.traces),
        len(wanted.feedback),
        len(wanted.touched),
        len(wanted.remarks),
    )


def _distinct(ids: pa.Array) -> list[str]:
    return [one for one in pc.unique(ids).to_pylist() if one is not None]
