"""Compiles the expressions of redaction once for all test processes of a run.

Each process would need seconds for each policy. The first one compiles, as the product does, and
puts what hyperscan made into the run's folder; the others load it.
"""

import fcntl
import os
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import hyperscan

_HERE = Path(__file__).parent
CHILD_PATH = os.pathsep.join(map(str, (_HERE / "child_site", _HERE.parents[1])))
"""The PYTHONPATH of a command whose own processes shall share as well."""
FOLDER = "TEST_GOLDPAN_EXPRESSIONS"
"""The variable that names the folder, for processes that are started later."""


class SharedDatabase:
    """A database of hyperscan that is compiled once for all processes with the same folder."""

    def __init__(self, make: type[Any], folder: Path) -> None:
        self._make = make
        self._folder = folder

    def compile(self, **asked: Any) -> None:
        """Compile, or load what another process compiled; errors are those of hyperscan."""
        file = self._folder / sha256(repr(sorted(asked.items())).encode()).hexdigest()
        with file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if file.exists():
                database = hyperscan.loadb(file.read_bytes(), hyperscan.HS_MODE_BLOCK)
                database.scratch = hyperscan.Scratch(database)
            else:
                database = self._make()
                database.compile(**asked)
                part = file.with_suffix(".part")
                part.write_bytes(hyperscan.dumpb(database))
                part.replace(file)
        self.scan, self.scratch, self.info = database.scan, database.scratch, database.info
        self.made = database


def share_expressions(folder: Path | None = None) -> None:
    """Share what this process compiles; without a folder, that of the process that started it."""
    if folder is not None:
        folder.mkdir(exist_ok=True)
        os.environ[FOLDER] = str(folder)
    if FOLDER in os.environ:
        made = hyperscan.Database
        share = partial(SharedDatabase, made, Path(os.environ[FOLDER]))
        setattr(hyperscan, "Database", share)  # noqa: B010  # a class takes no other by assignment
        dump = hyperscan.dumpb
        setattr(hyperscan, "dumpb", lambda shared: dump(_made(shared)))  # noqa: B010


def _made(database: Any) -> Any:
    """Return the database of hyperscan itself."""
    return database.made if isinstance(database, SharedDatabase) else database
