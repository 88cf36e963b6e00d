"""Answers of a candidate for reviewers, drawn at random, without saying whose they are."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from batch.gate.side_readings import GateRow
from batch.reviews.answer_service import AnswerRequest
from batch.reviews.answer_table import AnswerTexts
from judges.gate.answer_queue import AnswerSource, AskedAnswer
from judges.gate.definition import GateDefinition
from judges.gate.metric_names import RECORDED, gate_metric
from judges.gate.readings import CANDIDATE, GateRows
from judges.gate.review_draw import draw_reviews
from judges.judged_row import JudgedRow, judged_row_of


class DrawnAnswer(NamedTuple):
    """An answer that was drawn for a metric, which ``text`` names as the gate file does."""

    row: GateRow
    text: str
    probability: float
    judged: JudgedRow

    @property
    def metric(self) -> str:
        """Return the name of the metric, without its layer."""
        return gate_metric(self.text).name

    def to_line(self) -> dict[str, Any]:
        """Return the line of a file for reviewers; ``outcome`` is for them to fill in."""
        return {
            "row": self.row.trace_id,
            "metric": self.text,
            "probability": self.probability,
            "question": self.judged.question,
            "response": self.judged.trace.response,
            "outcome": None,
        }

    def to_request(self, source: AnswerSource, asks: str | None, policy: str) -> AnswerRequest:
        """Return the request for the review queue.

        ``asks`` is what the metric's judge asks, if it is known. ``policy`` is the hash of the
        policy that the texts are redacted under.
        """
        trace = self.judged.trace
        shown = {
            "messages": trace.messages,
            "retrieved": trace.retrieved,
            "tool_calls": trace.tool_calls,
        }
        answer = AskedAnswer(
            answer_id=source.answer_id(self.metric, self.row.mark),
            trace_id=self.row.trace_id,
            metric=self.metric,
            side=CANDIDATE,
            source=source,
            probability=self.probability,
            asked_at=0,
        )
        texts = AnswerTexts(
            asked=reviewer_question(self.metric, asks),
            conversation=json.dumps(msgspec.to_builtins(shown), ensure_ascii=False),
            response=trace.response,
            policy=policy,
        )
        return AnswerRequest(answer, texts)


def reviewer_question(metric: str, asks: str | None) -> str:
    """Return what reviewers are asked of an answer; ``asks`` is the judge's own sentence."""
    if asks is None:
        asked = f"Is the answer good (pass) or bad (fail), as far as {metric} goes?"
    else:
        asked = f"Is this so (pass) or not (fail)? {asks}"
    return f"{asked} If you cannot say: unknown."


def draw_answers(
    definition: GateDefinition,
    rows: Sequence[GateRow],
    read: GateRows,
    answered: Sequence[Mapping[str, Any]],
    count: int,
) -> Iterator[DrawnAnswer]:
    """Yield so many answers for each metric that a judge measures, in random order.

    ``answered`` are the rows with the candidate's answers, redacted. The verdict is left out, so
    that reviewers judge by themselves.
    """
    texts = {row["trace_id"]: row for row in answered}
    for text in definition.require:
        metric = gate_metric(text)
        readings = read.candidate.get(metric.name)
        if metric.kind != "mean" or metric.name in RECORDED or readings is None:
            continue
        states = readings.states.tolist()
        seen = [
            state if row.trace_id in texts else "pending"
            for row, state in zip(rows, states, strict=True)
        ]
        drawn = draw_reviews([row.mark for row in rows], seen, count, metric.name)
        for at, probability in drawn.items():
            yield DrawnAnswer(rows[at], text, probability, judged_row_of(texts[rows[at].trace_id]))
