"""Purges files and old versions that hold erased rows and belong to no table any more.

These are files replaced by compaction or by the erasure itself, files that were uploaded but never
committed, old versions of objects in a versioned bucket, and statistics of such files in the logs.
A file that a running worker has not committed yet stays, unless it contains erased rows: then the
fence rejects its commit anyway, and the worker reads the records again.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import pyarrow as pa

from batch.erase.scanner import ErasureScanner
from batch.erase.scope import ErasureScope
from batch.erase.table_set import TableSet
from batch.progress import ReportProgress
from lake.file_reader import read_file
from lake.live_files import list_live_files
from lake.objects import HiddenVersion, ObjectStore
from lake.retry import Retry
from lake.stats_bounds import LOG_FOLDER, widen_bounds
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Table

_MAX_PASSES: Final = 5  # running workers keep writing files
_DATA_FILE: Final = re.compile(
    r"(?:replays/[^/]+/)?(?P<table>[a-z_]+)/event_date=[^/]+/[^/]+\.parquet"
)
_CHECKPOINT: Final = re.compile(rf"{LOG_FOLDER}/(\d{{20}})\.checkpoint\.parquet")
_LOG_FILE: Final = re.compile(rf"(?:replays/[^/]+/)?(?P<table>[a-z_]+)/{LOG_FOLDER}/.*")
_Result = TypeVar("_Result")


@dataclass(slots=True)
class PurgeCounts:
    """What was purged: files, old versions of objects, unfinished uploads, entries of logs."""

    files: int = 0
    versions: int = 0
    unfinished: int = 0
    logs: int = 0


@dataclass(frozen=True, slots=True)
class LakePurge:
    """Searches all files below a lake, whose root is ``store``.

    ``erased_versions`` are the versions in which the last rows of the persons were removed, by
    table.
    """

    store: ObjectStore
    table_sets: Sequence[TableSet]
    erased_versions: Mapping[str, int]
    scanner: ErasureScanner
    retry: Retry
    progress: ReportProgress

    def run(self, scope: ErasureScope) -> PurgeCounts:
        """Purge what contains rows in scope; a second run finds nothing.

        Raises FatalError if the store does not answer in time, RetryableError if stopped.
        """
        counts = PurgeCounts()
        for table_set in self.table_sets:
            for table in table_set.tables.values():
                version = self.erased_versions.get(table_set.path_of(table.name), -1)
                step = partial(renew_checkpoint, table, version)
                self._retry(f"checkpointing table {table.name}", step)
        counts.unfinished = self._retry(
            "clearing unfinished writes", partial(self.store.drop_unfinished, "")
        )
        for table_set in self.table_sets:
            for table in table_set.tables.values():
                what = f"reading the log of {table.name}"
                counts.logs += self._retry(what, partial(_widen_log, table))
        self._purge_unreferenced(scope, counts)
        self._purge_versions(scope, counts)
        return counts

    def _purge_unreferenced(self, scope: ErasureScope, counts: PurgeCounts) -> None:
        """Purge files that contain rows in scope and belong to no table."""
        what, listed_before = "listing the lake", set[str]()
        for _ in range(_MAX_PASSES):
            listed = self._retry(what, lambda: {path for path, _ in self.store.walk("")})
            new = sorted(listed - listed_before)
            if not new:
                break  # nothing was written since the last pass
            live = self._retry(what, self._live_paths)
            for done, path in enumerate(new):
                self.progress("unreferenced files", done, len(new))
                if path not in live:
                    counts.files += self._purge_file(path, scope)
            listed_before |= listed

    def _purge_file(self, path: str, scope: ErasureScope) -> bool:
        """Purge an unreferenced file if it contains rows in scope; return whether it did."""
        name = _DATA_FILE.fullmatch(path)
        if name is None or name["table"] not in TABLE_LAYOUTS:
            return False
        if not self.scanner.has_matched(path):
            data = self._retry(f"reading {path}", partial(self.store.find, path))
            if data is None or not self._contains_rows(name["table"], data, scope):
                return False
        self._retry(f"removing {path}", partial(self.store.purge, path))
        return True

    def _live_paths(self) -> set[str]:
        """Return the current files of all tables, including those committed since the listing."""
        live: set[str] = set()
        for table_set in self.table_sets:
            for table in table_set.tables.values():
                table.refresh()
                folder = table_set.path_of(table.name)
                live.update(f"{folder}/{file.path}" for file in list_live_files(table))
        return live

    def _purge_versions(self, scope: ErasureScope, counts: PurgeCounts) -> None:
        """Purge all old versions of log files, and those of data files with rows in scope."""
        hidden = self._retry("listing older versions", lambda: list(self.store.hidden("")))
        for done, version in enumerate(hidden):
            self.progress("older versions", done, len(hidden))
            if not version.marker and self._is_in_scope(version, scope):
                step = partial(self.store.remove_hidden, version)
                self._retry(f"removing {version.path}", step)
                counts.versions += 1

    def _is_in_scope(self, version: HiddenVersion, scope: ErasureScope) -> bool:
        if _LOG_FILE.fullmatch(version.path):
            return True
        name = _DATA_FILE.fullmatch(version.path)
        if name is None or name["table"] not in TABLE_LAYOUTS:
            return False
        data = self._retry(f"reading {version.path}", lambda: self.store.get_hidden(version))
        return self._contains_rows(name["table"], data, scope)

    def _contains_rows(self, table: str, data: bytes, scope: ErasureScope) -> bool:
        """Return whether a file contains rows in scope; True if the file cannot be read."""
        try:
            rows = read_file(data, table)
        except (pa.ArrowException, OSError):
            return True
        matched = self.scanner.match_rows(table, rows, scope).either
        return bool(matched.any()) or scope.holds_marked_ids(rows)

    def _retry(self, what: str, step: Callable[[], _Result]) -> _Result:
        return self.retry.call(what, step)


def renew_checkpoint(table: Table, erased_version: int) -> None:
    """Write a checkpoint unless there is one at or after a version in which rows were erased."""
    table.refresh()
    names = (_CHECKPOINT.fullmatch(path) for path, _ in table.files.walk(LOG_FOLDER))
    if max((int(match[1]) for match in names if match), default=-1) < erased_version:
        table.checkpoint()


def _widen_log(table: Table) -> int:
    table.refresh()
    live = {file.path for file in list_live_files(table)}
    return widen_bounds(table.files, live, version=table.handle.version())
