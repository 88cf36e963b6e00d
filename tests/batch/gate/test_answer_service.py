"""Asking about a candidate's answers, claiming and reviewing them: once, whoever else is there."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest

from batch.retention.run import RetentionRun
from batch.reviews.answer_service import AnswerRequest
from labels.rules import ReviewRules
from lake.fences import ERASURE_FENCE
from lake.tables import Lake
from schemas.arrow import ANSWER_REVIEWS_TABLE
from tests.batch.gate.asked_answers import (
    OF,
    answer,
    answer_desk,
    answers,
    judge_answer,
    row_counts,
    stored,
)
from tests.batch.kill_jobs import REVIEWER, SUBMISSION, killable
from tests.batch.kit import complaints, means, new_lake, open_lake
from tests.kill_harness import AT_ONCE, outputs, start_module
from tests.servers.s3 import S3
from tests.short_versions import short


@pytest.fixture
def answer_lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    return new_lake(tmp_path / "lake")


def test_a_larger_draw_keeps_the_smaller_one(answer_lake: Lake) -> None:
    """Each answer is asked about once, with the probability of the largest draw, in its order."""
    desk = answer_desk(answer_lake)
    assert desk.ask(lambda: answers(4)) == (4, 0)
    assert desk.ask(lambda: answers(4)) == (0, 4)
    (claimed,) = desk.claim("ann", 1)
    judge_answer(desk, claimed.answer.answer_id, "ann")
    assert desk.ask(lambda: answers(8)) == (4, 4)
    assert desk.ask(lambda: answers(2)) == (0, 2)
    found = stored(answer_lake)
    assert [each.trace_id for each in found.answers.values()] == [f"t-{n}" for n in range(8)]
    assert {each.probability for each in found.answers.values()} == {8 / OF}
    assert len(found.log.reviews) == 1
    assert row_counts(answer_lake) == {"ask": 12, "claim": 1, "review": 1}
    assert [each.answer.trace_id for each in desk.claim("ben", 9)] == [
        f"t-{n}" for n in range(1, 8)
    ]


def test_an_answer_goes_to_as_many_reviewers_as_the_policy_asks_for(answer_lake: Lake) -> None:
    """None gets it twice, and a lease keeps others away."""
    desk = answer_desk(answer_lake, rules=ReviewRules(reviewers=2))
    desk.ask(lambda: answers(1))
    for reviewer, count in (("ann", 1), ("ann", 1), ("ben", 1), ("cem", 0)):
        assert len(desk.claim(reviewer, 5)) == count
    answer_id = desk.claim("ann", 1)[0].answer.answer_id
    assert judge_answer(desk, answer_id, "ann", "pass").added == [0]
    assert desk.queue().verdicts() == []
    assert judge_answer(desk, answer_id, "ben", "pass").added == [0]
    assert [is_good for _, is_good in desk.queue().verdicts()] == [True]
    assert judge_answer(desk, answer_id, "ben", "fail").added == [0]
    assert desk.queue().verdicts() == []
    assert len(desk.claim("cem", 1)) == 1  # a third is asked
    assert judge_answer(desk, answer_id, "cem", "fail").added == [0]
    assert [is_good for _, is_good in desk.queue().verdicts()] == [False]


def test_who_is_erased_meanwhile_is_not_asked_about(answer_lake: Lake) -> None:
    """The draw is read again after the fence, and then without the person."""
    read = []

    def draw() -> list[AnswerRequest]:
        read.append(1)
        if len(read) > 1:
            return answers(2)
        other = open_lake(answer_lake.location.folder or "").table(ANSWER_REVIEWS_TABLE)
        ERASURE_FENCE.raise_to(other, 1, means())
        return answers(4)

    assert answer_desk(answer_lake).ask(draw) == (2, 0)
    assert len(read) == 2
    assert row_counts(answer_lake) == {"ask": 2}


def test_without_texts_nothing_is_handed_out_and_reviews_stand(answer_lake: Lake) -> None:
    """What has expired cannot be reviewed; what was reviewed before counts as it did."""
    desk = answer_desk(answer_lake)
    desk.ask(lambda: [answer(1), answer(2, response=None)])
    claimed = desk.claim("ann", 2)
    assert [each.texts.shown()["response"] for each in claimed] == ["It is 1.", None]
    judge_answer(desk, claimed[0].answer.answer_id, "ann", "pass")
    until = {"text": date(2030, 1, 1)}
    assert list(RetentionRun.of(answer_lake, ANSWER_REVIEWS_TABLE, until, means()).run())
    assert desk.claim("ben", 2) == []
    assert [each.answer.trace_id for each in desk.queue().verdicts()] == ["t-1"]
    assert desk.ask(lambda: answers(3)) == (1, 2)
    assert [each.answer.trace_id for each in desk.claim("ben", 2)] == ["t-0"]


@pytest.mark.parametrize("every", short([4, 1], [4]))
def test_asking_that_dies_at_any_step_is_finished_by_the_next(tmp_path: Path, every: int) -> None:
    """A draw is there whole or not at all; asking again adds what is missing, and nothing twice."""
    new_lake(tmp_path / "lake")
    for copy in killable("ask").killed_copies(tmp_path / "lake", tmp_path, slice(1, None, every)):
        here = open_lake(copy)
        assert len(stored(here).answers) in (0, 4, 8)
        answer_desk(here).ask(lambda: answers(8))
        found = stored(here).answers.values()
        assert [each.trace_id for each in found] == [f"t-{n}" for n in range(8)]
        assert {each.probability for each in found} == {8 / OF}
        assert row_counts(here)["ask"] in (8, 12)
        assert complaints(here) == []


@pytest.mark.parametrize("every", short([5, 1], [5]))
def test_a_review_that_dies_at_any_step_can_be_sent_again(tmp_path: Path, every: int) -> None:
    """The answer is still the reviewer's, and the same submission is there once."""
    answer_desk(new_lake(tmp_path / "lake")).ask(lambda: answers(4))
    job = killable("review answer")
    for copy in job.killed_copies(tmp_path / "lake", tmp_path, slice(2, None, every)):
        here = open_lake(copy)
        desk, before = answer_desk(here), stored(here).log
        (mine,) = desk.claim(REVIEWER, 1) if not before.reviews else [None]
        answer_id = mine.answer.answer_id if mine else before.reviews[0].trace_id
        assert {claim.trace_id for claim in before.claims} <= {answer_id}
        judge_answer(desk, answer_id, REVIEWER, submission_id=SUBMISSION)
        assert len(stored(here).log.reviews) == 1
        assert complaints(here) == []


