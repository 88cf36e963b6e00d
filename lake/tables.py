"""The tables of a lake: creates, opens, checks and describes them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from lake.causes import describe_cause
from lake.conditional_put_probe import probe_conditional_put
from lake.config import LakeSettings
from lake.datasets import open_dataset
from lake.erasure_copies import refuse_outdated_lake
from lake.handle import TableHandle, read_txn_version, refresh_handle
from lake.ledger import LoggedEntry, SourcePartition, read_ledger
from lake.location import LakeLocation
from lake.objects import ObjectStore
from lake.parquet import PARTITION_COLUMN
from lake.schema_check import check_schema, missing_columns
from lake.table_layouts import LATER_TABLES, TABLE_LAYOUTS, TABLES_WITH_COLUMNS
from lake.table_log import LEDGER_KEY, incarnation_app, position_app
from schemas.arrow import TABLES, TableSchema
from schemas.errors import FatalError, RetryableError
from schemas.times import from_millis

# Beside these, `delta.dataSkippingStatsColumns` names the columns that have statistics: for all
# others readers expect none, where delta-rs would treat a missing bound as matching nothing.
# Positions must never expire, and one maintenance job, not each writer, cleans up the log.
_CONFIGURATION = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 3650 days",
}

_NOTHING: Mapping[str, str] = MappingProxyType({})
FIRST_COMMITS = 100  # commits that are read first


FILE_COLUMN = "__filename"
"""The column that `Table.read` gives the path of each row's file in, relative to the table."""


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A description of a table for people. Sizes in bytes; ``days`` is (first, last) or None."""

    name: str
    uri: str
    version: int
    files: int
    rows: int
    bytes: int
    days: tuple[str, str] | None
    last_commit: datetime | None


class Table:
    """One Delta table of the lake, with the handle that commits go through."""

    def __init__(self, schema: TableSchema, handle: DeltaTable, files: ObjectStore) -> None:
        self.name = schema.name
        self.handle = handle
        self.files = files
        self.layout = TABLE_LAYOUTS[schema.name]

    def refresh(self) -> None:
        """Bring the handle to the newest version; RetryableError if the log cannot be read."""
        refresh_handle(self.handle, self.name)

    def positions(self, sources: Sequence[SourcePartition]) -> Mapping[SourcePartition, int | None]:
        """Return the positions as of the last refresh; None where a source has none."""
        return {source: self.txn_version(position_app(source)) for source in sources}

    def txn_version(self, app: str) -> int | None:
        """Return the number kept under an application id, as of the last refresh."""
        return read_txn_version(self.handle, self.name, app)

    def incarnation_version(self, topic: str) -> int | None:
        """Return the number of the topic's incarnation that the positions belong to."""
        return self.txn_version(incarnation_app(topic))

    def ledger(self) -> list[LoggedEntry]:
        """Return all ledger entries, oldest first, as of the last refresh."""
        with _lake_errors(f"reading the history of table {self.name}"):
            return read_ledger(self._until_version(self.handle.history()), table=self.name)

    def commit_metadata(
        self, key: str, *, since_ms: int = 0, after: int = -1
    ) -> list[tuple[int, str]]:
        """Return the metadata of commits under a key, by version, oldest first.

        Those of versions up to ``after`` are left out. Commits from before ``since_ms`` (by the
        clocks of their writers) may be left out.
        """
        if self.handle.version() <= after:
            return []
        with _lake_errors(f"reading the history of table {self.name}"):
            history = self._until_version(self._history(since_ms, after))
        return sorted(
            (commit["version"], commit[key])
            for commit in history
            if key in commit and commit["version"] > after
        )

    def _until_version(self, history: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the commits up to the handle's version: delta-rs reads up to the newest."""
        version = self.handle.version()
        return [commit for commit in history if commit["version"] <= version]

    def _history(self, since_ms: int, after: int) -> list[dict[str, Any]]:
        limit = min(FIRST_COMMITS, self.handle.version() - after)
        while True:
            commits = self.handle.history(limit)
            if (
                len(commits) < limit
                or commits[-1]["version"] <= after + 1
                or commits[-1].get("timestamp", since_ms) < since_ms
            ):
                return commits
            limit *= 8

    def active_files(self) -> pa.Table:
        """Return the files of the table: path, size_bytes, num_records, min.*, max.*, ..."""
        with _lake_errors(f"reading the file list of table {self.name}"):
            return pa.table(self.handle.get_add_actions(flatten=True))

    def row_count(self) -> int:
        """Return the number of rows as of the last refresh, by the statistics of the files."""
        return count_rows(self.active_files())

    def read(
        self,
        columns: Sequence[str],
        condition: pc.Expression | None = None,
        *,
        texts: Mapping[str, str] = _NOTHING,
    ) -> pa.Table:
        """Read columns of the rows that match, as of the last refresh.

        ``condition`` is for numbers and times, ``texts`` holds the required values of text columns.
        Files that delta-rs has rewritten hold text as views, which pyarrow cannot compare before it
        has read them.
        """
        with _lake_errors(f"reading table {self.name}"):
            dataset = open_dataset(self.handle)
            rows = dataset.to_table(columns=[*{*columns, *texts}], filter=condition)
            for column, text in texts.items():
                rows = rows.filter(pc.equal(rows[column], text))
            return rows.select(list(columns))

    def batches(
        self,
        columns: Sequence[str],
        condition: pc.Expression | None = None,
        *,
        rows: int = 131_072,
        ahead: int = 4,
    ) -> Iterator[pa.RecordBatch]:
        """Yield columns of the rows that match, at most ``rows`` at a time; as `read`.

        The rows are those at the time of the call, however long reading takes. ``ahead`` batches
        are read in advance; more of them if the reader is slow, unless ``ahead`` is 0: then files
        are read one after the other.
        """
        action = f"reading table {self.name}"
        with _lake_errors(action):
            # With the schema given, files that delta-rs has rewritten give plain text too.
            dataset = open_dataset(self.handle, schema=TABLES[self.name].arrow)
        scan = {"columns": list(columns), "filter": condition, "batch_size": rows}
        if not ahead:
            return _scan_files(action, dataset, condition, scan)
        return _scan(
            action, dataset, batch_readahead=ahead, fragment_readahead=ahead // 2 or 1, **scan
        )

    def checkpoint(self) -> None:
        """Write a checkpoint, so that readers need not read all commits since the beginning."""
        with _lake_errors(f"checkpointing table {self.name}"):
            self.handle.create_checkpoint()

    def facts(self) -> TableFacts:
        """Describe the table as of the last refresh."""
        active = self.active_files()
        days = active[f"partition.{PARTITION_COLUMN}"] if len(active) else None
        history = self.handle.history(1)
        stamp = history[0].get("timestamp") if history else None
        return TableFacts(
            name=self.name,
            uri=self.handle.table_uri,
            version=self.handle.version(),
            files=len(active),
            rows=count_rows(active),
            bytes=int(pc.sum(active["size_bytes"]).as_py() or 0),
            days=None if days is None else (str(pc.min(days)), str(pc.max(days))),
            last_commit=None if stamp is None else from_millis(stamp),
        )


def count_rows(active: pa.Table) -> int:
    """Return how many rows files hold, by their statistics; ``active`` as `Table.active_files`."""
    return int(pc.sum(active["num_records"]).as_py() or 0) if len(active) else 0


class Lake:
    """All tables under one root."""

    def __init__(self, settings: LakeSettings) -> None:
        self.location = LakeLocation(settings.uri, settings.s3_endpoint_url)
        self._settings = settings
        self._opened: dict[str, Table] = {}

    def init(
        self, names: Sequence[str] = tuple(TABLE_LAYOUTS), *, lost: Collection[str] = ()
    ) -> list[str]:
        """Create the missing tables and return their names. Safe to run several times at once.

        ``names`` are the tables to create: all, except in a staging area. Those in ``lost`` are
        created even if others hold rows that were committed with them.

        Raises FatalError or RetryableError if the root cannot be used. Raises FatalError if a table
        or only its log is missing from a lake in use, or if an existing table has another schema
        than this version of goldpan writes, or if the store overwrites files.
        """
        self.location.check()
        if self.location.on_s3 and set(names) == set(
            TABLE_LAYOUTS
        ):  # a staging area lies in a lake
            probe_conditional_put(self.location.files(""))
        self._refuse_lost(names, lost)
        created = [name for name in names if self._create(TABLES[name])]
        for name in names:
            self.table(name)
        return created

    def table(self, name: str) -> Table:
        """Open a table, once.

        Raises FatalError if it does not exist or has another schema, or if the lake is older than
        its erasures (`lake.erasure_copies`).
        """
        if not self._opened:
            refuse_outdated_lake(self._settings)
        if name not in self._opened:
            schema = TABLES[name]
            handle = self.handle(name)
            check_schema(name, handle, schema.arrow)
            self._opened[name] = Table(schema, handle, handle.files)
        return self._opened[name]

    def find_later_table(self, name: str) -> Table | None:
        """Open a table of `lake.table_layouts.LATER_TABLES`, None if the lake is without it.

        Raises FatalError if only its log is missing; otherwise as `table`.
        """
        if self._exists(name):
            return self.table(name)
        if self.has_files(name):
            raise FatalError(missing_log_problem(name))
        return None

    def tables(self) -> list[Table]:
        """Open all tables."""
        return [self.table(name) for name in TABLE_LAYOUTS]

    def created_ms(self) -> int:
        """Return when the lake's first table was created, in milliseconds since 1970 (UTC)."""
        handle = self.table(next(iter(TABLE_LAYOUTS))).handle
        return int(handle.metadata().created_time or 0)

    def handle(self, name: str) -> TableHandle:
        """Open a table without checking its columns; FatalError if it does not exist."""
        uri = self.location.table_uri(name)
        try:
            with _lake_errors(f"opening table {name}"):
                return TableHandle(uri, self.location.table_options(), self.location.files(name))
        except TableNotFoundError:
            raise FatalError(
                f"there is no table {name} at {uri}: correct GOLDPAN_LAKE__URI, "
                "or create the tables with `goldpan lake init`"
            ) from None
        except RetryableError:
            if self.location.on_s3:
                self.location.check()  # delta-rs does not say what S3 refused
            raise

    def _refuse_lost(self, names: Sequence[str], lost: Collection[str]) -> None:
        """Raise FatalError if a table is missing and others were committed to.

        Two programs may create a new lake at once. A program creates all tables before it commits
        to one, so after a commit is found the missing tables are looked up again.
        """
        missing = [name for name in names if name not in lost and not self._exists(name)]
        if not missing:
            return
        used = next((n for n in names if n not in missing and self._is_used(n)), None)
        lost_tables = [name for name in missing if used and not self._exists(name)]
        if lost_tables and used:
            self.table(used)  # raises for a lake of an older version: it must be upgraded first
            if lost_tables[0] in LATER_TABLES and lost_tables[0] not in TABLES_WITH_COLUMNS:
                raise FatalError(
                    f"there is no table {lost_tables[0]} at "
                    f"{self.location.table_uri(lost_tables[0])}: if this lake is of an earlier "
                    "version, create it with `goldpan lake upgrade`; if it was lost, restore it "
                    "from a copy of the lake. If there is none: "
                    f"`goldpan lake init --lost {lost_tables[0]}`"
                )
            raise FatalError(
                f"there is no table {lost_tables[0]} at {self.location.table_uri(lost_tables[0])}, "
                f"but table {used} holds rows that were committed with it: restore it from a copy "
                "of the lake. If there is none, or this lake never had it: "
                f"`goldpan lake init --lost {lost_tables[0]}`"
            )

        without_log = [n for n in missing if self.has_files(n) and not self._exists(n)]
        if without_log:
            raise FatalError(
                f"{missing_log_problem(without_log[0])}. If there is none: "
                f"`goldpan lake init --lost {without_log[0]}`"
            )

    def later_tables(self) -> list[str]:
        """Return the tables that this lake of an earlier version does not have.

        Raises FatalError if one was lost: see `lake.table_layouts.TABLES_WITH_COLUMNS`. A table
        without such columns was lost if its files are there.
        """
        missing = [name for name in LATER_TABLES if not self._exists(name)]
        known = [name for name in missing if name in TABLES_WITH_COLUMNS]
        if known and not missing_columns(self.handle("traces"), TABLES["traces"].arrow):
            self._refuse_lost([*known, "traces"], ())
        for name in missing:
            if name not in known and self.has_files(name):
                raise FatalError(missing_log_problem(name))
        return missing

    def create_later_tables(self) -> None:
        """Create the tables that a lake of an earlier version does not have."""
        for name in self.later_tables():
            self._create(TABLES[name])

    def has_files(self, name: str) -> bool:
        """Return whether there are data files in a table's folder, whatever its log says."""
        names = (path for path, _ in self.location.files(name).walk(""))
        return any(path.startswith(f"{PARTITION_COLUMN}=") for path in names)

    def _exists(self, name: str) -> bool:
        folder = self.location.folder
        if folder and (folder / name).is_file():
            self.location.files(name).check()  # raises: a file is in the way
        uri, options = self.location.table_uri(name), self.location.table_options()
        with _lake_errors(f"finding table {name}"):
            return DeltaTable.is_deltatable(uri, storage_options=options)

    def _is_used(self, name: str) -> bool:
        """Return whether anything was ever committed to a table."""
        if not self._exists(name):
            return False
        handle = self.handle(name)
        with _lake_errors(f"reading the history of table {name}"):
            return any(LEDGER_KEY in commit for commit in handle.history(FIRST_COMMITS))

    def _create(self, schema: TableSchema) -> bool:
        uri, options = self.location.table_uri(schema.name), self.location.table_options()
        if self.location.folder:
            self.location.files(schema.name).check()
        with _lake_errors(f"creating table {schema.name}"):
            if DeltaTable.is_deltatable(uri, storage_options=options):
                return False
            try:
                DeltaTable.create(
                    uri,
                    schema.arrow,
                    mode="error",
                    partition_by=list(schema.partition_by),
                    name=schema.name,
                    configuration={
                        **_CONFIGURATION,
                        "delta.dataSkippingStatsColumns": ",".join(
                            TABLE_LAYOUTS[schema.name].statistics
                        ),
                    },
                    storage_options=options,
                )
            except DeltaError:
                # If it exists now, another process has created it in between.
                if not DeltaTable.is_deltatable(uri, storage_options=options):
                    raise
                return False
            return True


def missing_log_problem(name: str) -> str:
    """Return the problem of a table without its log, as after a copy without hidden folders."""
    return (
        f"table {name} has data files, but its log, the folder _delta_log, is missing: restore it "
        "from a copy of the lake"
    )


def _scan(action: str, dataset: Any, **options: Any) -> Iterator[pa.RecordBatch]:
    with _lake_errors(action):
        # Kept, the description of each file takes 100 kB until the dataset is gone.
        for batch in dataset.to_batches(cache_metadata=False, **options):
            if batch.num_rows:
                yield batch


def _scan_files(
    action: str, dataset: Any, condition: pc.Expression | None, scan: Mapping[str, Any]
) -> Iterator[pa.RecordBatch]:
    with _lake_errors(action):
        files = dataset.get_fragments(condition)
    for file in files:
        yield from _scan(action, file, schema=dataset.schema, **scan)


@contextmanager
def _lake_errors(action: str) -> Iterator[None]:
    """Turn errors of delta-rs into RetryableError, except for a missing table."""
    try:
        yield
    except TableNotFoundError:
        raise
    except (DeltaError, OSError, pa.ArrowException) as error:
        raise RetryableError(f"{action} failed ({describe_cause(error)})") from error
