"""Verdicts as feedback: a signal of the label policy, and only where a trace was judged."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from batch.judge.verdict_feedback import feedback_lines, verdicts_on_traces
from batch.labels.calibrator import Calibrator
from batch.labels.trace_buckets import ScanExtent
from decode.json_reader import JsonReader
from judges.judgement import CallFacts, Judgement, JudgementArm, JudgementKey
from judges.outcome import JudgeAnswer, JudgeOutcome, judge_error
from labels.calibration import Calibration
from labels.scorer import LabelScorer
from schemas.contract import CONTRACTS
from schemas.records import Feedback
from tests.batch.judge.world import put_reviews
from tests.batch.kit import labels_of, means, new_lake, put, reconciled
from tests.docs.pages import code_blocks
from tests.labels.kit import SECOND, START, parse_label_policy, trace
from tests.lake.kit import patience


def verdict(
    trace_id: str, outcome: JudgeOutcome, at: int = 60, arm: JudgementArm = "window"
) -> Judgement:
    """Return a judgement of a trace, some seconds after START."""
    answer = judge_error("timeout") if outcome == "error" else JudgeAnswer(outcome)
    return Judgement(
        key=JudgementKey("d" * 64, trace_id, f"{at}"),
        judge="faithfulness",
        judge_version=1,
        way="chat",
        answer=answer,
        call=CallFacts("m"),
        trace_id=trace_id,
        run_id="r",
        judged_at=START + at * SECOND,
        arm=arm,
    )


def read(lines: bytes) -> list[Feedback]:
    """Return the records as a worker reads them from the topic."""
    reader = JsonReader(CONTRACTS["feedback"], Feedback)
    records = [reader.read(line)[0] for line in lines.splitlines()]
    assert all(isinstance(record, Feedback) for record in records)
    return [record for record in records if isinstance(record, Feedback)]


def test_only_verdicts_on_traces_of_the_lake_are_feedback(tmp_path: Path) -> None:
    """No error, no abstention, no row of a file under the id of a trace, no synthetic row."""
    lake = new_lake(tmp_path / "lake", [trace("a"), trace("b"), trace("c")])
    judgements = [
        verdict("a", "pass"),
        verdict("b", "fail", arm="import"),
        verdict("c", "unknown"),
        verdict("c", "error", 61),
        verdict("c", "not_applicable", 62),
        verdict("c", "fail", 63, arm="file"),
        verdict("synthetic", "fail", arm="release"),
    ]
    found = verdicts_on_traces(judgements, lake, patience())
    assert [each.trace_id for each in found] == ["a", "b"]
    records = read(feedback_lines(found))
    assert [(r.trace_id, r.value, r.actor) for r in records] == [
        ("a", 1.0, "system"),
        ("b", -1.0, "system"),
    ]
    assert [r.feedback_id for r in records] == [j.judgement_id for j in found]


def test_the_policy_of_the_page_weighs_the_last_verdict(tmp_path: Path) -> None:
    """An earlier one of the judge stays in the evidence with weight 0; a resent one counts once."""
    (rules,) = (
        block.text for block in code_blocks("docs/judges.md") if "custom_negative" in block.text
    )
    scales = LabelScorer(parse_label_policy(rules, "a page"))
    lake = new_lake(tmp_path / "lake", [trace("a"), trace("b"), trace("c")])
    said = [
        verdict("a", "pass", 60),
        verdict("a", "fail", 120),
        verdict("b", "pass"),
        replace(verdict("b", "pass"), attempt=2),
    ]
    put(lake, read(feedback_lines(said)))
    reconciled(lake, scales)
    labels = labels_of(lake)
    kinds = {
        id_: sorted((item.kind, item.weight > 0, item.weight == 0) for item in label.evidence)
        for id_, label in labels.items()
    }
    assert kinds["a"] == [("judge_fail", True, False), ("judge_pass", False, True)]
    assert kinds["b"][0] == ("judge_pass", False, False)
    assert labels["b"].p_fail < labels["a"].p_fail


def test_calibration_fits_verdicts_from_reviews(tmp_path: Path) -> None:
    """As other signals: a judge that agrees with the reviewers is believed, a coin is not."""
    (rules,) = (
        block.text for block in code_blocks("docs/judges.md") if "custom_negative" in block.text
    )
    policy = parse_label_policy(rules, "a page")
    names = [f"t{number:03}" for number in range(120)]
    good = {name: number % 3 > 0 for number, name in enumerate(names)}

    def learnt(folder: str, says: Callable[[int], bool]) -> Calibration:
        lake = new_lake(tmp_path / folder, [trace(name) for name in names])
        said = [verdict(name, "pass" if says(at) else "fail") for at, name in enumerate(names)]
        put(lake, read(feedback_lines(said)))
        put_reviews(lake, {name: "pass" if good[name] else "fail" for name in names}, 0.5)
        return Calibrator(lake, policy, means()).learn(ScanExtent())

    honest = learnt("honest", lambda at: good[names[at]] or at % 15 == 0)
    coin = learnt("coin", lambda at: at % 2 == 0)
    for name in ("judge_fail", "judge_pass"):
        assert honest.signals[name].strength > 1 > coin.signals[name].strength
        assert honest.signals[name].sensitivity.mean > coin.signals[name].sensitivity.mean
        assert honest.signals[name].fitted is not None
