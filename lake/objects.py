"""Where files are put: a folder, or an S3 bucket (`lake.s3_store`), behind a handful of verbs.

A put is atomic (a reader sees the whole file or none) and may be repeated: a path is only ever
written with one content, since the names of files hold a hash of what is in them. A path that two
may want to write with different contents takes ``put_new``: one of them gets it.
"""

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from schemas.errors import FatalError, RetryableError

_BESIDE = ".writing-"
STAMP_CONTENT = b"written to read the store's clock\n"


class ObjectStore(Protocol):
    """Files under one root, by relative path with ``/``."""

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Write a file whole, or raise RetryableError or FatalError and leave none behind."""

    def put_new(self, path: str, data: bytes) -> bool:
        """Write a file whole if there is none; return whether ``data`` is what is there now.

        False: another content was there first, and stays. Otherwise as ``put``.
        """

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        """Write ``new`` in the place of ``old``; return whether ``new`` is what is there now.

        False: another content is there, or none, and stays so. Of two that swap the same content
        one gets it. Otherwise as ``put``.
        """

    def size(self, path: str) -> int | None:
        """Return the size in bytes, or None if there is no such file."""

    def get(self, path: str) -> bytes:
        """Return the content of a file."""

    def find(self, path: str) -> bytes | None:
        """Return the content of a file, or None if there is no such file."""

    def stamp(self, path: str) -> int:
        """Write a small file; return when, by the store's own clock (microseconds since 1970)."""

    def walk(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield (path, size in bytes) of each file whose path begins with ``prefix``."""

    def remove(self, path: str) -> None:
        """Remove a file; it is no error if there is none. An empty folder goes with its last."""

    def purge(self, path: str) -> None:
        """Remove a file with all its older versions, where a bucket keeps those."""

    def hidden(self, prefix: str) -> Iterator["HiddenVersion"]:
        """Yield the older versions under ``prefix`` that a bucket keeps, deleted files included."""

    def get_hidden(self, hidden: "HiddenVersion") -> bytes:
        """Return the content of an older version."""

    def remove_hidden(self, hidden: "HiddenVersion") -> None:
        """Remove an older version; it is no error if there is none."""

    def drop_unfinished(self, prefix: str) -> int:
        """Remove what writes under ``prefix`` left that never came to their end; return how many.

        A write that is still under way fails by it as if the store had given no answer: it is
        tried again.
        """

    def check(self) -> None:
        """Raise FatalError or RetryableError if the root cannot be used."""


@dataclass(frozen=True, slots=True)
class HiddenVersion:
    """An older version of a file. ``bytes`` is its size; a note of a deletion has none."""

    path: str
    version: str
    bytes: int
    marker: bool


class FolderStore:
    """Files in a local folder; each is synced to the disk before it appears under its name."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Write through a temporary file beside the target, then rename."""
        target = self._root / path
        with self._written(target, data) as beside:
            beside.replace(target)

    def put_new(self, path: str, data: bytes) -> bool:
        """Write through a temporary file beside the target, then give it a name that is free.

        What is there already stays, so it is read first: a disk may be full.
        """
        found = self.find(path)
        if found is not None:
            return found == data
        target = self._root / path
        with self._written(target, data) as beside:
            try:
                target.hardlink_to(beside)
            except FileExistsError:
                return target.read_bytes() == data
        return True

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        """Compare and rename under a lock on the folder, which goes with the process."""
        target = self._root / path
        with self._written(target, new) as beside, _locked(target.parent):
            found = self.find(path)
            if found == old:
                beside.replace(target)
        return found in {old, new}

    @contextlib.contextmanager
    def _written(self, target: Path, data: bytes | memoryview) -> Iterator[Path]:
        """Yield a synced file beside the target; it is gone in the end unless it was renamed."""
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f"{_BESIDE}{secrets.token_hex(8)}")
            file = beside.open("xb")  # not of tempfile, whose files only their owner may read
        except OSError as error:
            raise _folder_error(target.parent, error) from error
        try:
            with file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield beside
        except OSError as error:
            raise _folder_error(target, error) from error
        finally:
            with contextlib.suppress(OSError):
                beside.unlink()

    def size(self, path: str) -> int | None:
        """Return the size in bytes, or None."""
        try:
            return (self._root / path).stat().st_size
        except FileNotFoundError:
            return None

    def get(self, path: str) -> bytes:
        """Return the content."""
        try:
            return (self._root / path).read_bytes()
        except OSError as error:
            raise _folder_error(self._root / path, error) from error

    def find(self, path: str) -> bytes | None:
        """Return the content, or None."""
        try:
            return (self._root / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _folder_error(self._root / path, error) from error

    def stamp(self, path: str) -> int:
        """Write a file, and read the time that the file system gave it."""
        self.put(path, STAMP_CONTENT)
        try:
            return (self._root / path).stat().st_mtime_ns // 1000
        except OSError as error:
            raise _folder_error(self._root / path, error) from error

    def walk(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Walk the folder that ``prefix`` names, in order of path."""
        walked = os.walk(self._root / prefix)
        for path in sorted(Path(folder, name) for folder, _, names in walked for name in names):
            try:
                size = path.stat().st_size
            except FileNotFoundError:
                continue  # a writer's temporary file, or one that another removed meanwhile
            yield path.relative_to(self._root).as_posix(), size

    def remove(self, path: str) -> None:
        """Unlink, and remove the folders that are empty now, up to the root."""
        target = self._root / path
        try:
            target.unlink(missing_ok=True)
        except OSError as error:
            raise _folder_error(target, error) from error
        with contextlib.suppress(OSError):
            for folder in target.parents:
                if folder == self._root.parent:
                    break
                folder.rmdir()

    def purge(self, path: str) -> None:
        """Remove: a folder keeps no versions."""
        self.remove(path)

    def hidden(self, prefix: str) -> Iterator[HiddenVersion]:
        """Yield nothing: a folder keeps no versions."""
        del prefix
        return iter(())

    def get_hidden(self, hidden: HiddenVersion) -> bytes:
        """Raise ValueError: a folder keeps no versions."""
        raise ValueError(f"{hidden.path}: a folder keeps no versions")

    def remove_hidden(self, hidden: HiddenVersion) -> None:
        """Do nothing: a folder keeps no versions."""

    def drop_unfinished(self, prefix: str) -> int:
        """Remove the temporary files of writers that died before they could rename them."""
        left = [path for path, _ in self.walk(prefix) if _BESIDE in path]
        for path in left:
            self.remove(path)
        return len(left)

    def check(self) -> None:
        """Make the folder if need be, and see that it can be written."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _folder_error(self._root, error) from error
        if not os.access(self._root, os.W_OK | os.X_OK):
            raise FatalError(f"the lake folder {self._root} cannot be written: check its owner")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _folder_error(path: Path, error: OSError) -> RetryableError | FatalError:
    name = error.strerror or type(error).__name__
    never = isinstance(error, PermissionError | NotADirectoryError | FileExistsError)
    if never or error.errno == errno.EROFS:
        return FatalError(f"{path}: {name}: correct GOLDPAN_LAKE__URI or the folder's owner")
    return RetryableError(f"{path}: {name}")
