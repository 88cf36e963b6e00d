"""Opens DuckDB with a memory limit, and manages the private folders that it spills to.

DuckDB spills parts of the lake in plain bytes: ids, pseudonyms, expected responses. A killed
process leaves them on disk. So each folder is locked by its process, and whenever a folder is made
or a person is erased on a machine, folders without a lock holder are removed first.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb

TEMP_DIR_PREFIX: Final = "goldpan-spilled-"


def connect_duckdb(folder: Path, memory_bytes: int) -> duckdb.DuckDBPyConnection:
    """Return a connection to an in-memory database that spills to a folder."""
    return duckdb.connect(
        config={
            "memory_limit": f"{memory_bytes // 2**20}MiB",
            "temp_directory": str(folder),
            "preserve_insertion_order": False,
        }
    )


def temp_root() -> Path:
    """Return where temporary folders are made: TMPDIR, or the system's default."""
    return Path(tempfile.gettempdir())


@contextlib.contextmanager
def temp_dir(parent: Path) -> Iterator[Path]:
    """Yield a new folder that only its owner can read; it is removed at the end."""
    folder, lock = _create_locked(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_stale_temp_dirs(parent: Path) -> int:
    """Remove this user's folders that no process holds; return how many."""
    removed = 0
    for folder in sorted(parent.glob(f"{TEMP_DIR_PREFIX}*")):
        with contextlib.suppress(OSError), _try_lock(folder) as is_free:
            if is_free:
                shutil.rmtree(folder)
                removed += 1
    return removed


def _create_locked(parent: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=TEMP_DIR_PREFIX, dir=parent))  # mode 0700
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # another process may have removed it before it was locked
            return folder, lock
        os.close(lock)


@contextlib.contextmanager
def _try_lock(folder: Path) -> Iterator[bool]:
    """Lock a folder if it is ours and not locked; yield whether it is. Links are not followed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        if os.fstat(descriptor).st_uid != os.getuid():
            yield False
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError is an OSError
        yield True
    finally:
        os.close(descriptor)
