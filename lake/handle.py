"""A table handle that caches the numbers of application transactions in memory.

For each number delta-rs reads the log again from the last checkpoint on, and a commit needs several
numbers of each partition. This handle reads each commit once: when it has moved to another version,
it reads the commits in between. So it returns what delta-rs would return at the handle's version.

The first numbers come from the last checkpoint. If that cannot be used (it is newer than the
handle, or has several parts), or if a commit no longer exists, delta-rs is used instead.
"""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lake.causes import describe_cause
from lake.delta_log import read_actions
from lake.objects import ObjectStore
from schemas.errors import RetryableError

LAST_CHECKPOINT = "_delta_log/_last_checkpoint"
MAX_COMMITS = 200  # to read at most before a checkpoint is used instead


class TableHandle(DeltaTable):
    """A delta-rs table at a version that caches the numbers of application transactions."""

    def __init__(
        self,
        uri: str,
        options: Mapping[str, str],
        files: ObjectStore,
        *,
        max_commits: int = MAX_COMMITS,
    ) -> None:
        super().__init__(uri, storage_options=dict(options))
        self.files = files
        self._max_commits = max_commits
        self._cached: dict[str, int | None] = {}
        self._at: int | None = None
        self._complete = False

    def transaction_version(self, app_id: str) -> int | None:
        """Return the number under an application id as of the handle's version.

        Raises RetryableError or FatalError if the log cannot be read, or what delta-rs raises.
        """
        self._catch_up()
        if app_id not in self._cached:
            # All numbers are known: one that is not there was never written.
            self._cached[app_id] = None if self._complete else super().transaction_version(app_id)
        return self._cached[app_id]

    def _catch_up(self) -> None:
        """Bring the cache to the version of the handle."""
        version = self.version()
        if self._at is None or not self._at <= version <= self._at + self._max_commits:
            self._begin(version)
        while self._at is not None and self._at < version:
            txns = read_actions(self.files, self._at + 1, "txn")
            if txns is None:
                self._ask_delta_rs(version)
            else:
                self._cached.update((txn["appId"], txn["version"]) for txn in txns)
                self._at += 1

    def _begin(self, version: int) -> None:
        """Start from the last checkpoint or, if there is none, from before the first commit."""
        checkpoint = self._checkpoint_before(version)
        if checkpoint is not None:
            self._at, self._cached, self._complete = checkpoint
        elif version < self._max_commits:
            self._at, self._cached, self._complete = -1, {}, True
        else:
            self._ask_delta_rs(version)

    def _ask_delta_rs(self, version: int) -> None:
        """Start with an empty cache: delta-rs is asked once for each number, at this version."""
        self._at, self._cached, self._complete = version, {}, False

    def _checkpoint_before(self, version: int) -> tuple[int, dict[str, int | None], bool] | None:
        """Return the numbers of the last checkpoint; None if it is newer or cannot be used."""
        at = _hinted(self.files.find(LAST_CHECKPOINT))
        if at is None or at > version:
            return None
        data = self.files.find(f"_delta_log/{at:020}.checkpoint.parquet")
        numbers = None if data is None else _numbers(data)
        return None if numbers is None else (at, numbers, True)


def _hinted(hint: bytes | None) -> int | None:
    """Return the version of the last checkpoint; None if there is none, or if it has parts."""
    try:
        body: dict[str, Any] = json.loads(hint or b"{}")
        return None if "parts" in body else int(body["version"])
    except (ValueError, KeyError, TypeError):
        return None


def _numbers(checkpoint: bytes) -> dict[str, int | None] | None:
    """Return the numbers of all application ids in a checkpoint; None if it is damaged."""
    try:
        column = pq.read_table(pa.BufferReader(checkpoint), columns=["txn"]).column("txn")
    except (pa.ArrowException, KeyError):
        return None
    return {txn["appId"]: txn["version"] for txn in column.drop_null().to_pylist()}


def refresh_handle(handle: DeltaTable, table: str) -> None:
    """Bring a handle to the newest version; raise RetryableError if the log cannot be read."""
    try:
        handle.update_incremental()
    except (DeltaError, OSError) as error:
        raise RetryableError(
            f"table {table}: log not readable ({describe_cause(error)})"
        ) from error


def read_txn_version(handle: DeltaTable, table: str, app: str) -> int | None:
    """Return the number under an application id, as of the version that the handle is at.

    Raises RetryableError if the log cannot be read.
    """
    try:
        version: int | None = handle.transaction_version(app)
    except (DeltaError, OSError) as error:
        raise RetryableError(
            f"table {table}: log not readable ({describe_cause(error)})"
        ) from error
    return version
