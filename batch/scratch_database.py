"""A private database for what a run keeps of each row, so that its memory does not grow with them.

SQLite holds a bounded part in memory and the rest in a file of the temporary folder. The file has
no name, so nothing is left of it when the process ends, however it ends. Only digests and numbers
belong there, no texts of people.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from schemas.errors import FatalError

_CACHE_KIB: Final = 4 * 1024


class ScratchDatabase:
    """One connection; ``tables`` are the statements that create them.

    Safe to use from several threads. Raises FatalError if the temporary folder is full.
    """

    def __init__(self, *tables: str) -> None:
        # An empty name is a temporary file; without a commit nothing needs a journal.
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for setting in ("temp_store = 1", "journal_mode = OFF", f"cache_size = -{_CACHE_KIB}"):
            self._connection.execute(f"PRAGMA {setting}")
        self._connection.execute("BEGIN")
        for table in tables:
            self._connection.execute(table)

    def write(self, statement: str, rows: Iterable[Sequence[Any]]) -> int:
        """Execute a statement for each row, and return how many rows it changed."""
        try:
            return self._connection.executemany(statement, rows).rowcount
        except sqlite3.Error as error:
            raise _full(error) from None

    def read(self, query: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        """Yield the rows of a query."""
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.Error as error:
            raise _full(error) from None

    def first(self, query: str, values: Sequence[Any] = ()) -> Any:
        """Return the first row of a query, None without one."""
        return next(self.read(query, values), None)


class NumberedIds:
    """Ids (text), each with the number under which it was added first."""

    def __init__(self) -> None:
        self._kept = ScratchDatabase("CREATE TABLE ids (id PRIMARY KEY, number) WITHOUT ROWID")

    def number(self, id_: str, number: int = 0) -> int:
        """Return the number of an id; if it has none it gets this one."""
        row = (_digest(id_), number)
        if self._kept.write("INSERT OR IGNORE INTO ids VALUES (?, ?)", [row]):
            return number
        return int(self._kept.first("SELECT number FROM ids WHERE id = ?", row[:1])[0])

    def add(self, id_: str) -> bool:
        """Add an id, and return whether it was not there."""
        return bool(self._kept.write("INSERT OR IGNORE INTO ids VALUES (?, 0)", [(_digest(id_),)]))

    def __contains__(self, id_: str) -> bool:
        return self._kept.first("SELECT 1 FROM ids WHERE id = ?", (_digest(id_),)) is not None


def _digest(id_: str) -> bytes:
    return hashlib.sha256(id_.encode("utf-8", "surrogatepass")).digest()[:16]


def _full(error: sqlite3.Error) -> FatalError:
    return FatalError(
        f"a temporary file cannot be written or read ({error}): free space in the temporary "
        "folder, or name another one in TMPDIR, then run the same command again"
    )
