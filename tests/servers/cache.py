"""A folder of things that were fetched once: filled under a lock, and seen whole or not at all."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_root() -> Path:
    """``TEST_GOLDPAN_CACHE``, or ``~/.cache/goldpan-tests``."""
    return Path(os.environ.get("TEST_GOLDPAN_CACHE") or Path.home() / ".cache" / "goldpan-tests")


def cached(name: str, fill: Callable[[Path], None]) -> Path:
    """The folder ``name`` of the cache; ``fill(folder)`` makes its content if it is missing.

    Runs that ask at the same time wait for the first one. What ``fill`` raises goes to the caller,
    and nothing of a failed attempt stays.
    """
    folder = cache_root() / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_name(f"{name}.lock")):
        if not folder.is_dir():
            _fill(folder, fill)
    return folder


def _fill(folder: Path, fill: Callable[[Path], None]) -> None:
    attempt = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fill(attempt)
        attempt.rename(folder)
    finally:
        shutil.rmtree(attempt, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
