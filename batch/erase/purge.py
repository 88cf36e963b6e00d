"""Removes for good what no table consists of any more, where it holds rows that were erased.

Files that compaction, or the erasure itself, put others in the place of; files that were written
and never got into a table; versions of objects that a bucket keeps; and in the logs what tells of
such files. A file of a running worker that is not in its table yet stays, unless it holds such
rows: then its worker cannot commit it any more, and reads again.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from batch.erase.scanner import ErasureScanner, ReportProgress
from batch.erase.scope import ErasureScope
from batch.erase.table_set import TableSet
from lake.live_files import list_live_files
from lake.objects import HiddenVersion, ObjectStore
from lake.parquet import PARTITION_COLUMN
from lake.retry import Retry
from lake.stats_bounds import LOG_FOLDER, widen_bounds
from lake.tables import TABLE_LAYOUTS, Table
from schemas.arrow import TABLES

_DATA: Final = re.compile(r"(?:replays/[^/]+/)?(?P<table>[a-z]+)/event_date=[^/]+/[^/]+\.parquet")
_PASSES: Final = 5  # over what was written meanwhile: workers may never pause
_CHECKPOINT: Final = re.compile(rf"{LOG_FOLDER}/(\d{{20}})\.checkpoint\.parquet")
_LOGGED: Final = re.compile(rf"(?:replays/[^/]+/)?(?P<table>[a-z]+)/{LOG_FOLDER}/.*")


@dataclass(slots=True)
class PurgeCounts:
    """What was removed: files, older versions of objects, unfinished writes, entries of logs."""

    files: int = 0
    versions: int = 0
    unfinished: int = 0
    logs: int = 0


@dataclass(frozen=True, slots=True)
class LakePurge:
    """Goes through everything that lies under a lake. ``files`` is the store of its root.

    ``erased`` gives, by table, the version in which the last rows of the persons went.
    """

    files: ObjectStore
    places: Sequence[TableSet]
    erased: Mapping[str, int]
    searcher: ErasureScanner
    retry: Retry
    progress: ReportProgress

    def run(self, wanted: ErasureScope) -> PurgeCounts:
        """Remove what is to go; again, it finds nothing.

        Raises FatalError if the store does not answer in time, RetryableError if told to stop.
        """
        done = PurgeCounts()
        for place in self.places:
            for table in place.tables.values():
                erased = self.erased.get(place.path_of(table.name), -1)
                step = partial(renew_checkpoint, table, erased)
                self._try(f"checkpointing table {table.name}", step)
        done.unfinished = self._try("clearing unfinished writes", self._unfinished)
        for place in self.places:
            for table in place.tables.values():
                done.logs += self._try(f"reading the log of {table.name}", partial(_log, table))
        self._dead(wanted, done)
        self._hidden(wanted, done)
        return done

    def _unfinished(self) -> int:
        return self.files.drop_unfinished("")

    def _dead(self, wanted: ErasureScope, done: PurgeCounts) -> None:
        """Remove the files of no table that hold rows that go."""
        what, known = "listing the lake", set[str]()
        for _ in range(_PASSES):
            listed = self._try(what, lambda: {path for path, _ in self.files.walk("")})
            new = sorted(listed - known)
            if not new:
                break  # nothing was written while this went through what there was
            live = self._try(what, self._live)
            for number, path in enumerate(new):
                self.progress("files of no table", number, len(new))
                if path not in live:
                    done.files += self._gone(path, wanted)
            known |= listed

    def _gone(self, path: str, wanted: ErasureScope) -> bool:
        """Remove a file of no table if it holds rows that go; return whether it did."""
        named = _DATA.fullmatch(path)
        if named is None or named["table"] not in TABLE_LAYOUTS:
            return False
        data = self._try(f"reading {path}", partial(self.files.find, path))
        if data is None or not self._holds(named["table"], data, wanted):
            return False
        self._try(f"removing {path}", partial(self.files.purge, path))
        return True

    def _live(self) -> set[str]:
        """Return the files of all tables, now: one that has got in since it was listed counts."""
        live: set[str] = set()
        for place in self.places:
            for table in place.tables.values():
                table.refresh()
                where = place.path_of(table.name)
                live.update(f"{where}/{file.path}" for file in list_live_files(table))
        return live

    def _hidden(self, wanted: ErasureScope, done: PurgeCounts) -> None:
        """Remove older versions: of data that holds such rows, and of all that a log was before."""
        hidden = self._try("listing older versions", lambda: list(self.files.hidden("")))
        for number, one in enumerate(hidden):
            self.progress("older versions", number, len(hidden))
            if not one.marker and self._goes(one, wanted):
                self._try(f"removing {one.path}", partial(self.files.remove_hidden, one))
                done.versions += 1

    def _goes(self, one: HiddenVersion, wanted: ErasureScope) -> bool:
        if _LOGGED.fullmatch(one.path):
            return True
        named = _DATA.fullmatch(one.path)
        if named is None or named["table"] not in TABLE_LAYOUTS:
            return False
        data = self._try(f"reading {one.path}", lambda: self.files.get_hidden(one))
        return self._holds(named["table"], data, wanted)

    def _holds(self, name: str, data: bytes, wanted: ErasureScope) -> bool:
        """Tell whether a file holds rows that go; one that cannot be read might."""
        schema = TABLES[name].arrow
        schema = schema.remove(schema.get_field_index(PARTITION_COLUMN))
        try:
            rows = pq.read_table(pa.BufferReader(data), schema=schema)
        except (pa.ArrowException, OSError):
            return True
        own, mention = self.searcher.flags(name, rows, wanted)
        return bool((own | mention).any()) or wanted.marked(rows)

    def _try(self, what: str, step: Callable[[], Any]) -> Any:
        return self.retry.call(what, step)


def renew_checkpoint(table: Table, erased: int) -> None:
    """Write a checkpoint unless there is one since a version, in which rows were erased."""
    table.refresh()
    listed = (_CHECKPOINT.fullmatch(path) for path, _ in table.files.walk(LOG_FOLDER))
    if max((int(match[1]) for match in listed if match), default=-1) < erased:
        table.checkpoint()


def _log(table: Table) -> int:
    table.refresh()
    live = {file.path for file in list_live_files(table)}
    return widen_bounds(table.files, live, version=table.handle.version())
