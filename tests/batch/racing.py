"""A process that works on a lake at the same time as others.

python -m tests.batch.racing everything|review|answers URI NAME: prints what it did, as JSON.
"""

import json
import os
import random
import sys
import time
from typing import Any, Final

import batch.labels.reconciler
from batch.labels.calibration_store import publish_calibration
from batch.labels.reconciler import Reconciler, ReconcileRequest
from labels.policy import LabelPolicy
from lake.retry import Retry
from lake.table_commit import CommitContext
from lake.tables import Lake
from schemas.errors import FatalError
from tests.batch.gate.asked_answers import OF, answer_desk, answers, judge_answer
from tests.batch.kill_jobs import calibration
from tests.batch.kit import POLICY, SCALES, desk, judge, open_lake
from tests.ending import end
from tests.labels.kit import NOW


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


PATIENCE: Final = Retry(
    seconds=120,
    monotonic=time.monotonic,
    sleep=_sleep,
    uniform=random.uniform,
    base=0.02,
    cap=0.5,
)


def several(reviewers: int) -> LabelPolicy:
    """Return the policy, with so many reviewers for each item."""
    rules = POLICY.review.model_copy(update={"reviewers": reviewers})
    return POLICY.model_copy(update={"review": rules})


def means() -> CommitContext:
    """Return what it takes to race: real waiting, and tokens nobody else has."""
    return CommitContext(PATIENCE, lambda: NOW, lambda: random.getrandbits(63))


def reconcile(lake: Lake, name: str) -> Any:
    """Add labels, five a commit; return how many this process added."""
    batch.labels.reconciler.COMMIT_EVENTS = 5  # type: ignore[misc]
    outcome = Reconciler(lake, SCALES, means(), bucket_traces=20).run(ReconcileRequest())
    return sum(outcome.added.values())


def review(lake: Lake, name: str) -> Any:
    """Take two items at a time and judge them until there are none; return the traces."""
    mine = desk(lake, several(int(os.environ.get("REVIEWERS", "1"))), made_of=means())
    done = []
    while handed := mine.claim(name, 2):
        for one in handed:
            judge(mine, one.item.trace_id, name)
            done.append(one.item.trace_id)
    return done


def review_answers(lake: Lake, name: str) -> Any:
    """Ask about all answers, then take two at a time and judge them; return their ids."""
    mine = answer_desk(lake, means())
    mine.ask(lambda: answers(OF))
    done = []
    while claimed := mine.claim(name, 2):
        for one in claimed:
            judge_answer(mine, one.answer.answer_id, name)
            done.append(one.answer.answer_id)
    return done


def publish_one(lake: Lake, name: str) -> Any:
    """Publish a calibration of this process's own; return whether it was first."""
    mine = calibration().model_copy(update={"diagnostics": {"by": name}})
    store = lake.location.files("calibrations")
    try:
        PATIENCE.call("publishing", lambda: publish_calibration(store, mine))
    except FatalError:
        return False
    return True


def everything(lake: Lake, name: str) -> Any:
    """Do one after the other."""
    return [job(lake, name) for job in (reconcile, review, publish_one)]


JOBS: Final = {"everything": everything, "review": review, "answers": review_answers}


if __name__ == "__main__":
    job, uri, who = sys.argv[1:]
    lake = open_lake(uri, os.environ.get("S3_ENDPOINT"))
    sys.stdout.write(json.dumps(JOBS[job](lake, who)))
    end()
