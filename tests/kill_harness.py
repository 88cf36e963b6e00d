"""The kill harness: kills processes of tests at each step of their own I/O.

A `KillableJob` runs in a process of its own and counts a step before and after each call that it is
given; `kill_at_each_write` forks and kills at a moment of each write to a folder.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from lake.objects import FolderStore
from tests.ending import end
from tests.servers.fork_server import CapturedProcess

ROOT: Final = Path(__file__).parents[1]
KILLED: Final = -signal.SIGKILL
"""The exit code of a process that was killed, as `subprocess` gives it."""
NEVER: Final = -1
"""The step of a job that is not to be killed."""
AT_ONCE: Final = 3
MOMENTS: Final = ("before", "with a file half in place", "after")


def die(*_arguments: object) -> NoReturn:
    """End this process as the kernel would."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


# In the test's process


def start_module(module: str, *args: str, env: Mapping[str, str] | None = None) -> CapturedProcess:
    """Start a module of the tests in a process of its own."""
    return CapturedProcess((module, *args), {**os.environ, **(env or {})}, ROOT)


def outputs(processes: Sequence[CapturedProcess]) -> list[Any]:
    """Return the JSON that processes printed, all of which must have ended well."""
    ended = [process.finish() for process in processes]
    assert [(done.returncode, done.stderr[-2_000:]) for done in ended if done.returncode] == []
    return [json.loads(done.stdout) for done in ended]


@dataclass(frozen=True)
class KillableJob:
    """A job of a module that ends in `run_job`."""

    module: str
    name: str

    def start(self, folder: Path, step: int = NEVER) -> CapturedProcess:
        """Start the job on a folder; it is killed at the step."""
        return start_module(self.module, self.name, str(folder), str(step))

    def killed_copies(
        self, original: Path, folder: Path, steps: slice = slice(None)
    ) -> Iterator[Path]:
        """Yield copies of a folder; in each the job was killed at another step, the copy's name."""
        shutil.copytree(original, folder / "counted")
        (count,) = outputs([self.start(folder / "counted")])
        copies = [folder / str(step) for step in range(count)[steps]]
        for first in range(0, len(copies), AT_ONCE):
            some = copies[first : first + AT_ONCE]
            for copy in some:
                shutil.copytree(original, copy)
            processes = [self.start(copy, int(copy.name)) for copy in some]
            assert [process.wait() for process in processes] == [KILLED] * len(processes)
            yield from some


# In the process that is killed


def run_job(job: Callable[[Path], None], calls: Sequence[tuple[type, str]]) -> NoReturn:
    """Run a job as ``JOB FOLDER STEP`` on the command line says, and print its number of steps.

    Before and after each of the calls is a step, from 0.
    """
    steps = _Steps(int(sys.argv[3]))
    for owner, name in calls:
        setattr(owner, name, steps.around(getattr(owner, name)))
    job(Path(sys.argv[2]))
    sys.stdout.write(str(steps.count))
    end()


class _Steps:
    """Counts steps, and kills the process at one of them."""

    def __init__(self, last: int) -> None:
        self.count, self._last = 0, last

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Make a step before a call, and one after it."""

        def stepped(*args: Any, **kwargs: Any) -> Any:
            self._take()
            result = call(*args, **kwargs)
            self._take()
            return result

        return stepped

    def _take(self) -> None:
        if self.count == self._last:
            die()
        self.count += 1


class InterruptedStore(FolderStore):
    """Calls ``interrupt`` at a moment of the n-th write (from 1); ``writes`` counts them."""

    def __init__(self, root: Path, step: int, moment: str, interrupt: Callable[[], object]) -> None:
        super().__init__(root)
        self.writes = 0
        self._step, self._moment, self._interrupt = step, moment, interrupt

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
            self._interrupt()
        if now == MOMENTS[1]:
            with self._written(self._root / path, data[: len(data) // 2]):
                self._interrupt()
        done = write()
        if now == MOMENTS[2]:
            self._interrupt()
        return done


def kill_at_each_write(
    act: Callable[[FolderStore], object], attempts: Callable[[int], Sequence[tuple[Path, str]]]
) -> int:
    """Kill an act at each of its writes in turn, and return how many it makes.

    Args:
        act: Writes to a store. It runs in a child of this process, each time from the start.
        attempts: Prepares the folders of a step (from 1) and gives each one's moment.
    """
    step = 1
    while True:
        lived = [
            _survives(act, InterruptedStore(folder, step, moment, die))
            for folder, moment in attempts(step)
        ]
        if all(lived):
            return step - 1
        step += 1


def _survives(act: Callable[[FolderStore], object], store: FolderStore) -> bool:
    child = os.fork()
    if child == 0:
        act(store)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False
    if os.WEXITSTATUS(status) != 0:
        raise SystemExit("a child failed before it was killed")
    return True
