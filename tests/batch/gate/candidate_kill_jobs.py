"""A candidate's run that the kill harness kills at each write to its work file, and each call."""

from pathlib import Path
from typing import Final

from batch.gate.candidate_work import CandidateWork
from tests.batch.gate.candidate_world import PlayedModel, light_redactor, rows_of, run_rows
from tests.kill_harness import KillableJob, run_job

ROWS: Final = 9
ASKED: Final = "asked.txt"
WORK: Final = "out.jsonl.work"
JOB: Final = KillableJob("tests.batch.gate.candidate_kill_jobs", "candidate")


class WritingModel(PlayedModel):
    """A model whose server's memory outlives the process that asks it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.file = folder / ASKED

    def ask(self, row: str) -> None:
        """Write a call down."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(f"{row}\n")


def ask_all(folder: Path) -> None:
    """Run over the rows, or go on with that."""
    run_rows(folder / WORK, rows_of(ROWS), WritingModel(folder), light_redactor())


def asked_in(folder: Path) -> list[str]:
    """Return the rows that were asked so far."""
    file = folder / ASKED
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


if __name__ == "__main__":
    run_job(ask_all, [(CandidateWork, "_append"), (WritingModel, "ask")])
