"""A process that works on the labels of a lake, and kills itself at a step of its own I/O.

python -m tests.batch.dying JOB FOLDER STEP: every write, before and after, is a step, from 0; with
STEP -1 it lives, and prints how many steps there were.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from deltalake import DeltaTable

import batch.labels.reconciler
from batch.labels.calibration_store import publish_calibration
from batch.retention.purge import purge_table
from labels.calibration import Calibration, prior_calibration
from lake.objects import FolderStore
from tests.batch.kit import POLICY, desk, judge, open_lake, reconciled
from tests.batch.retention.kit import runs
from tests.ending import end
from tests.lake.kit import patience

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


JOBS: Final = {
    "reconcile": reconcile_all,
    "review": review_one,
    "publish": publish_one,
    "expire": expire_traces,
    "purge": expire_and_purge,
}


class Steps:
    """Counts the steps, and dies at one of them."""

    def __init__(self, last: int) -> None:
        self.count, self._last = 0, last

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Make a step of what is before a call, and of what is after it."""

        def stepped(*args: Any, **kwargs: Any) -> Any:
            self._take()
            result = call(*args, **kwargs)
            self._take()
            return result

        return stepped

    def _take(self) -> None:
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1


def main(job: str, folder: str, last: int) -> None:
    """Do the job."""
    steps = Steps(last)
    for owner, name in (
        (FolderStore, "put"),
        (FolderStore, "put_new"),
        (FolderStore, "purge"),
        (DeltaTable, "create_write_transaction"),
        (DeltaTable, "create_checkpoint"),
    ):
        setattr(owner, name, steps.around(getattr(owner, name)))
    JOBS[job](Path(folder))
    sys.stdout.write(str(steps.count))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    end()
