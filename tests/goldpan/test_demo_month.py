"""The month of the demo: its records, and whether other draws of reviewers find its truth too.

``-s`` prints the figures of `docs/judges.md`.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache

import numpy as np
import pytest

from goldpan.demo.judged_month import ShareOfDone
from goldpan.demo.month import DAYS, TASK_ATTRIBUTE, make_month
from goldpan.demo.run import JUDGE_FILE
from goldpan.demo.traffic import load_all_conversations
from judges.as_judged import judged_rate
from judges.correction.post_stratified import estimate_of_arrays
from judges.correction.units import JudgedUnit, unit_arrays
from judges.definition import load_judge
from judges.judged_row import judged_row_of
from judges.offline import answer_offline
from judges.outcome import JudgeAnswer
from judges.ways import LocalWay
from judges.weighted_rows import WeightedRow
from labels.digests import audit_draws, digest_ids
from tests.architecture.source import ROOT

LAST_DAY = date(2026, 11, 29)
RATE = 0.05
CONVERSATIONS = load_all_conversations()
MONTH = make_month(CONVERSATIONS, last_day=LAST_DAY, seed=7)
IDS = [record["trace_id"] for record in MONTH.records]
GOOD = np.array([MONTH.is_done[trace_id] for trace_id in IDS], float)


@cache
def _answers() -> Sequence[JudgeAnswer]:
    """The judge's answers by its file; copies of a conversation have the same."""
    definition = load_judge(ROOT / "goldpan/demo/data" / JUDGE_FILE)
    way = definition.by[0]
    assert isinstance(way, LocalWay)
    known: dict[str, JudgeAnswer] = {}
    for record in MONTH.records[: len(CONVERSATIONS)]:
        name = record["attributes"]["conversation"]
        known[name] = answer_offline(definition, way, judged_row_of(record)).answer
    return [known[record["attributes"]["conversation"]] for record in MONTH.records]


def test_each_conversation_is_there_once_a_day() -> None:
    """On each of the days, at any hour, in order of time, each time under ids of its own."""
    starts = [record["started_at"] for record in MONTH.records]
    assert starts == sorted(starts)
    days = [datetime.fromtimestamp(start / 1e6, UTC).date() for start in starts]
    assert Counter(days) == {LAST_DAY - timedelta(days=n): 100 for n in range(DAYS)}
    assert (min(days), max(days)) == (MONTH.first_day, MONTH.last_day)
    names = [(day, r["attributes"]["conversation"]) for day, r in zip(days, MONTH.records)]  # noqa: B905
    assert len(set(names)) == len(names)
    for field in ("trace_id", "session_id", "request_id"):
        assert len({record[field] for record in MONTH.records}) == len(MONTH.records)


def test_only_days_move() -> None:
    """Another last day gives the same traces, so the same are drawn for reviewers."""
    other = make_month(CONVERSATIONS, last_day=LAST_DAY - timedelta(days=400), seed=7)
    assert [record["trace_id"] for record in other.records] == IDS
    assert other.is_done == MONTH.is_done
    assert not {r["trace_id"] for r in make_month(CONVERSATIONS, last_day=LAST_DAY).records} & set(
        IDS
    )


def _clusters(attribute: str | None) -> list[str | None]:
    if attribute is None:
        return [None] * len(IDS)
    return [record["attributes"][attribute] for record in MONTH.records]


def _naive(attribute: str | None = None) -> ShareOfDone:
    rows = zip(_answers(), _clusters(attribute), strict=True)
    rate = judged_rate((answer, WeightedRow(1.0, cluster)) for answer, cluster in rows)
    assert rate.estimate is not None
    assert rate.low is not None
    assert rate.high is not None
    return ShareOfDone(rate.estimate, rate.low, rate.high)


def _corrected(draws: int, attribute: str | None = None) -> list[ShareOfDone]:
    """What other draws of the audit give: the policy's rate, another seed each."""
    rows = zip(_answers(), _clusters(attribute), strict=True)
    arrays = unit_arrays(JudgedUnit(answer.outcome, cluster=cluster) for answer, cluster in rows)
    found = []
    for seed in range(draws):
        drawn = np.flatnonzero(audit_draws(digest_ids(IDS, str(seed))) < RATE)
        rate = estimate_of_arrays(arrays.with_reviews(drawn, GOOD[drawn], RATE))
        assert rate is not None
        found.append(ShareOfDone(rate.estimate, rate.low, rate.high))
    return found


@pytest.mark.parametrize(
    ("draws", "fewest"), [(100, 0.88), pytest.param(1_000, 0.93, marks=pytest.mark.chaos)]
)
def test_reviewers_find_the_truth_whoever_is_drawn(draws: int, fewest: float) -> None:
    """Not by luck of one draw; the judge at its word misses the truth, and by far."""
    naive, corrected = _naive(), _corrected(draws)
    assert not naive.contains(MONTH.truth)
    assert abs(naive.estimate - MONTH.truth) > 0.08
    coverage = np.mean([share.contains(MONTH.truth) for share in corrected])
    bias = np.mean([share.estimate for share in corrected]) - MONTH.truth
    width = np.mean([share.high - share.low for share in corrected])
    print(f"{draws} draws: coverage {coverage:.3f}, bias {bias:+.4f}, width {width:.3f}")
    assert coverage >= fewest
    assert abs(bias) < 0.01
    assert width < 0.16


def test_copies_say_little_about_other_tasks() -> None:
    """With tasks as clusters the intervals are far wider: 25 tasks are no large sample of tasks."""
    naive = _naive(TASK_ATTRIBUTE)
    corrected = _corrected(20, TASK_ATTRIBUTE)
    width = np.mean([share.high - share.low for share in corrected])
    print(f"by task: the judge {naive.low:.2f} to {naive.high:.2f}, corrected {width:.2f} wide")
    assert naive.contains(MONTH.truth)
    assert width > 0.25


def test_no_conversation_is_judged_by_weights_that_saw_its_task() -> None:
    """Without `held_out_by`, the judge would know the answers better than it can."""
    definition = load_judge(ROOT / "goldpan/demo/data" / JUDGE_FILE)
    way = definition.by[0]
    assert isinstance(way, LocalWay)
    assert way.held_out_by == TASK_ATTRIBUTE
    own = LocalWay(local="task_success")
    differ = [
        answer_offline(definition, own, judged_row_of(record)).answer != answer
        for record, answer in zip(MONTH.records[:100], _answers(), strict=False)
    ]
    assert sum(differ) > 90
    assert definition.digest_of_way(own) != definition.digest_of_way(way)
