"""The SHA-256 of each data file, recorded in the commit that adds the file.

Delta has no field for it, so it is in the commit's metadata, by path. Code that adds files has
their bytes at hand, and all of it goes through `lake.commit.send_commit`. Files of older commits
have no hash, so their content is not proved.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from lake.delta_log import LoggedCommit, unreadable_metadata_error
from lake.table_log import FILE_HASHES_KEY

_DIGITS: Final = 64


class HashedFile(Protocol):
    """A file whose bytes are known."""

    @property
    def path(self) -> str:
        """Return the path, relative to the table."""

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of its bytes, as hex digits."""


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """The recorded hash of a file (None: there is none), and the time of its commit."""

    sha256: str | None
    time_ms: int


def file_hash_metadata(files: Sequence[HashedFile]) -> dict[str, str]:
    """Return the metadata of a commit that adds files; empty if it adds none."""
    if not files:
        return {}
    body = {file.path: file.sha256 for file in files}
    return {FILE_HASHES_KEY: json.dumps(body, separators=(",", ":"))}


def read_recorded_files(
    commits: Iterable[LoggedCommit], *, table: str
) -> tuple[dict[str, RecordedFile], list[str]]:
    """Return each file that was ever added, by path, and a sentence for each contradiction.

    A commit that records hashes records them for exactly the files that it adds.
    """
    files: dict[str, RecordedFile] = {}
    problems: list[str] = []
    for commit in commits:
        hashes = _read_hashes(commit, table)
        added = set(commit.added)
        if hashes is not None and hashes.keys() != added:
            differing = sorted(hashes.keys() ^ added)
            problems.append(
                f"table {table}, version {commit.version}: the files that it adds are not those "
                f"whose hashes it records ({len(differing)} differ, such as {differing[0]})"
            )
        for path in added:
            files[path] = RecordedFile((hashes or {}).get(path), commit.time_ms)
    return files, problems


def _read_hashes(commit: LoggedCommit, table: str) -> Mapping[str, str] | None:
    if FILE_HASHES_KEY not in commit.info:
        return None
    try:
        hashes = json.loads(commit.info[FILE_HASHES_KEY])
        if all(len(bytes.fromhex(digest)) * 2 == _DIGITS for digest in hashes.values()):
            return dict(hashes)
    except (ValueError, TypeError, AttributeError):
        pass
    raise unreadable_metadata_error(table, commit.version, "the hashes of its files")
