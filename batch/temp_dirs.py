"""The folder that DuckDB spills to: private, gone in the end, and gone after a death.

What DuckDB spills is a part of the lake in plain bytes: ids, pseudonyms, expected responses. A
process that is killed leaves it behind. So each folder is locked by its process, and whoever makes
one on this machine, or erases somebody, first removes those that nobody holds any more.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

TEMP_DIR_PREFIX: Final = "goldpan-spilled-"


def temp_root() -> Path:
    """Return where temporary folders are made: TMPDIR, or what the system has."""
    return Path(tempfile.gettempdir())


@contextlib.contextmanager
def temp_dir(parent: Path) -> Iterator[Path]:
    """Yield a new folder that only its owner may read; it is removed in the end."""
    folder, lock = _locked_folder(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_stale_temp_dirs(parent: Path) -> int:
    """Remove the folders of this user that no process holds; return how many there were."""
    swept = 0
    for folder in sorted(parent.glob(f"{TEMP_DIR_PREFIX}*")):
        with contextlib.suppress(OSError), _held(folder) as free:
            if free:
                shutil.rmtree(folder)
                swept += 1
    return swept


def _locked_folder(parent: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=TEMP_DIR_PREFIX, dir=parent))  # mode 0700
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # another may have swept it before it was locked
            return folder, lock
        os.close(lock)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Lock a folder if it is ours and free; tell whether it was. Links are not followed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    try:
        if os.fstat(descriptor).st_uid != os.getuid():
            yield False
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError is an OSError
        yield True
    finally:
        os.close(descriptor)
