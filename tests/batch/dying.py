"""A process that runs a batch job over a lake, and kills itself at a step of its own I/O.

python -m tests.batch.dying JOB FOLDER STEP: before and after each write, removal and commit is a
step, from 0; with STEP -1 it lives, and prints how many steps there were.
"""

import itertools
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

from deltalake import DeltaTable
from deltalake.table import TableAlterer

import batch.labels.reconciler
from batch.compaction import compact_batches, plan_compaction
from batch.labels.calibration_store import publish_calibration
from batch.retention.purge import purge_table
from labels.calibration import Calibration, prior_calibration
from lake.objects import FolderStore
from tests.batch.erase.world import erasure
from tests.batch.kit import POLICY, desk, judge, open_lake, reconciled
from tests.batch.retention.kit import runs
from tests.ending import end
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
    "publish": Job(publish_one, _PURGES),
    "expire": Job(expire_traces, _PURGES),
    "purge": Job(expire_and_purge, _PURGES),
    "compact": Job(compact_traces, _COMMITS),
    "erase": Job(erase_person, _FENCES),
}


class Steps:
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
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1


def main(job: str, folder: str, last: int) -> None:
    """Run the job."""
    steps = Steps(last)
    for owner, name in JOBS[job].calls:
        setattr(owner, name, steps.around(getattr(owner, name)))
    JOBS[job].run(Path(folder))
    sys.stdout.write(str(steps.count))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    end()
