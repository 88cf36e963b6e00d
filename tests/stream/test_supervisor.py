"""What the end of a worker process means for the others; with real, tiny processes."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.supervisor import MAX_RESTARTS, Supervisor, WorkerCommand
from tests.stream.kit import Recorder

FOREVER = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, {handler})
if sys.argv[1]:
    pathlib.Path(sys.argv[1], str(os.getpid())).touch()
time.sleep(60)
"""
DIE_ONCE = (
    "import os, pathlib, signal, sys\n"
    "mark = pathlib.Path(sys.argv[1])\n"
    "if not mark.exists():\n"
    "    mark.touch()\n"
    "    os.kill(os.getpid(), signal.SIGKILL)\n"
)


def supervisor(
    *scripts: str,
    argument: str = "",
    stop: Callable[[], bool] = lambda: False,
    stop_seconds: float = 10,
) -> tuple[Supervisor, Recorder, list[float]]:
    """Return a supervisor of scripts, its log, and the waits it was asked for."""
    log, waits = Recorder(), list[float]()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(min(seconds, 0.05))

    children = [
        WorkerCommand([sys.executable, "-c", s, argument], dict(os.environ)) for s in scripts
    ]
    return Supervisor(children, stop, log, stop_seconds, sleep=sleep), log, waits


def test_all_done_is_success() -> None:
    """Each worker has ended by itself."""
    assert supervisor("pass", "pass")[0].run() == 0


@pytest.mark.parametrize("code", [2, 3])
def test_one_that_needs_a_person_ends_all(code: int) -> None:
    """Its exit code is the result; the others are asked to stop, and do."""
    began = time.monotonic()
    assert supervisor(f"raise SystemExit({code})", ended_with(0))[0].run() == code
    assert time.monotonic() - began < 50


def test_one_that_was_killed_is_started_again(tmp_path: Path) -> None:
    """With a word in the log, and without harm to the result."""
    watched, log, _ = supervisor(DIE_ONCE, argument=str(tmp_path / "mark"))
    assert watched.run() == 0
    assert log.events == [
        ("child_restarted", {"worker": 0, "signal": 9, "wait_seconds": 1.0}),
    ]


def test_one_that_is_killed_again_and_again_is_given_up() -> None:
    """The waits double, and there is an end."""
    watched, log, waits = supervisor("import os\nos.kill(os.getpid(), 9)")
    assert watched.run() == 3
    assert [wait for wait in waits if wait >= 1] == [2.0**n for n in range(MAX_RESTARTS)]
    assert log.names == ["child_restarted"] * MAX_RESTARTS + ["worker_failed"]


def test_told_to_stop_it_passes_that_on(tmp_path: Path) -> None:
    """Each worker drains and says how that went; the worst result counts."""
    scripts = (ended_with(0), ended_with(3))
    watched, _, _ = supervisor(*scripts, argument=str(tmp_path), stop=all_there(tmp_path, 2))
    assert watched.run() == 3


def test_one_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    """A worker that hangs holds up nobody for longer than agreed, and is told of as a failure."""
    began = time.monotonic()
    watched, log, _ = supervisor(
        FOREVER.format(handler="signal.SIG_IGN"),
        argument=str(tmp_path),
        stop=all_there(tmp_path, 1),
        stop_seconds=0.2,
    )
    assert watched.run() == 3
    assert time.monotonic() - began < 50
    detail = "it did not stop within 0.2 s and was killed"
    assert log.events == [("worker_failed", {"worker": 0, "detail": detail})]


def test_one_that_dies_while_it_stops_is_a_failure(tmp_path: Path) -> None:
    """The kernel has taken it in the middle of its last flush, say."""
    watched, log, _ = supervisor(
        FOREVER.format(handler="lambda *_: os.kill(os.getpid(), 9)"),
        argument=str(tmp_path),
        stop=all_there(tmp_path, 1),
    )
    assert watched.run() == 3
    assert log.names == ["worker_failed"]


def test_one_that_was_just_being_started_has_nothing_to_lose(tmp_path: Path) -> None:
    """It is stopped before it could say what to do with a signal: that is a clean end."""
    watched, log, _ = supervisor(
        FOREVER.format(handler="signal.SIG_DFL"),
        argument=str(tmp_path),
        stop=all_there(tmp_path, 1),
    )
    assert watched.run() == 0
    assert log.events == []


def ended_with(code: int) -> str:
    """Return a script that ends with a code when it is asked to stop, and not before."""
    return FOREVER.format(handler=f"lambda *_: sys.exit({code})")


def all_there(folder: Path, processes: int) -> Callable[[], bool]:
    """Tell whether so many processes are ready to be stopped."""
    return lambda: len(list(folder.iterdir())) == processes
