"""What the tests start does not outlive them, however they end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.servers.process import ChildProcess

_PARENT_AND_CHILD = "import os, time; os.fork(); time.sleep(600)"

_TEST_RUN = """
import pathlib, sys, time
from tests.servers.process import ChildProcess
child = ChildProcess([sys.executable, "-c", sys.argv[1]], out=pathlib.Path(sys.argv[2]))
child.start()
time.sleep(0.5)
print(child.pid, flush=True)
time.sleep(600)
"""


def group_lives(group: int) -> bool:
    """Whether a process of the group runs; one that nobody has collected yet does not."""
    return any(
        process.info["status"] != psutil.STATUS_ZOMBIE and group_of(process.pid) == group
        for process in psutil.process_iter(["status"])
    )


def group_of(pid: int) -> int | None:
    """The group of a process, None if it has ended."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def holds_soon(what: Callable[[], bool]) -> bool:
    """Whether something comes true within 20 seconds."""
    deadline = time.monotonic() + 20
    while not what() and time.monotonic() < deadline:
        time.sleep(0.05)
    return what()


def test_killed_tests_take_their_processes_along(tmp_path: Path) -> None:
    """After SIGKILL to the test process, no child and no grandchild is left."""
    arguments = [_PARENT_AND_CHILD, str(tmp_path / "log")]
    run = subprocess.Popen(
        [sys.executable, "-c", _TEST_RUN, *arguments],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    group = int(run.stdout.readline())
    assert group_lives(group)
    run.kill()
    run.wait()
    assert holds_soon(lambda: not group_lives(group))


def test_a_killed_process_takes_its_children_along(tmp_path: Path) -> None:
    """``kill`` ends the whole group, and may be called again."""
    child = ChildProcess([sys.executable, "-c", _PARENT_AND_CHILD], out=tmp_path / "log")
    child.start()
    group = child.pid
    assert child.kill() == -signal.SIGKILL
    assert holds_soon(lambda: not group_lives(group))
    assert child.kill() == -signal.SIGKILL


def test_a_stopped_process_is_alive_and_can_be_killed(tmp_path: Path) -> None:
    """SIGSTOP is not the end, and does not prevent it."""
    child = ChildProcess([sys.executable, "-c", "import time; time.sleep(600)"], out=tmp_path / "l")
    child.start()
    child.send_group(signal.SIGSTOP)
    assert child.alive
    child.kill()
    assert not child.alive
