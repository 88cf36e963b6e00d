"""A worker that is stopped or killed before its first commit: nothing is half done, or lost."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.scene import Scene
from tests.servers.worker import Worker
from tests.short_versions import short

FILES = [0, 1, 2, 3, 5, 8, 12, 14, 16]
"""After so many files in the lake: those of six tables, checks of keys, policies, the beginning."""


def files_in(scene: Scene) -> int:
    """Count what lies in the lake, unfinished or not."""
    return sum(1 for path in Path(scene.lake).rglob("*") if path.is_file())


def until_files(scene: Scene, worker: Worker, number: int) -> None:
    """Wait for so many files, or for the end of the worker, which may be faster than the eye."""
    there: Callable[[], bool] = lambda: files_in(scene) >= number or not worker.alive  # noqa: E731
    worker.wait_until(there)


@pytest.mark.parametrize("number", short(FILES, {5}))
def test_killed_before_the_first_commit(scene: Scene, number: int) -> None:
    """The next start understands what it finds."""
    scene.produce(40)
    worker = scene.start()
    until_files(scene, worker, number)
    worker.sigkill()
    scene.catch_up()
    scene.assert_exactly_once()


@pytest.mark.parametrize("number", short(FILES, {3}))
def test_told_to_stop_before_the_first_commit(scene: Scene, number: int) -> None:
    """It ends with 0, whatever it is at."""
    scene.produce(40)
    worker = scene.start()
    until_files(scene, worker, number)
    worker.sigterm()
    code = worker.wait()
    unborn = code == -signal.SIGTERM and not worker.log_text() and files_in(scene) == 0
    assert code == 0 or unborn, worker.tail()
    scene.catch_up()
    scene.assert_exactly_once()


@pytest.mark.chaos
def test_told_to_stop_while_it_is_loaded(scene: Scene) -> None:
    """As soon as it has said what a signal means to it."""
    worker = scene.start()
    handled = 1 << (signal.SIGTERM - 1)

    def handles() -> bool:
        status = Path(f"/proc/{worker.pid}/status")
        lines = status.read_text().splitlines() if status.exists() else []
        caught = next((line.split()[1] for line in lines if line.startswith("SigCgt:")), "0")
        return bool(int(caught, 16) & handled)

    worker.wait_until(handles)
    worker.sigterm()
    worker.finish()


@pytest.mark.chaos
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_told_to_stop_while_it_joins(scene: Scene, protocol: str) -> None:
    """Also while the group is still deciding, and nothing has been given to it."""
    scene.more = {"kafka__group_protocol": protocol}
    scene.produce(40)
    worker = scene.start()
    worker.wait_for_log("worker_started")
    worker.sigterm()
    worker.finish()
    scene.catch_up()
    scene.assert_exactly_once()
