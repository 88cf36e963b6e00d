"""Five outcomes, closed: they add up to what was drawn, and nothing else is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.outcome import (
    ERROR_REASONS,
    OUTCOMES,
    JudgeAnswer,
    OutcomeCounts,
    judge_error,
)

ANSWERS = st.one_of(
    st.builds(JudgeAnswer, st.sampled_from(("pass", "fail", "unknown", "not_applicable"))),
    st.builds(judge_error, st.sampled_from(ERROR_REASONS)),
)


@given(st.lists(ANSWERS), st.integers(0, 50))
def test_counts_add_up_to_what_was_drawn(answers: list[JudgeAnswer], waiting: int) -> None:
    """Whatever the outcomes are; rows without one are pending."""
    counts = OutcomeCounts.of(answers, drawn=len(answers) + waiting)
    document = counts.to_json()
    assert counts.drawn == len(answers) + waiting
    assert sum(document[name] for name in (*OUTCOMES, "pending")) == document["drawn"]
    assert sum(document["reasons"].values()) == document["error"]


@given(st.lists(ANSWERS), st.lists(ANSWERS))
def test_counts_of_parts_add_up(first: list[JudgeAnswer], second: list[JudgeAnswer]) -> None:
    """Counting two parts is counting both."""
    assert OutcomeCounts.of(first) + OutcomeCounts.of(second) == OutcomeCounts.of(first + second)


def test_more_outcomes_than_rows_are_refused() -> None:
    """A judgement that belongs to no drawn row cannot be counted."""
    with pytest.raises(ValueError, match="more outcomes than rows"):
        OutcomeCounts.of([JudgeAnswer("pass")], drawn=0)
    with pytest.raises(ValueError, match="do not add up"):
        OutcomeCounts(error=1)


def test_shares_are_of_rows_that_the_judge_applies_to() -> None:
    """Not applicable is left out; without applicable rows there is no share."""
    counts = OutcomeCounts.of(
        [JudgeAnswer("not_applicable"), JudgeAnswer("unknown"), judge_error("timeout")]
    )
    assert counts.share_of("unknown") == counts.share_of("error") == 0.5
    assert OutcomeCounts(not_applicable=3).share_of("error") is None


@pytest.mark.parametrize(
    "fields",
    [
        {"outcome": "error"},
        {"outcome": "pass", "reason": "timeout"},
        {"outcome": "error", "reason": "tired"},
        {"outcome": "maybe"},
        {"outcome": "pass", "p_fail": float("nan")},
        {"outcome": "pass", "p_fail": 1.5},
        {"outcome": "error", "reason": "timeout", "p_fail": 0.1},
        {"outcome": "pass", "failure_mode": "unsupported"},
    ],
)
def test_a_contradiction_is_no_answer(fields: dict[str, object]) -> None:
    """An answer that contradicts itself cannot be made."""
    with pytest.raises(ValueError, match=r"reason|outcome|p_fail|failure mode"):
        JudgeAnswer(**fields)  # type: ignore[arg-type]  # wrong on purpose


def test_an_error_that_may_pass_is_not_final() -> None:
    """A later run tries it again; a reply that cannot be read stays."""
    assert not judge_error("rate_limited").is_final
    assert judge_error("unparsable").is_final
    assert JudgeAnswer("unknown").is_final
