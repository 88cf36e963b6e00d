"""Reads a table's log commit by commit, as laid out by the Delta protocol.

A commit never changes. One that is older than a checkpoint may have been removed.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any, Final
from urllib.parse import unquote

from lake.objects import ObjectStore
from schemas.errors import FatalError

_AT_ONCE: Final = 64
_THREADS: Final = 8
_FEW: Final = 8  # commits that are read one after the other
_OF_FILES: Final = ("add", "remove")
_STATISTICS: Final = ("stats", "stats_parsed")


@dataclass(frozen=True, slots=True)
class LoggedCommit:
    """One commit of a table, as in its file in the log.

    ``info`` is its metadata, ``added`` the paths of the files that it adds. ``digest`` is the
    SHA-256 of the commit without the bounds in the statistics of files, which an erasure widens
    afterwards (`lake.stats_bounds`).
    """

    version: int
    info: Mapping[str, Any]
    added: Sequence[str]
    digest: bytes

    @property
    def time_ms(self) -> int:
        """Return when it was made, by the clock of its writer (0: not recorded)."""
        return int(self.info.get("timestamp") or 0)


def commit_path(version: int) -> str:
    """Return the path of a commit, relative to its table."""
    return f"_delta_log/{version:020}.json"


def read_actions(files: ObjectStore, version: int, name: str) -> list[Mapping[str, Any]] | None:
    """Return the actions of one kind (``txn``, ``commitInfo``, …) of a commit, in order.

    None if the commit does not exist (any more). Raises RetryableError or FatalError if the store
    cannot be read.
    """
    text = files.find(commit_path(version))
    return None if text is None else list(_named(text, name))


@dataclass(frozen=True, slots=True)
class FileChanges:
    """The files that a commit adds, with their numbers of rows, and those that it removes."""

    added: Sequence[tuple[str, int]]
    removed: frozenset[str]


def read_file_changes(files: ObjectStore, version: int) -> FileChanges | None:
    """Return which files a commit adds and removes, None if it does not exist (any more).

    Paths are relative to the table. Raises RetryableError or FatalError if the store cannot be
    read.
    """
    text = files.find(commit_path(version))
    if text is None:
        return None
    added = [
        (unquote(add["path"]), json.loads(add.get("stats") or "{}").get("numRecords", 0))
        for add in _named(text, "add")
    ]
    removed = frozenset(unquote(remove["path"]) for remove in _named(text, "remove"))
    return FileChanges(added, removed)


def _named(text: bytes, name: str) -> Iterator[Mapping[str, Any]]:
    key = f'"{name}"'.encode()
    for line in text.splitlines():
        # Most lines are long and about files: only one that may match is parsed.
        if key in line:
            action = json.loads(line)
            if name in action:
                yield action[name]


def read_commits(files: ObjectStore, newest: int, *, table: str) -> list[LoggedCommit]:
    """Return the commits of a table up to ``newest``, oldest first, without a gap.

    They begin at version 0, or after the last commit that no longer exists. Raises FatalError if
    one cannot be parsed, otherwise as the store does.
    """
    if newest < _FEW:
        return _without_gap(map(files.find, _paths(newest, -1)), newest, table)
    commits: list[LoggedCommit] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for end in range(newest, -1, -_AT_ONCE):
            first = max(end - _AT_ONCE, -1)
            texts = pool.map(files.find, _paths(end, first))
            portion = _without_gap(texts, end, table)
            commits = portion + commits
            if len(portion) < end - first:
                break
    return commits


def _paths(newest: int, before: int) -> Iterator[str]:
    """Yield the paths of commits down to the one after ``before``."""
    return map(commit_path, range(newest, before, -1))


def _without_gap(texts: Iterable[bytes | None], newest: int, table: str) -> list[LoggedCommit]:
    """Return commits oldest first, up to the first gap; ``texts`` are given newest first."""
    commits = []
    for version, text in zip(count(newest, -1), texts, strict=False):
        if text is None:
            break
        commits.append(_parse_commit(text, version, table))
    return commits[::-1]


def _parse_commit(text: bytes, version: int, table: str) -> LoggedCommit:
    info: dict[str, Any] = {}
    added: list[str] = []
    digest = hashlib.sha256()
    try:
        for line in filter(None, text.splitlines()):
            action = json.loads(line)
            info.update(action.get("commitInfo") or {})
            if action.get("add"):
                added.append(action["add"]["path"])
            digest.update(_unchanging(line, action) + b"\n")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _damaged(table, version, "cannot be read as JSON") from None
    if not text.strip():  # delta-rs ignores such a file, as if nothing had been committed
        raise _damaged(table, version, "is empty")
    return LoggedCommit(version, info, added, digest.digest())


class DamagedLogError(FatalError):
    """The content of a log is not what was written; retrying does not help."""


def unreadable_metadata_error(table: str, version: int, part: str) -> DamagedLogError:
    """Return the error for metadata of a commit that cannot be read."""
    return DamagedLogError(
        f"table {table}, version {version}: {part} cannot be read: restore the log from a copy of "
        "the lake"
    )


def _damaged(table: str, version: int, state: str) -> DamagedLogError:
    return DamagedLogError(
        f"table {table}: version {version} of its log {state}: restore the file "
        f"{commit_path(version)} from a copy of the lake"
    )


def _unchanging(line: bytes, action: Mapping[str, Any]) -> bytes:
    """Return the part of a line that never changes: all but the bounds in a file's statistics."""
    named = next((name for name in _OF_FILES if action.get(name)), None)
    if named is None:
        return line
    body = dict(action[named])
    rows = json.loads(body.get("stats") or "{}").get("numRecords")
    for name in _STATISTICS:
        body.pop(name, None)
    return json.dumps({named: body, "rows": rows}, sort_keys=True).encode()
