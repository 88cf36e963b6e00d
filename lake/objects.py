"""The object store of a lake: files in a folder, or in an S3 bucket (`lake.s3_store`).

A put is atomic (a reader sees the whole file or none) and may be repeated: a path is only ever
written with one content, since file names contain a hash of the content. A path that two writers
may want to write with different contents takes ``put_new``: one of them succeeds.
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
        """Write a whole file, or raise RetryableError or FatalError and leave no part of it."""

    def put_new(self, path: str, data: bytes) -> bool:
        """Write a whole file if there is none; return whether its content is ``data`` now.

        False: another content was written first, and stays. Otherwise as ``put``.
        """

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        """Replace the content ``old`` with ``new``; return whether the content is ``new`` now.

        False: the file has another content, or does not exist, and stays as it is. If two programs
        replace the same content, one succeeds. Otherwise as ``put``.
        """

    def size(self, path: str) -> int | None:
        """Return the size in bytes, or None if there is no such file."""

    def get(self, path: str) -> bytes:
        """Return the content of a file."""

    def find(self, path: str) -> bytes | None:
        """Return the content of a file, or None if there is no such file."""

    def stamp(self, path: str) -> int:
        """Write a small file; return the time by the store's clock (microseconds since 1970)."""

    def walk(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield (path, size in bytes) of each file whose path begins with ``prefix``."""

    def remove(self, path: str) -> None:
        """Remove a file, if it exists; also its folder, if that is empty then."""

    def purge(self, path: str) -> None:
        """Remove a file with all its older versions, if the bucket keeps those."""

    def hidden(self, prefix: str) -> Iterator["HiddenVersion"]:
        """Yield the older versions under ``prefix`` that a bucket keeps, deleted files included."""

    def get_hidden(self, hidden: "HiddenVersion") -> bytes:
        """Return the content of an older version."""

    def remove_hidden(self, hidden: "HiddenVersion") -> None:
        """Remove an older version, if it exists."""

    def drop_unfinished(self, prefix: str) -> int:
        """Remove leftovers of unfinished writes under ``prefix``; return how many there were.

        A write in progress fails as if the store had not replied, and is repeated.
        """

    def check(self) -> None:
        """Raise FatalError or RetryableError if the root cannot be used."""


@dataclass(frozen=True, slots=True)
class HiddenVersion:
    """An older version of a file. ``bytes`` is its size; a delete marker has none."""

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
        """Write a temporary file beside the target, then link it to the target if that is free.

        An existing file is read first and stays: the disk may be full.
        """
        content = self.find(path)
        if content is not None:
            return content == data
        target = self._root / path
        with self._written(target, data) as beside:
            try:
                target.hardlink_to(beside)
            except FileExistsError:
                return target.read_bytes() == data
        return True

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        """Compare and rename under a lock on the folder, which ends with the process."""
        target = self._root / path
        with self._written(target, new) as beside, _locked(target.parent):
            content = self.find(path)
            if content == old:
                beside.replace(target)
        return content in {old, new}

    @contextlib.contextmanager
    def _written(self, target: Path, data: bytes | memoryview) -> Iterator[Path]:
        """Yield a synced file beside the target, and remove it in the end unless it was renamed."""
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f"{_BESIDE}{secrets.token_hex(8)}")
            file = beside.open("xb")  # tempfile's files are readable by their owner only
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
                continue  # a writer's temporary file, or one that was removed in between
            yield path.relative_to(self._root).as_posix(), size

    def remove(self, path: str) -> None:
        """Unlink, and remove the folders that are empty then, up to the root."""
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
        unfinished = [path for path, _ in self.walk(prefix) if _BESIDE in path]
        for path in unfinished:
            self.remove(path)
        return len(unfinished)

    def check(self) -> None:
        """Create the folder if it is missing, and check that it is writable."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _folder_error(self._root, error) from error
        if not os.access(self._root, os.W_OK | os.X_OK):
            raise FatalError(f"the lake folder {self._root} is not writable: check its owner")


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
