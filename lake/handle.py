"""A table's handle that knows the numbers of application transactions without reading the log anew.

delta-rs reads the log from the last checkpoint on for each number that it is asked for. A commit
asks for several of each partition. This handle reads each commit once: when it has moved on to
another version, it reads the commits in between, no more. So what it answers is what delta-rs would
answer at the version that it stands at.

At the start the numbers are those of the last checkpoint. Where that is of no use (it is newer than
the handle, or in several parts, say), or where a commit has been tidied away, delta-rs is asked.
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
_AHEAD = 200  # commits to read at most before a checkpoint is looked for


class TableHandle(DeltaTable):
    """A table at a version, as delta-rs has it, with a memory for its numbers."""

    def __init__(self, uri: str, options: Mapping[str, str], files: ObjectStore) -> None:
        super().__init__(uri, storage_options=dict(options))
        self.files = files
        self._known: dict[str, int | None] = {}
        self._at: int | None = None
        self._complete = False

    def transaction_version(self, app_id: str) -> int | None:
        """Return the number of an application as of the version that the handle stands at.

        Raises RetryableError or FatalError if the log cannot be read, or what delta-rs raises.
        """
        self._catch_up()
        if app_id not in self._known:
            # Until a commit says otherwise, what was never there stays away.
            self._known[app_id] = None if self._complete else super().transaction_version(app_id)
        return self._known[app_id]

    def _catch_up(self) -> None:
        """Bring what is known to the version of the handle."""
        version = self.version()
        if self._at is None or not self._at <= version <= self._at + _AHEAD:
            self._begin(version)
        while self._at is not None and self._at < version:
            moved = read_actions(self.files, self._at + 1, "txn")
            if moved is None:
                self._ask_delta_rs(version)
            else:
                self._known.update((txn["appId"], txn["version"]) for txn in moved)
                self._at += 1

    def _begin(self, version: int) -> None:
        """Begin from the last checkpoint, or, where there is none, from before the first commit."""
        checkpoint = self._checkpoint_before(version)
        if checkpoint is not None:
            self._at, self._known, self._complete = checkpoint
        elif version < _AHEAD:
            self._at, self._known, self._complete = -1, {}, True
        else:
            self._ask_delta_rs(version)

    def _ask_delta_rs(self, version: int) -> None:
        """Know nothing: each number is asked for once, at the version that the handle stands at."""
        self._at, self._known, self._complete = version, {}, False

    def _checkpoint_before(self, version: int) -> tuple[int, dict[str, int | None], bool] | None:
        """Return what the last checkpoint holds; None if it is newer, or not to be had in one."""
        at = _hinted(self.files.find(LAST_CHECKPOINT))
        if at is None or at > version:
            return None
        data = self.files.find(f"_delta_log/{at:020}.checkpoint.parquet")
        numbers = None if data is None else _numbers(data)
        return None if numbers is None else (at, numbers, True)


def _hinted(hint: bytes | None) -> int | None:
    """Return the version of the last checkpoint; None if there is none, or one in parts."""
    try:
        found: dict[str, Any] = json.loads(hint or b"{}")
        return None if "parts" in found else int(found["version"])
    except (ValueError, KeyError, TypeError):
        return None


def _numbers(checkpoint: bytes) -> dict[str, int | None] | None:
    """Return the numbers of all applications that a checkpoint holds; None if it is damaged."""
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
        found: int | None = handle.transaction_version(app)
    except (DeltaError, OSError) as error:
        raise RetryableError(
            f"table {table}: log not readable ({describe_cause(error)})"
        ) from error
    return found
