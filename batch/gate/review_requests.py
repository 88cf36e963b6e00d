"""Answers for reviewers, drawn at random, without saying whose they are."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from batch.gate.blind_answers import answer_name
from batch.gate.side_readings import GateRow
from batch.reviews.answer_service import AnswerRequest
from batch.reviews.answer_table import AnswerTexts
from judges.gate.answer_queue import AnswerSource, AskedAnswer
from judges.gate.definition import GateDefinition
from judges.gate.metric_names import RECORDED, gate_metric
from judges.gate.readings import CANDIDATE, GateRows, GateSide
from judges.gate.review_draw import draw_reviews, review_strata
from judges.judged_row import JudgedRow, judged_row_of


class DrawnAnswer(NamedTuple):
    """A side's answer that was drawn for a metric, which ``text`` names as lines do.

    ``is_paired``: it was drawn together with the other side's answer to the same row.
    """

    row: GateRow
    text: str
    side: GateSide
    is_paired: bool
    probability: float
    judged: JudgedRow

    @property
    def metric(self) -> str:
        """Return the name of the verdict that is asked for."""
        return gate_metric(self.text).verdict

    def to_line(self) -> dict[str, Any]:
        """Return the line of a file for reviewers; ``outcome`` is for them to fill in."""
        blind = {"answer": answer_name(self.row.mark, self.side)} if self.is_paired else {}
        return {
            "row": self.row.trace_id,
            "metric": self.text,
            **blind,
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
            answer_id=source.answer_id(self.metric, self.row.mark, self.side),
            trace_id=self.row.trace_id,
            metric=self.metric,
            side=self.side,
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
    answered: Mapping[GateSide, Sequence[Mapping[str, Any]]],
    count: int,
) -> Iterator[DrawnAnswer]:
    """Yield the answers to so many rows for each metric that a judge measures, in random order.

    ``answered`` are the rows with the answers of a side, redacted. The verdict is left out, so that
    reviewers judge by themselves. Where a difference is to be claimed, both answers to a row follow
    each other, in an order that does not say whose they are.
    """
    texts = {side: {row["trace_id"]: row for row in held} for side, held in answered.items()}
    marks = [row.mark for row in rows]
    for name, (text, sides) in _asked(definition).items():
        readings = [read.side(side).get(name) for side in sides]
        if any(each is None for each in readings):
            continue
        strata = [
            stratum if all(row.trace_id in texts[side] for side in sides) else None
            for row, stratum in zip(rows, review_strata(*filter(None, readings)), strict=True)
        ]
        for at, probability in draw_reviews(marks, strata, count, name).items():
            row = rows[at]
            names = {answer_name(row.mark, side): side for side in sides}
            for blind in sorted(names):
                judged = judged_row_of(texts[names[blind]][row.trace_id])
                is_paired = len(sides) > 1
                yield DrawnAnswer(row, text, names[blind], is_paired, probability, judged)


def _asked(definition: GateDefinition) -> dict[str, tuple[str, tuple[GateSide, ...]]]:
    """Return what is asked by the name of the verdict: its name in the lines, and of which sides.

    Without a claim about reviewers it is every pass rate, of the candidate.
    """
    asked: dict[str, tuple[str, tuple[GateSide, ...]]] = {
        name: (name, sides) for name, sides in definition.reviewed_sides.items()
    }
    for text in definition.require:
        metric = gate_metric(text)
        if metric.kind == "mean" and metric.name not in RECORDED:
            asked[metric.name] = (text, asked.get(metric.name, ("", (CANDIDATE,)))[1])
    return asked
