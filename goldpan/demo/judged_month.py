"""The month, judged and reviewed, through the same commands as anywhere.

1. `goldpan review next` gives simulated reviewers the traces that were drawn at random.
2. They know how each task really ended, and `goldpan review submit` takes their verdicts.
3. `goldpan judge run` judges the whole month, and says which share of the tasks was done.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from batch.progress import ReportProgress
from goldpan.demo.month import DemoMonth
from goldpan.demo.process import run_job

REVIEWERS: Final = ("ann", "bob", "cara", "dan", "eve")
ITEMS: Final = 100
"""As many as `goldpan review next` gives to one reviewer."""


@dataclass(frozen=True, slots=True)
class ShareOfDone:
    """A share of conversations whose task was done, with its 95 % interval."""

    estimate: float
    low: float
    high: float

    def contains(self, share: float) -> bool:
        """Return whether the interval contains a share."""
        return self.low <= share <= self.high


@dataclass(frozen=True, slots=True)
class MonthOutcome:
    """What the judge and the reviewers say of the month, and what is true.

    ``naive`` takes the judge at its word, ``corrected`` is what the reviewers would say of all.
    ``worth_in_reviews`` is how many reviews without a judge would be as good.
    """

    first_day: date
    last_day: date
    conversations: int
    days: int
    outcomes: Mapping[str, int]
    reviews: int
    naive: ShareOfDone
    corrected: ShareOfDone
    worth_in_reviews: float
    truth: float


def judge_month(
    settings: Mapping[str, str], judge: Path, month: DemoMonth, folder: Path, report: ReportProgress
) -> MonthOutcome:
    """Review and judge the month; ``folder`` takes the file of reviews.

    Raises FatalError if a command fails.
    """
    report("reviewing some conversations of the month", 0, 0)
    reviews = folder / "reviews.jsonl"
    reviews.write_text("".join(f"{json.dumps(one)}\n" for one in _reviews(settings, month)))
    run_job(settings, "review", "submit", "--file", str(reviews), "--reviewer", REVIEWERS[0])
    report("judging all of it", 0, 0)
    days = ("--from", str(month.first_day), "--to", str(month.last_day))
    said = json.loads(run_job(settings, "judge", "run", str(judge), *days, "--json"))
    estimates = {each["method"]: each for each in said["estimates"]}
    corrected = estimates["post_stratified"]
    return MonthOutcome(
        first_day=month.first_day,
        last_day=month.last_day,
        conversations=month.conversations,
        days=month.days,
        outcomes=said["outcomes"],
        reviews=corrected["reviews"],
        naive=_share(estimates["as_judged"]),
        corrected=_share(corrected),
        worth_in_reviews=corrected["worth_in_reviews"],
        truth=month.truth,
    )


def _reviews(settings: Mapping[str, str], month: DemoMonth) -> list[dict[str, str]]:
    """Return the verdicts of reviewers on all items that the queue gives them."""
    reviews = []
    for reviewer in REVIEWERS:
        command = ("review", "next", "--blind", "--count", str(ITEMS), "--reviewer", reviewer)
        items = json.loads(run_job(settings, *command, "--json"))["items"]
        for item in items:
            verdict = "pass" if month.is_done[item["trace_id"]] else "fail"
            reviews.append({"trace_id": item["trace_id"], "verdict": verdict, "reviewer": reviewer})
        if len(items) < ITEMS:
            break
    return reviews


def _share(estimate: Mapping[str, Any]) -> ShareOfDone:
    return ShareOfDone(estimate["estimate"], estimate["low"], estimate["high"])
