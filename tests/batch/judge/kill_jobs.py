"""A run of a judge that the kill harness kills at each write, commit and question."""

import os
import time
from pathlib import Path
from typing import Final

from deltalake import DeltaTable

from lake.objects import FolderStore
from tests.batch.judge.world import Said, ScriptedServer, World
from tests.batch.kit import Clock, open_lake
from tests.kill_harness import KillableJob, run_job

ASKED: Final = "asked.txt"
"""The file beside the lake in which a server writes down each question that it was asked."""
JOB: Final = KillableJob("tests.batch.judge.kill_jobs", "judge")


class RunningClock(Clock):
    """The time of the machine, in microseconds."""

    def __call__(self) -> int:
        """Return the time."""
        return time.time_ns() // 1_000


class PatientWorld(World):
    """A runner that really waits, as processes must that wait for one another."""

    def wait(self, seconds: float) -> None:
        """Wait for a part of the time, so that a test need not."""
        time.sleep(seconds / 50)


class WritingServer(ScriptedServer):
    """A server whose memory outlives the process that asks it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(self.answer)
        self.file = folder / ASKED

    def answer(self, text: str) -> Said:
        """Write a question down, and say pass."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(text.replace("\n", " ") + "\n")
        return "pass"


def judge(folder: Path) -> None:
    """Judge all rows of the lake in a folder."""
    PatientWorld(
        open_lake(folder / "lake"),
        WritingServer(folder),
        clock=RunningClock(),
        run_id=f"run-{os.getpid()}",
        tokens=iter(lambda: int.from_bytes(os.urandom(7)), -1),
    ).run()


def judge_after(folder: Path) -> World:
    """Judge what a killed run left, an hour later."""
    clock = Clock(time.time_ns() // 1_000 + 3_600_000_000)
    world = World(open_lake(folder / "lake"), WritingServer(folder), clock=clock, run_id="after")
    world.run()
    return world


def asked_in(folder: Path) -> list[str]:
    """Return the questions that servers were asked so far."""
    file = folder / ASKED
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


if __name__ == "__main__":
    run_job(
        judge,
        [
            (FolderStore, "put_new"),
            (DeltaTable, "create_write_transaction"),
            (WritingServer, "answer"),
        ],
    )
