"""A lake on a disk that is full: the worker waits for room, and nothing half-done is visible."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.faults.scene import Scene
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka

SIZE = 16 * 2**20
PAGE = os.sysconf("SC_PAGE_SIZE")
ROOMS = (0, 2, 4, 5, 6, 7, 8, 10)
"""Pages that are left: what is written first still fits, what follows does not."""


class SmallDisk:
    """A disk of ``SIZE`` bytes, and a file on it that takes the room away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ballast = folder / "ballast"

    def fill(self, pages: int = 0) -> None:
        """Leave room for so many pages."""
        with self.ballast.open("wb") as file:
            room = shutil.disk_usage(self.folder).free - pages * PAGE
            file.write(bytes(room))

    def free(self) -> None:
        """Give the room back."""
        self.ballast.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small disk in memory, if this machine lets us mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("a full disk needs `mount`, which is not installed")
    options = ["-t", "tmpfs", "-o", f"size={SIZE}", "goldpan-test", str(folder)]
    done = subprocess.run([mount, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a full disk needs the right to mount one ({done.stderr.strip()})")
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def full(kafka: Kafka, disk: SmallDisk, start_worker: StartWorker) -> Scene:
    """A scene with its lake on the small disk."""
    return Scene(kafka, disk.folder / "lake", start_worker)


def assert_all_whole(lake: Path) -> None:
    """Every file that has the name of a data file or of a commit is whole."""
    for path in lake.rglob("*.parquet"):
        if not path.name.startswith("."):
            pq.read_table(path)
    for path in lake.glob("*/_delta_log/*.json"):
        for line in path.read_text().splitlines():
            json.loads(line)


def test_room_is_made(full: Scene, disk: SmallDisk) -> None:
    """Wherever in a flush the disk becomes full, the worker goes on once there is room."""
    worker = full.start()
    worker.wait_for_log("partitions_assigned")
    for pages in ROOMS:
        disk.fill(pages)
        retried = len(worker.logs("step_retried"))
        while len(worker.logs("step_retried")) == retried:
            assert worker.alive, worker.tail()
            full.produce(10)
        assert_all_whole(disk.folder / "lake")
        disk.free()
        worker.wait_until(full.all_in, what="done once there was room")
    worker.sigterm()
    worker.finish()
    full.assert_exactly_once()


def test_killed_while_full(full: Scene, disk: SmallDisk) -> None:
    """A worker that dies on a full disk leaves nothing that the next one stumbles over."""
    full.produce(50)
    full.catch_up()
    for pages in (0, 6):
        disk.fill(pages)
        worker = full.start()
        full.produce(100)
        worker.wait_for_log("step_retried")
        worker.sigkill()
        assert_all_whole(disk.folder / "lake")
    stays_full = full.start("--until-caught-up", stream__retry_seconds=1)
    assert stays_full.wait() == 3, stays_full.tail()
    assert "No space left" in stays_full.log_text()
    disk.free()
    full.catch_up()
    assert_all_whole(disk.folder / "lake")
    full.assert_exactly_once()
