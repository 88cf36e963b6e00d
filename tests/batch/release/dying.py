"""Publishes the same draft repeatedly and dies one step later each time.

``python dying.py DRAFT FOLDER`` prints the number of steps that it took to get through.
"""

import os
import pickle
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from batch.release.publish.build import publish_draft
from batch.release.publish.repository import ReleaseRepository
from lake.objects import FolderStore
from tests.ending import end
from tests.lake.kit import patience

MOMENTS = ("before", "with a file half in place", "after")


def die() -> NoReturn:
    """End this process as the kernel would."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


class DyingStore(FolderStore):
    """A folder whose n-th conditional put kills the process: before, in the middle, or after."""

    def __init__(self, root: Path, steps: int, moment: str) -> None:
        super().__init__(root)
        self._steps = steps
        self._moment = moment

    def put_new(self, path: str, data: bytes) -> bool:
        """Count down, and die at the requested moment."""
        self._steps -= 1
        if self._steps == 0 and self._moment == "before":
            die()
        if self._steps == 0 and self._moment == MOMENTS[1]:
            with self._written(self._root / path, data[: len(data) // 2]):
                die()
        there = super().put_new(path, data)
        if self._steps == 0:
            die()
        return there


def attempt(draft: Any, folder: Path, steps: int, moment: str) -> bool:
    """Publish in a child process; return whether it survived."""
    child = os.fork()
    if child == 0:
        publish_draft(draft, ReleaseRepository(DyingStore(folder, steps, moment), patience()))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False
    if os.WEXITSTATUS(status) != 0:
        raise SystemExit(f"a builder failed at step {steps}, {moment}")
    return True


def main() -> None:
    """Die at every step in three ways, each in a separate folder, and then finish."""
    draft = pickle.loads(Path(sys.argv[1]).read_bytes())  # noqa: S301 - our own
    root, steps = Path(sys.argv[2]), 1
    while True:
        lived = [
            attempt(draft, root / f"{steps}-{i}", steps, moment) for i, moment in enumerate(MOMENTS)
        ]
        if all(lived):
            print(steps - 1)
            return
        steps += 1


if __name__ == "__main__":
    main()
    end()
