"""A folder whose n-th write is interrupted by a kill or by another operation."""

from collections.abc import Callable
from pathlib import Path

from lake.objects import FolderStore
from tests.batch.release.dying import MOMENTS, die


class InterruptedStore(FolderStore):
    """Calls ``meanwhile`` at a moment of the n-th write (from 1); ``writes`` counts them."""

    def __init__(self, root: Path, step: int, moment: str, meanwhile: Callable[[], object]) -> None:
        super().__init__(root)
        self.writes = 0
        self._step, self._moment, self._meanwhile = step, moment, meanwhile

    def put_new(self, path: str, data: bytes) -> bool:
        """Count the write and interrupt it."""
        return self._interrupted(path, data, lambda: FolderStore.put_new(self, path, data))

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        """Count the write and interrupt it."""
        return self._interrupted(path, new, lambda: FolderStore.swap(self, path, old, new))

    def _interrupted(self, path: str, data: bytes, write: Callable[[], bool]) -> bool:
        self.writes += 1
        now = self._moment if self.writes == self._step else None
        if now == MOMENTS[0]:
            self._meanwhile()
        if now == MOMENTS[1]:
            with self._written(self._root / path, data[: len(data) // 2]):
                self._meanwhile()
        done = write()
        if now == MOMENTS[2]:
            self._meanwhile()
        return done


class DyingStore(InterruptedStore):
    """Kills the process at a moment of the n-th write."""

    def __init__(self, root: Path, step: int, moment: str) -> None:
        super().__init__(root, step, moment, die)
