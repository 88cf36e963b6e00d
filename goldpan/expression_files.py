"""Files of compiled expressions, which redaction loads instead of compiling them again.

The contents are verified by `redact.recognition.kept_databases`, so the folder needs no protection.
Nothing here is worth a failure: what cannot be read or written is compiled again.
"""

import fcntl
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from stat import S_ISREG
from typing import Final

from stream.events import EventLog

_POLL_SECONDS: Final = 0.05
_MOST_BYTES: Final = 2**28
"""A file of a policy has about 5 MB; a larger one could fill the memory."""
_CPUINFO: Final = Path("/proc/cpuinfo")
_OF_PROCESSOR: Final = ("model name", "flags", "Features", "CPU implementer", "CPU part")


class ExpressionFolder:
    """A folder as `redact.recognition.database_store.DatabaseStore`; made when it is needed.

    A process waits for others that compile the same for up to ``lock_seconds``.
    """

    def __init__(self, folder: Path, log: EventLog, *, lock_seconds: float = 30.0) -> None:
        self._lock_seconds = lock_seconds
        self._folder = folder
        self._log = log
        self.processor = describe_processor()

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Wait for other processes; when time is up, or without a lock, continue beside them."""
        descriptor = self._open_lock(name)
        try:
            if descriptor is not None:
                _wait_for_lock(descriptor, self._lock_seconds)
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def load(self, name: str) -> bytes | None:
        """Return the content of the file, None if it cannot be read, or cannot be ours."""
        try:
            with open(self._path(name), "rb", opener=_open_at_once) as file:
                found = os.fstat(file.fileno())
                is_ours = S_ISREG(found.st_mode) and found.st_size <= _MOST_BYTES
                return file.read(found.st_size) if is_ours else None
        except OSError:
            return None

    def save(self, name: str, content: bytes) -> None:
        """Replace the file in one step; log a warning if that fails."""
        try:
            descriptor, written = tempfile.mkstemp(dir=self._folder, prefix=f"{name}.")
        except OSError as error:
            self._report(error)
            return
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(written).replace(self._path(name))
        except OSError as error:
            self._report(error)
            with suppress(OSError):
                Path(written).unlink()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.expressions"

    def _open_lock(self, name: str) -> int | None:
        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._folder / f"{name}.lock", flags, 0o600)
        except OSError:
            return None

    def _report(self, error: OSError) -> None:
        detail = f"GOLDPAN_REDACT__CACHE_DIR: {error.strerror}"
        self._log.warning("expressions_not_kept", detail=detail)


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; a pipe of somebody else in the folder is not waited for."""
    return os.open(path, flags | os.O_NONBLOCK)


def _wait_for_lock(descriptor: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_POLL_SECONDS)
        else:
            return


def describe_processor() -> str:
    """Return what tells processors apart whose databases may differ."""
    lines = set()
    with suppress(OSError):
        for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(_OF_PROCESSOR):
                lines.add(line)
    about = "\n".join([platform.system(), platform.machine(), *sorted(lines)])
    return sha256(about.encode()).hexdigest()
