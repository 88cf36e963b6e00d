"""A consistent cut through the lake: one version of each table, opened once.

Tables are opened in the reverse order of their commits. A flush commits to quarantine, then to the
audit, then to the primary table; labels follow. So whatever a commit of one table says about
another is in the cut of the other: labels are opened first, quarantine last.

A log that cannot be read is damage if the store can be read, and an outage if it cannot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NoReturn

import pyarrow as pa

from lake.delta_log import DamagedLogError, LoggedCommit, commit_path, read_commits
from lake.ledger import LoggedEntry, SourcePartition, read_ledger
from lake.parquet import PARTITION_COLUMN
from lake.retry import Retry, call_with_retry
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Lake, Table, count_rows, missing_log_problem
from schemas.arrow import (
    ANSWER_REVIEWS_TABLE,
    AUDIT_TABLE,
    JUDGEMENTS_TABLE,
    LABELS_TABLE,
    PRIMARY_TABLES,
    QUARANTINE_TABLE,
    REVIEWS_TABLE,
)
from schemas.errors import FatalError, RetryableError

CUT_ORDER: Final = (
    REVIEWS_TABLE,
    JUDGEMENTS_TABLE,
    ANSWER_REVIEWS_TABLE,
    LABELS_TABLE,
    *PRIMARY_TABLES,
    AUDIT_TABLE,
    QUARANTINE_TABLE,
)
"""The tables in the reverse order of their commits."""
_TRIES: Final = 3  # for a log that cannot be read although the store can
_LAST: Final = 8  # files of a log that are read to check that the store can be read


@dataclass(frozen=True)
class TableCut:
    """A table as of one version, with its log up to there and no further.

    ``active`` are its files (`Table.active_files`). ``commits`` have no gap; they begin at version
    0 unless the log has lost its beginning.
    """

    table: Table
    version: int
    active: pa.Table
    commits: Sequence[LoggedCommit]

    @property
    def name(self) -> str:
        """Return the name of the table."""
        return self.table.name

    @property
    def begins(self) -> int:
        """Return the version that the log begins at."""
        return self.commits[0].version if self.commits else self.version + 1

    @property
    def is_complete(self) -> bool:
        """Return whether the log has its beginning, so that its sums can be compared."""
        return self.begins == 0

    @cached_property
    def ledger(self) -> list[LoggedEntry]:
        """Return the ledger entries, oldest first; FatalError if one cannot be read."""
        history = [{**commit.info, "version": commit.version} for commit in self.commits]
        return read_ledger(history, table=self.name)

    @cached_property
    def files(self) -> Mapping[str, tuple[str, int, int | None]]:
        """Return day, size in bytes and rows (as the log says) of each file, by path."""
        if not len(self.active):
            return {}
        columns = ("path", f"partition.{PARTITION_COLUMN}", "size_bytes", "num_records")
        rows = zip(*(self.active[c].to_pylist() for c in columns), strict=True)
        return {path: (str(day), size, count) for path, day, size, count in rows}

    @property
    def rows(self) -> int:
        """Return how many rows the files hold, according to the log."""
        return count_rows(self.active)

    def positions(self, sources: Sequence[SourcePartition]) -> Mapping[SourcePartition, int | None]:
        """Return the positions; None where a source has none."""
        return self.table.positions(sources)

    def commit_metadata(self, key: str) -> list[tuple[int, Any]]:
        """Return the metadata of commits under a key, by version, oldest first."""
        return [(c.version, c.info[key]) for c in self.commits if key in c.info]


def read_table_cut(table: Table, active: pa.Table | None = None) -> TableCut:
    """Return a table as of its last refresh; ``active`` are its files, if they have been read.

    Raises DamagedLogError, or what the store raises if it cannot be read.
    """
    version = table.handle.version()
    files = table.active_files() if active is None else active
    return TableCut(table, version, files, read_commits(table.files, version, table=table.name))


@dataclass(frozen=True, slots=True)
class LakeCut:
    """The tables of a lake that could be read, and the problems found while reading them.

    ``missing`` are tables of which nothing exists. ``unfinished`` says why not all could be read:
    the store failed.
    """

    tables: Mapping[str, TableCut]
    problems: Sequence[str] = ()
    missing: Sequence[str] = ()
    unfinished: str | None = None

    @property
    def versions(self) -> dict[str, int]:
        """Return the version of each table, by name."""
        return {name: self.tables[name].version for name in TABLE_LAYOUTS if name in self.tables}


def take_cut(lake: Lake, retry: Retry | None = None) -> LakeCut:
    """Open the tables of a lake, each once.

    Where there is no lake at all, `LakeCut.missing` lists all of them.

    Raises FatalError if nothing can be read. If the store fails for longer than ``retry`` allows,
    the cut ends with what was read so far; without a retry, RetryableError is raised.
    """
    tables: dict[str, TableCut] = {}
    problems: list[str] = []
    missing: list[str] = []
    for name in CUT_ORDER:
        opening = _Opening(lake, name, tries=_TRIES if retry else 1)
        try:
            opened = call_with_retry(retry, f"opening table {name}", opening.step)
        except DamagedLogError as error:
            problems.append(str(error))
            continue
        except (FatalError, RetryableError) as error:
            if retry is None or not (tables or problems):
                raise
            return LakeCut(tables, problems, unfinished=str(error))
        if opened is None:
            missing.append(name)
            if opening.has_files:
                problems.append(missing_log_problem(name))
            continue
        tables[name] = opened
        if not opened.is_complete:
            problems.append(
                f"the log of table {name} begins at version {opened.begins}; earlier commits "
                "cannot be proved"
            )
    return LakeCut(tables, [*_lost(tables, missing), *problems], missing)


def _lost(tables: Mapping[str, TableCut], missing: Sequence[str]) -> list[str]:
    """Return a sentence for each missing table that other tables show to have existed."""
    used = [name for name in TABLE_LAYOUTS if name in tables and tables[name].ledger]
    return [
        f"table {name} is missing, but table {used[0]} holds rows that were committed with it: "
        "restore it from a copy of the lake before a worker starts"
        for name in missing
        if used
    ]


class _Opening:
    """Opens one table, and counts how often its log could not be read."""

    def __init__(self, lake: Lake, name: str, *, tries: int) -> None:
        self._lake, self._name, self._tries_left = lake, name, tries
        self._files = lake.location.files(name)
        self.has_files = False

    def step(self) -> TableCut | None:
        """Return the table, None if there is none.

        Raises DamagedLogError for damage, RetryableError or FatalError for an outage of the store.
        """
        if self._files.find(commit_path(0)) is None and not self._log():
            self.has_files = self._lake.has_files(self._name)
            return None
        try:
            table = self._lake.table(self._name)
            table.refresh()
            active = table.active_files()
        except RetryableError as error:
            self._tries_left -= 1
            if self._tries_left > 0:
                raise
            self._raise_damage_or_outage(error)
        cut = read_table_cut(table, active)
        _ = cut.ledger  # raises DamagedLogError if an entry is damaged
        return cut

    def _log(self) -> list[str]:
        return [path for path, _ in self._files.walk("_delta_log")]

    def _raise_damage_or_outage(self, error: RetryableError) -> NoReturn:
        """Raise DamagedLogError if the store can be read, otherwise as the store does."""
        for path in self._log()[-_LAST:]:
            self._files.find(path)
        raise DamagedLogError(
            f"table {self._name}: the store can be read, but the log cannot ({error}): restore it "
            "from a copy of the lake"
        ) from error
