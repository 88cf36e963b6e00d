"""The candidates of the demo at its gate, whatever traces are labelled and whoever reviews first.

``-s`` prints how often each answer was given.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache

import numpy as np
import pytest

from goldpan.demo.candidates import (
    CANDIDATES,
    CandidateAnswer,
    candidate_answers,
    candidate_line,
    recorded_runs,
)
from goldpan.demo.gated_release import FIRST_REVIEWS, METRIC
from goldpan.demo.month import TASK_ATTRIBUTE, make_month
from goldpan.demo.run import GATE_FILE, JUDGE_FILE
from goldpan.demo.traffic import load_all_conversations
from judges.definition import load_judge
from judges.gate.decision import GateVerdict, gate_verdict
from judges.gate.definition import load_gate
from judges.gate.readings import GateReview, GateRows, MetricReadings, RowReading
from judges.judged_row import judged_row_of
from judges.offline import answer_offline
from judges.ways import LocalWay
from judges.weighted_rows import RowArrays, cluster_numbers
from tests.architecture.source import ROOT
from tests.short_versions import short

DATA = ROOT / "goldpan/demo/data"
MONTH = make_month(load_all_conversations(), last_day=date(2026, 11, 29), seed=7)
RECORDS = {record["trace_id"]: record for record in MONTH.records}
GATE = load_gate(DATA / GATE_FILE)
RATE = 0.05


@cache
def _verdict(answer: CandidateAnswer) -> RowReading:
    """What the judge says of an answer, by weights that never saw its task."""
    definition = load_judge(DATA / JUDGE_FILE)
    way = definition.by[0]
    assert isinstance(way, LocalWay)
    record = RECORDS[answer.run.trace_id]
    row = judged_row_of({**record, **candidate_line("row", answer, record)})
    return RowReading(answer_offline(definition, way, row).answer.outcome)


def _golden_set(rng: np.random.Generator) -> list[str]:
    """Another audit's traces, without the copies of a conversation: the rows of a release."""
    drawn = [r for r in MONTH.records if rng.random() < RATE]
    return list({r["attributes"]["conversation"]: r["trace_id"] for r in drawn}.values())


def _decide(
    rows: Sequence[str], answers: Mapping[str, CandidateAnswer], reviewed: Sequence[int], look: int
) -> GateVerdict:
    clusters = [RECORDS[row]["user_id"] for row in rows]
    numbers = [RECORDS[answers[row].run.trace_id]["latency_ms"] for row in rows]
    read = GateRows(
        weights=RowArrays(np.ones(len(rows)), cluster_numbers(clusters)),
        candidate={
            METRIC: MetricReadings.of(_verdict(answers[row]) for row in rows),
            "latency_ms": MetricReadings.of(RowReading("value", number) for number in numbers),
        },
        baseline={},
        segments={},
        judges={},
        reviews={METRIC: [GateReview(at, answers[rows[at]].is_done, 1.0) for at in reviewed]},
    )
    return gate_verdict(GATE, read, at_look=look)


@pytest.mark.parametrize("draws", short([40, 400], [40]))
def test_the_good_one_ships_and_the_bad_one_is_blocked_in_any_draw(draws: int) -> None:
    """Not by luck of one golden set; a few reviews never ship the bad one or block the good one."""
    rng = np.random.default_rng(3)
    said: Counter[tuple[str, int, str]] = Counter()
    for _ in range(draws):
        rows = _golden_set(rng)
        for name in CANDIDATES:
            answers = candidate_answers(name, MONTH, rows)
            order = rng.permutation(len(rows)).tolist()
            for look, reviewed in ((1, order[:FIRST_REVIEWS]), (2, order)):
                said[name, look, _decide(rows, answers, reviewed, look)] += 1
    for key, count in sorted(said.items()):
        print(*key, f"{count / draws:.3f}")
    assert said["careful", 2, "ship"] >= 0.97 * draws
    assert said["generous", 2, "block"] >= 0.95 * draws
    assert not sum(said["careful", look, "block"] for look in (1, 2))
    assert not sum(said["generous", look, "ship"] for look in (1, 2))


def test_each_task_was_run_four_times() -> None:
    """The runs are those of the month, with what is known of each."""
    runs = recorded_runs(MONTH)
    assert (len(runs), {len(each) for each in runs.values()}) == (25, {4})
    done = sum(run.is_done for each in runs.values() for run in each)
    assert done == sum(c.is_done for c in load_all_conversations()) == 49
    assert all(run.changes for run in runs["20"])
    assert not any(run.changes for run in runs["12"])


def test_answers_are_runs_of_the_rows_own_task() -> None:
    """The careful one is right where any run was; a gift makes a right run wrong, and is told."""
    rows = [record["trace_id"] for record in MONTH.records[: MONTH.conversations]]
    runs = recorded_runs(MONTH)
    for name in CANDIDATES:
        for row, answer in candidate_answers(name, MONTH, rows).items():
            task = RECORDS[row]["attributes"][TASK_ATTRIBUTE]
            assert answer.run in runs[task]
            record = RECORDS[answer.run.trace_id]
            line = candidate_line(row, answer, record)
            assert (line["row"], line["messages"]) == (row, record["messages"])
            gift = [call["name"] for call in line["tool_calls"][len(record["tool_calls"]) :]]
            assert gift == ["send_certificate"] * answer.is_generous
            assert not (answer.is_generous and answer.is_done)
            if name == "careful":
                assert answer.is_done == any(run.is_done for run in runs[task])
    done = {
        name: sum(each.is_done for each in candidate_answers(name, MONTH, rows).values())
        for name in CANDIDATES
    }
    assert done == {"careful": 68, "generous": 4}