def test_many_at_once_ask_once_and_review_once(tmp_path: Path) -> None:
    """Several processes ask and review: no answer is asked about, claimed or judged twice."""
    race(new_lake(tmp_path), str(tmp_path), {})


@pytest.mark.chaos
def test_many_at_once_on_s3(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same against a real S3 server."""
    env = {name: value for name, value in s3.env().items() if not name.startswith("GOLDPAN_")}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    uri = s3.new_lake()
    lake = new_lake(uri, s3_endpoint_url=s3.endpoint)
    race(lake, uri, {**env, "S3_ENDPOINT": s3.endpoint})


def race(lake: Lake, uri: str, env: Mapping[str, str]) -> None:
    """Let several processes ask about the same answers and review them at once."""
    names = [f"racer-{number}" for number in range(AT_ONCE)]
    done = outputs(
        [start_module("tests.batch.racing", "answers", uri, name, env=env) for name in names]
    )
    given = [answer_id for each in done for answer_id in each]
    found = stored(lake)
    assert sorted(given) == sorted(found.answers)
    assert {claim.trace_id for claim in found.log.claims} == set(given)
    assert sorted(review.trace_id for review in found.log.reviews) == sorted(given)
    assert row_counts(lake)["ask"] == OF
    assert complaints(lake) == []
