"""Batch jobs over a lake that the kill harness kills at each write, removal and commit."""

import itertools
import os
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from deltalake import DeltaTable
from deltalake.table import TableAlterer

import batch.labels.reconciler
from batch.compaction import compact_batches, plan_compaction
from batch.labels.calibration_store import publish_calibration
from batch.retention.purge import purge_table
from labels.calibration import Calibration, prior_calibration
from lake.objects import FolderStore
from tests.batch.erase.world import erasure
from tests.batch.gate.asked_answers import answer_desk, answers, judge_answer
from tests.batch.kit import POLICY, desk, judge, open_lake, reconciled
from tests.batch.retention.kit import runs
from tests.kill_harness import KillableJob, run_job
from tests.lake.kit import commit_context, patience

REVIEWER: Final = "ann"
SUBMISSION: Final = "s-1"


def calibration() -> Calibration:
    """Return a calibration to publish."""
    return prior_calibration(POLICY).model_copy(update={"version": 1})


def reconcile_all(folder: Path) -> None:
    """Add labels, sixteen a commit."""
    batch.labels.reconciler.COMMIT_EVENTS = 16  # type: ignore[misc]
    reconciled(open_lake(folder))


def review_one(folder: Path) -> None:
    """Claim an item and judge it."""
    mine = desk(open_lake(folder))
    (handed,) = mine.claim(REVIEWER, 1)
    judge(mine, handed.item.trace_id, REVIEWER, submission_id=SUBMISSION)


def ask_answers(folder: Path) -> None:
    """Ask reviewers about answers, a few and then more."""
    for count in (4, 8):
        answer_desk(open_lake(folder)).ask(lambda count=count: answers(count))  # type: ignore[misc]


def review_answer(folder: Path) -> None:
    """Claim an answer and judge it."""
    mine = answer_desk(open_lake(folder))
    (claimed,) = mine.claim(REVIEWER, 1)
    judge_answer(mine, claimed.answer.answer_id, REVIEWER, submission_id=SUBMISSION)


def publish_one(folder: Path) -> None:
    """Publish a calibration."""
    publish_calibration(open_lake(folder).location.files("calibrations"), calibration())


def expire_traces(folder: Path) -> None:
    """Let what is over of the traces expire."""
    list(next(run for run in runs(open_lake(folder)) if run.table.name == "traces").run())


def expire_and_purge(folder: Path) -> None:
    """Let what is over of the traces expire, and purge what that leaves, a day later."""
    expire_traces(folder)
    table = open_lake(folder).table("traces")
    for path in folder.rglob("*.parquet"):
        os.utime(path, (0, 0))
    purge_table(table, keep_hours=1, retry=patience())


def compact_traces(folder: Path) -> None:
    """Compact all days of the traces."""
    table = open_lake(folder).table("traces")
    tokens = itertools.count(1)
    batches = plan_compaction(table, before=date(2027, 1, 1))
    list(compact_batches(table, batches, commit_context(new_token=lambda: next(tokens))))


def erase_person(folder: Path) -> None:
    """Erase the person of the lake in `tests.batch.erase.world`."""
    erasure(open_lake(folder)).run()


class Job(NamedTuple):
    """A job, and the calls around which it can be killed."""

    run: Callable[[Path], None]
    calls: Sequence[tuple[type, str]]


_COMMITS: Final = (
    (FolderStore, "put"),
    (FolderStore, "put_new"),
    (DeltaTable, "create_write_transaction"),
    (DeltaTable, "create_checkpoint"),
)
_PURGES: Final = (*_COMMITS, (FolderStore, "purge"))
_FENCES: Final = (
    *_COMMITS,
    (FolderStore, "swap"),
    (FolderStore, "remove"),
    (TableAlterer, "set_table_properties"),
)
JOBS: Final = {
    "reconcile": Job(reconcile_all, _PURGES),
    "review": Job(review_one, _PURGES),
    "ask": Job(ask_answers, _PURGES),
    "review answer": Job(review_answer, _PURGES),
    "publish": Job(publish_one, _PURGES),
    "expire": Job(expire_traces, _PURGES),
    "purge": Job(expire_and_purge, _PURGES),
    "compact": Job(compact_traces, _COMMITS),
    "erase": Job(erase_person, _FENCES),
}


def killable(name: str) -> KillableJob:
    """Return one of these jobs for the kill harness."""
    return KillableJob("tests.batch.kill_jobs", name)


if __name__ == "__main__":
    job = JOBS[sys.argv[1]]
    run_job(job.run, job.calls)
