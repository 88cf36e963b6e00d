"""A Delta table in memory that decides about commits as delta-rs does; thousands a second.

`test_simulated.py` holds it against the real one.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake.exceptions import CommitFailedError

from lake.tables import Table
from schemas.arrow import TABLES

_COMMIT = re.compile(r"_delta_log/(\d{20})\.json")


@dataclass(frozen=True)
class _Version:
    apps: Mapping[str, int]
    files: tuple[str, ...]
    metadata: Mapping[str, Any]
    changes_table: bool = False


@dataclass
class SimulatedLog:
    """What all handles on one table share: the versions, and the files beside them."""

    versions: list[_Version] = field(default_factory=lambda: [_Version({}, (), {})])
    store: dict[str, bytes] = field(default_factory=dict)
    tables: dict[str, pa.Table] = field(default_factory=dict)

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Write a file."""
        self.store[path] = bytes(data)

    def find(self, path: str) -> bytes | None:
        """Return the content of a file, or a commit as the log of a real table has it."""
        named = _COMMIT.fullmatch(path)
        if named is None:
            return self.store.get(path)
        number = int(named[1])
        if number >= len(self.versions):
            return None
        version = self.versions[number]
        lines: list[dict[str, Any]] = [{"commitInfo": dict(version.metadata)}]
        lines += [{"add": {"path": path}} for path in version.files]
        return "\n".join(map(json.dumps, lines)).encode()

    def walk(self, _prefix: str) -> Iterator[tuple[str, int]]:
        """Yield the files that were put."""
        for path, data in self.store.items():
            yield path, len(data)

    def number(self, app: str, to: int) -> None:
        """Set the number of an application, in a version of its own."""
        self.versions.append(_Version({app: to}, (), {}))

    def rows(self, path: str, schema: pa.Schema) -> pa.Table:
        """Return the rows of a file, with the day that its path names."""
        if path not in self.tables:
            found = pq.ParquetFile(pa.BufferReader(self.store[path])).read()
            day = date.fromisoformat(path.partition("/")[0].partition("=")[2])
            days = pa.repeat(pa.scalar(day, pa.date32()), len(found))
            self.tables[path] = found.append_column("event_date", days).cast(schema)
        return self.tables[path]


class SimulatedHandle:
    """The part of ``DeltaTable`` that workers use."""

    def __init__(self, log: SimulatedLog, schema: pa.Schema) -> None:
        self._log = log
        self._schema = schema
        self._at = 0
        self._apps: dict[str, int] = {}
        self._files: dict[str, None] = {}
        self.update_incremental()

    def update_incremental(self) -> None:
        """Move on to the newest version."""
        for version in self._log.versions[self._at :]:
            self._apps.update(version.apps)
            self._files.update(dict.fromkeys(version.files))
        self._at = len(self._log.versions)

    def transaction_version(self, app_id: str) -> int | None:
        """Return the number of an application."""
        return self._apps.get(app_id)

    def schema(self) -> None:
        """Return nothing: nobody looks at it."""

    def version(self) -> int:
        """Return the version that the handle stands at."""
        return self._at - 1

    def create_write_transaction(
        self, actions: Any, *_: Any, commit_properties: Any, **__: Any
    ) -> None:
        """Append, unless a version that the handle has not seen touches one of the applications.

        The handle stays where it is, so that it does not see its own commit either.
        """
        self._commit(tuple(a.path for a in actions), commit_properties)

    @property
    def alter(self) -> "SimulatedHandle":
        """Return what changes properties."""
        return self

    def set_table_properties(
        self, _properties: Mapping[str, str], *, commit_properties: Any, **_: Any
    ) -> None:
        """Change the table itself: nobody's commit is put behind that."""
        self._commit((), commit_properties, changes_table=True)
        self.update_incremental()

    def _commit(
        self, files: tuple[str, ...], properties: Any, *, changes_table: bool = False
    ) -> None:
        apps = {t.app_id: t.version for t in properties.app_transactions}
        for version in self._log.versions[self._at :]:
            if version.changes_table or apps.keys() & version.apps.keys():
                raise CommitFailedError("Concurrent transaction failed")
        metadata = properties.custom_metadata
        self._log.versions.append(_Version(apps, files, metadata, changes_table))

    def history(self) -> list[dict[str, Any]]:
        """Return what each version says of itself, the newest first."""
        seen = enumerate(self._log.versions[: self._at])
        return [{**version.metadata, "version": number} for number, version in seen][::-1]

    def get_add_actions(self, *, flatten: bool) -> pa.Table:
        """Return the files with their numbers of rows."""
        assert flatten
        tables = [self._log.rows(path, self._schema) for path in self._files]
        highs = {
            f"max.{name}": pa.array([pc.max(t[name]).as_py() for t in tables], field.type)
            for name in ("started_at", "_ingested_at")
            for field in self._schema
            if field.name == name
        }
        counts = [len(table) for table in tables]
        facts = {
            "partition.event_date": [p.partition("/")[0].partition("=")[2] for p in self._files],
            "size_bytes": [len(self._log.store[path]) for path in self._files],
        }
        return pa.table({"path": list(self._files), "num_records": counts, **facts, **highs})

    @property
    def table_uri(self) -> str:
        """Return an address, at which nothing lies: the rows are in memory."""
        return "file:///nowhere"

    def to_pyarrow_dataset(self, **_: Any) -> ds.Dataset:
        """Return the rows."""
        found = [self._log.rows(path, self._schema) for path in self._files]
        return ds.dataset(pa.concat_tables([self._schema.empty_table(), *found]))

    def create_checkpoint(self) -> None:
        """Do nothing."""


class SimulatedLake:
    """The tables, with handles of its own on what all lakes of one ``store`` share."""

    def __init__(self, store: dict[str, SimulatedLog]) -> None:
        self._store = store
        self._opened: dict[str, Table] = {}

    @property
    def location(self) -> "SimulatedLake":
        """Return what knows where files are."""
        return self

    def files(self, name: str) -> SimulatedLog:
        """Return the files of a table."""
        return self._store.setdefault(name, SimulatedLog())

    def handle(self, name: str) -> SimulatedHandle:
        """Return a handle of its own."""
        return SimulatedHandle(self.files(name), TABLES[name].arrow)

    def table(self, name: str) -> Table:
        """Open a table, once."""
        if name not in self._opened:
            log = self.files(name)
            handle: Any = self.handle(name)
            files: Any = log
            self._opened[name] = Table(TABLES[name], handle, files)
        return self._opened[name]
