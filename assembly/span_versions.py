"""Follows the versions of ``otel_spans``: which files bring new rows, and where their rows are now.

A commit that only adds files brings rows. One that also removes files (compaction, erasure,
retention, replay) rewrites rows that were there before: it brings none, and what was in the removed
files is from then on in the new ones.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from lake.delta_log import read_file_changes
from lake.tables import Table


class RewrittenBeforeReadError(Exception):
    """The log no longer shows which rows a version brought: read the table instead."""


@dataclass(frozen=True, slots=True)
class AddedFile:
    """A file with new rows: the version that brought it, the number it is known by, and its path.

    ``rows`` is how many it holds.
    """

    version: int
    number: int
    path: str
    rows: int


@dataclass
class SpanVersions:
    """The files of one table whose rows are known, by number.

    ``seen`` is the newest version whose log was read, ``read`` the newest one whose files were all
    taken.
    """

    table: Table
    seen: int
    read: int
    pending: deque[AddedFile] = field(default_factory=deque)
    _paths: dict[int, set[str]] = field(default_factory=dict)
    _numbers: dict[str, set[int]] = field(default_factory=dict)
    _next: int = 0

    def register(self, path: str) -> int:
        """Return the number of a file that was not known before."""
        number = self._next
        self._next += 1
        self._paths[number] = {path}
        self._numbers.setdefault(path, set()).add(number)
        return number

    def follow(self) -> None:
        """Read the log up to the newest version. The table's handle is at that version then.

        Raises RewrittenBeforeReadError if a file was rewritten before it was taken, or if a commit
        no longer exists; RetryableError or FatalError if the log cannot be read.
        """
        self.table.refresh()
        for version in range(self.seen + 1, self.table.handle.version() + 1):
            changes = read_file_changes(self.table.files, version)
            if changes is None:
                raise RewrittenBeforeReadError
            if changes.removed:
                self._move(changes.removed, [path for path, _ in changes.added])
            else:
                for path, rows in changes.added:
                    self.pending.append(AddedFile(version, self.register(path), path, rows))
            self.seen = version
        if not self.pending:
            self.read = self.seen

    def next_file(self) -> AddedFile | None:
        """Return the oldest file with new rows that is still to be taken, None if there is none."""
        return self.pending[0] if self.pending else None

    def took_file(self) -> None:
        """Record that the rows of `next_file` are known."""
        self.pending.popleft()
        self.read = self.pending[0].version - 1 if self.pending else self.seen

    def paths(self, numbers: Collection[int]) -> set[str]:
        """Return where the rows of files are now."""
        return {path for number in numbers for path in self._paths.get(number, ())}

    def forget(self, used: Collection[int]) -> None:
        """Forget all files but those in ``used`` and those that are still to be taken."""
        keep = {*used, *(file.number for file in self.pending)}
        for number in self._paths.keys() - keep:
            for path in self._paths.pop(number):
                self._numbers[path].discard(number)
                if not self._numbers[path]:
                    del self._numbers[path]

    @property
    def file_count(self) -> int:
        """The number of files that are known."""
        return len(self._paths)

    def _move(self, removed: Collection[str], added: Collection[str]) -> None:
        if any(file.path in removed for file in self.pending):
            raise RewrittenBeforeReadError
        moved = {number for path in removed for number in self._numbers.pop(path, ())}
        for number in moved:
            self._paths[number].difference_update(removed)
            self._paths[number].update(added)
        for path in added:
            self._numbers.setdefault(path, set()).update(moved)
