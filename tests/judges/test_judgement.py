"""A judgement has one identity wherever it is made, and one of its attempts is in force."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.judgement import (
    CallFacts,
    Judgement,
    JudgementKey,
    call_id,
    judgements_in_force,
    repeats_of,
)
from judges.outcome import JudgeAnswer, judge_error
from tests.judges.kit import definition

KEY = JudgementKey("digest", "trace-1", "input", 1, 0)


def judgement(answer: JudgeAnswer, attempt: int = 1, key: JudgementKey = KEY) -> Judgement:
    """Return a judgement by a server."""
    return Judgement(
        key=key,
        judge="faithfulness",
        judge_version=1,
        way="chat",
        answer=answer,
        call=CallFacts("m1"),
        trace_id=key.subject,
        run_id="run",
        judged_at=attempt,
        attempt=attempt,
    )


def test_a_row_of_a_release_is_its_trace() -> None:
    """The id is that of the trace, so that no judgement is paid for twice; else all parts count."""
    assert KEY._replace(kind="row").judgement_id == KEY.judgement_id
    others = [
        KEY._replace(judge_digest="other"),
        KEY._replace(subject="trace-2"),
        KEY._replace(input_digest="other"),
        KEY._replace(epoch=2),
        KEY._replace(repeat=1),
        KEY._replace(kind="conversation"),
    ]
    assert len({KEY.judgement_id, *(key.judgement_id for key in others)}) == 7


@given(st.lists(st.text(max_size=5), min_size=2, max_size=2, unique=True))
def test_parts_of_an_id_do_not_run_together(parts: list[str]) -> None:
    """What is moved from one part to the next is another id."""
    first, second = parts
    moved = JudgementKey(first + second, "", "input").judgement_id
    assert (JudgementKey(first, second, "input").judgement_id == moved) == (second == "")


def test_equal_questions_have_one_call() -> None:
    """The call does not know the subject, but it knows the epoch and the repeat."""
    assert call_id("question", "input", 1) == call_id("question", "input", 1, 0)
    assert len({call_id("question", "input", *rest) for rest in ((1, 0), (2, 0), (1, 1))}) == 3


def test_the_last_final_attempt_is_in_force() -> None:
    """In whatever order they are read: a verdict stands over a later error that may pass."""
    attempts = [
        judgement(judge_error("timeout"), 1),
        judgement(JudgeAnswer("pass"), 2),
        judgement(judge_error("rate_limited"), 3),
    ]
    other = judgement(judge_error("unavailable"), 1, KEY._replace(subject="trace-2"))
    for order in permutations([*attempts, other]):
        in_force = judgements_in_force(order)
        assert sorted(each.answer.outcome for each in in_force) == ["error", "pass"]
        assert [each.judgement_id for each in in_force] == sorted(
            each.judgement_id for each in in_force
        )


def test_a_share_of_subjects_is_repeated() -> None:
    """The same ones in every run; without a rule none is."""
    judge = definition(repeat="repeat: {share: .1, times: 3}")
    times = [repeats_of(judge, f"trace-{number}") for number in range(2_000)]
    assert times == [repeats_of(judge, f"trace-{number}") for number in range(2_000)]
    assert 140 < times.count(3) < 260
    assert set(times) == {1, 3}
    assert repeats_of(definition(repeat=""), "trace-1") == 1


def test_a_judgement_shows_no_content() -> None:
    """Its representation has the id and the outcome."""
    shown = repr(judgement(JudgeAnswer("fail")))
    assert shown == f"Judgement({KEY.judgement_id}, fail)"
    with pytest.raises(ValueError, match="count from 1"):
        judgement(JudgeAnswer("fail"), 0)
