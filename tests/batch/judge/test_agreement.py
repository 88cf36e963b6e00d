"""A judge beside reviewers: only reviews of known probability count, and each epoch by itself."""

import random
from collections.abc import Mapping

import pytest

from batch.judge.agreement_report import JudgeAgreementReport, report_agreement
from batch.judge.estimates import estimates_json
from batch.judge.judge_record import JudgeIdentity, JudgeRecord
from batch.judge.reported_rows import ReportedRow, ReportedRows
from batch.judge.reviewed_answers import ReviewedAnswer, reviewed_answers
from batch.judge.run_report import JudgeRunReport
from judges.outcome import JudgeAnswer, JudgeOutcome, judge_error
from judges.weighted_rows import WeightedRow
from labels.review_log import Review, ReviewLog, review_id_of
from schemas.records import Label

ROWS = 400


def stored_row(trace_id: str, outcome: JudgeOutcome, **fields: object) -> Mapping[str, object]:
    """Return a row of the table as it is read for agreement."""
    return {
        "trace_id": trace_id,
        "epoch": 1,
        "repeat": 0,
        "attempt": 1,
        "judged_at": 1,
        "outcome": outcome,
        "reason": None,
        "p_fail": None,
        "failure_mode": None,
        "probability": 1.0,
        "cluster": None,
        "app": "shop",
        "segments": [("plan", "pro" if trace_id.endswith("1") else "free")],
        "cost_usd": 0.001,
        "model_served": "m-1",
        **fields,
    }


def record(*rows: Mapping[str, object]) -> JudgeRecord:
    """Return the record of a judge with these rows."""
    made = JudgeRecord(JudgeIdentity("answered", "d" * 64, 1, "chat", "m"))
    for row in rows:
        made.add(row)
    return made


def reviewed(count: int, probability: float | None = 0.25) -> dict[str, ReviewedAnswer]:
    """Return reviews of the first traces: every fifth answer is bad."""
    return {f"t{at}": ReviewedAnswer(at % 5 != 0, probability) for at in range(count)}


def kind(at: int, *, errs: float, random_: random.Random) -> JudgeOutcome:
    """Return what a judge says of a trace that errs this often."""
    is_good = (at % 5 != 0) == (random_.random() >= errs)
    return "pass" if is_good else "fail"


def report(errs: float = 0.1, reviews: int = 100) -> JudgeAgreementReport:
    """Return the agreement of a judge that errs this often."""
    drawn = random.Random(5)  # noqa: S311 - a test
    rows = [stored_row(f"t{at}", kind(at, errs=errs, random_=drawn)) for at in range(ROWS)]
    return report_agreement(record(*rows), reviewed(reviews))


def test_a_good_judge_is_worth_more_than_a_coin() -> None:
    """The sentence says so, and the figures add up."""
    good, coin = report(0.05).to_json(), report(0.5).to_json()
    assert good["worth_in_reviews"]["estimate"] > 200
    assert coin["worth_in_reviews"]["estimate"] < 115
    assert good["sentence"].startswith("100 reviews with this judge are worth ")
    assert sum(sum(said.values()) for said in good["confusion"].values()) == good["reviews"] == 100
    assert good["outcomes"]["drawn"] == ROWS
    assert good["segments"].keys() == {"app", "plan"}
    assert good["cost_usd"] == pytest.approx(0.4)


def test_the_corrected_rate_holds_the_truth_where_the_judge_does_not() -> None:
    """A judge that passes too little is corrected by 100 reviews."""
    judged, corrected = report(0.3).to_json()["estimates"]
    assert (judged["claim"], corrected["claim"]) == ("as_judged", "as_humans")
    assert judged["high"] < 0.8
    assert corrected["low"] <= 0.8 <= corrected["high"]
    assert (judged["reviews"], corrected["reviews"]) == (0, 100)
    assert corrected["worth_in_reviews"] >= 100


def test_reviews_of_the_queue_correct_nothing() -> None:
    """Their probability is not known: they are counted, and no more."""
    rows = [stored_row(f"t{at}", "pass") for at in range(20)]
    found = report_agreement(record(*rows), reviewed(20, None)).to_json()
    assert (found["reviews"], found["reviews_without_probability"]) == (0, 20)
    assert len(found["estimates"]) == 1
    assert "too few reviews" in found["sentence"]


def test_two_epochs_are_never_mixed() -> None:
    """The figures are of the newest; each epoch stands by itself, with the model that it had."""
    old = [stored_row(f"t{at}", "fail") for at in range(30)]
    new = [
        stored_row(f"t{at}", "pass", epoch=2, judged_at=2, model_served="m-2") for at in range(20)
    ]
    found = report_agreement(record(*old, *new), reviewed(30)).to_json()
    assert found["reviews"] == 20
    assert found["epochs"]["1"]["models"] == ["m-1"]
    assert found["epochs"]["2"]["models"] == ["m-2"]
    assert found["epochs"]["1"]["reviews"] == 30
    assert (found["outcomes"]["pass"], found["outcomes"]["fail"]) == (20, 10)


def test_the_last_final_attempt_is_in_force() -> None:
    """An error that came before or after a verdict does not replace it."""
    error = {"reason": "timeout"}
    found = record(
        stored_row("t1", "error", **error),
        stored_row("t1", "pass", attempt=2, judged_at=2),
        stored_row("t1", "error", **error, attempt=3, judged_at=3),
    )
    assert [row.answer for row in found.rows] == [JudgeAnswer("pass")]


def test_repetitions_measure_flips() -> None:
    """They are no rows of their own."""
    rows = [stored_row(f"t{at}", "pass") for at in range(10)]
    again = [stored_row(f"t{at}", "fail" if at < 5 else "pass", repeat=1) for at in range(10)]
    found = report_agreement(record(*rows, *again), reviewed(10))
    assert (found.flips.rows, found.flips.flips.estimate) == (10, 0.5)
    assert found.run.counts.passed == 10


def test_reviewers_who_disagree_say_nothing() -> None:
    """Nor do those who could not tell; a withdrawn review is none."""

    def review(trace: str, who: str, label: Label | None, at: int = 1) -> Review:
        return Review(review_id_of(trace, who), trace, who, label, at, None, 0.1)

    log = ReviewLog(
        reviews=(
            review("both", "ann", "pass"),
            review("both", "ben", "fail"),
            review("unsure", "ann", "unknown"),
            review("gone", "ann", "fail"),
            review("gone", "ann", None, 2),
            review("bad", "ann", "fail"),
        )
    )
    assert reviewed_answers(log) == {"bad": ReviewedAnswer(good=False, probability=0.1)}


def test_what_failed_is_in_no_share() -> None:
    """Errors and unknown widen the range, and move no estimate."""
    answers = [JudgeAnswer("pass")] * 8 + [JudgeAnswer("fail")] * 2 + [judge_error("timeout")] * 10
    rows = [ReportedRow(f"t{at}", WeightedRow(), a, 1) for at, a in enumerate(answers)]
    (judged,) = estimates_json(JudgeRunReport(ReportedRows.of(rows)), {})
    assert judged["estimate"] == pytest.approx(0.8)
    assert (judged["least"], judged["most"]) == (pytest.approx(0.4), pytest.approx(0.9))
