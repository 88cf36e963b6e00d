"""Snapshots: a table at one version, identified by the last version that changed a row.

Compaction makes a new version with the same rows, so snapshots taken before and after it are the
same snapshot.
"""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lake.causes import describe_cause
from lake.datasets import open_dataset
from lake.delta_log import read_actions
from lake.parquet import PARTITION_COLUMN
from lake.tables import Lake, count_rows
from schemas.arrow import TABLES
from schemas.errors import RetryableError, UsageError
from schemas.times import from_millis


@dataclass(frozen=True, slots=True)
class TableSnapshot:
    """A table at ``version``; ``changed`` is the last version up to it that changed a row.

    ``as_of`` is when ``changed`` was committed, None if the log no longer has that version.
    """

    name: str
    version: int
    changed: int
    as_of: datetime | None
    handle: DeltaTable

    def txn_version(self, app: str) -> int | None:
        """Return the number under an application id; RetryableError if the log cannot be read."""
        with _errors(f"reading the log of table {self.name}"):
            version: int | None = self.handle.transaction_version(app)
            return version

    def active_files(self) -> pa.Table:
        """Return the files, as `lake.tables.Table.active_files`; raises RetryableError."""
        with _errors(f"reading the file list of table {self.name}"):
            return pa.table(self.handle.get_add_actions(flatten=True))

    def dataset(self, days: tuple[date, date] | None = None) -> ds.Dataset:
        """Return the files of these days (both included), or all files; nothing is read yet.

        Raises RetryableError if the table cannot be opened.
        """
        chosen = None
        if days is not None:
            first, last = (day.isoformat() for day in days)
            chosen = [(PARTITION_COLUMN, ">=", first), (PARTITION_COLUMN, "<=", last)]
        with _errors(f"opening table {self.name}"):
            # The schema is given since delta-rs leaves text as views in files it has rewritten.
            return open_dataset(
                self.handle, file_pruning_predicate=chosen, schema=TABLES[self.name].arrow
            )

    def row_count(self, days: tuple[date, date] | None = None) -> int:
        """Return how many rows the files of these days (both included), or all files, hold.

        Files whose statistics do not say it are not counted. Raises RetryableError if the log
        cannot be read.
        """
        files = self.active_files()
        if days is not None and len(files):
            day = pc.field(f"partition.{PARTITION_COLUMN}")
            files = files.filter((day >= days[0]) & (day <= days[1]))
        return count_rows(files)


def open_snapshot(lake: Lake, name: str, version: int | None = None) -> TableSnapshot:
    """Return a table at a version, the newest if None.

    Raises UsageError if there is no such version (any more), otherwise as `Lake.table`.
    """
    table = lake.table(name)
    table.refresh()
    newest = table.handle.version()
    if version is None:
        version = newest
    if not 0 <= version <= newest:
        raise UsageError(f"table {name} has no version {version}: the newest is {newest}")
    uri, options = lake.location.table_uri(name), lake.location.table_options()
    with _errors(f"opening version {version} of table {name}"):
        try:
            handle = DeltaTable(uri, version=version, storage_options=options)
        except DeltaError:
            raise UsageError(
                f"version {version} of table {name} no longer exists: name a later one"
            ) from None
    changed = version
    while changed > 0 and not _changes(table.files, changed):
        changed -= 1
    infos = read_actions(table.files, changed, "commitInfo") or []
    stamp = next((info["timestamp"] for info in infos if "timestamp" in info), None)
    as_of = None if stamp is None else from_millis(stamp)
    return TableSnapshot(name, version, changed, as_of, handle)


def _changes(files: Any, version: int) -> bool:
    """Return whether a commit adds or removes rows; a commit that no longer exists does."""
    for kind in ("add", "remove"):
        changes: Sequence[Mapping[str, Any]] | None = read_actions(files, version, kind)
        if changes is None or any(action.get("dataChange", True) for action in changes):
            return True
    return False


@contextmanager
def _errors(action: str) -> Any:
    try:
        yield
    except (DeltaError, OSError) as error:
        raise RetryableError(f"{action} failed ({describe_cause(error)})") from error
