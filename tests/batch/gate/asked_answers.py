"""Answers of a candidate to ask reviewers about, without a gate that draws them."""

import json
from typing import Any, Final

from batch.reviews.answer_service import AnswerRequest, AnswerReviewService
from batch.reviews.answer_table import AnswerTexts, StoredAnswers, read_answers
from batch.reviews.submissions import ReviewSubmission, SubmissionReport
from judges.gate.answer_queue import AnswerSource, AskedAnswer
from labels.rules import ReviewRules
from lake.table_commit import CommitContext
from lake.tables import Lake
from schemas.arrow import ANSWER_REVIEWS_TABLE
from schemas.records import Label
from tests.batch.kit import POLICY, means

SOURCE: Final = AnswerSource("support@1", "a" * 64, "b" * 64, "rows")
OF: Final = 10
"""How many answers there are to draw from."""


def answer(number: int, count: int = OF, **fields: Any) -> AnswerRequest:
    """Return the answer of a number, drawn with so many others; ``fields`` change its texts."""
    trace_id = fields.pop("trace_id", f"t-{number}")
    asked = AskedAnswer(
        answer_id=SOURCE.answer_id("faithfulness", f"mark-{number}"),
        trace_id=trace_id,
        metric="faithfulness",
        side="candidate",
        source=SOURCE,
        probability=count / OF,
        asked_at=0,
    )
    question = {"role": "user", "content": f"What of {number}?"}
    shown = {"messages": [question], "retrieved": [], "tool_calls": []}
    texts = AnswerTexts("Is it good?", json.dumps(shown), f"It is {number}.", "p")
    return AnswerRequest(asked, texts._replace(**fields))


def answers(count: int) -> list[AnswerRequest]:
    """Return the answers of a draw; those of a larger one begin with them."""
    return [answer(number, count) for number in range(count)]


def answer_desk(
    lake: Lake, made_of: CommitContext | None = None, rules: ReviewRules = POLICY.review
) -> AnswerReviewService:
    """Return the desk of a lake's queue of answers."""
    return AnswerReviewService(lake.table(ANSWER_REVIEWS_TABLE), rules, made_of or means())


def judge_answer(
    desk: AnswerReviewService,
    answer_id: str,
    reviewer: str,
    verdict: Label | None = "fail",
    **more: Any,
) -> SubmissionReport:
    """Hand in one review of an answer; return what became of it."""
    return desk.submit([ReviewSubmission(0, answer_id, reviewer, verdict, **more)])


def stored(lake: Lake) -> StoredAnswers:
    """Return what the table holds now."""
    table = lake.table(ANSWER_REVIEWS_TABLE)
    table.refresh()
    return read_answers(table)


def row_counts(lake: Lake) -> dict[str, int]:
    """Return how many rows of each step the table holds."""
    table = lake.table(ANSWER_REVIEWS_TABLE)
    table.refresh()
    steps: list[str] = table.read(("step",)).column("step").to_pylist()
    return {step: steps.count(step) for step in sorted(set(steps))}
