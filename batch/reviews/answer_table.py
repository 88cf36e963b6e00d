"""Reads table ``answer_reviews``, the answers asked about and their reviews; builds its rows."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from batch.reviews.submissions import SentBefore
from judges.gate.answer_queue import AnswerSource, AskedAnswer
from labels.review_log import Review, ReviewClaim, ReviewLog, review_id_of
from lake.tables import Table
from schemas.arrow import record_schema
from schemas.contract import CONTRACTS

AnswerRow = dict[str, Any]
"""A row by column, without provenance; ``policy`` is that of its texts, if it has any."""

_TIMES: Final = ("occurred_at", "lease_until")
_TEXT: Final = "conversation"
_COLUMNS: Final = (
    "answer_id",
    "step",
    "trace_id",
    "metric",
    "side",
    *AnswerSource._fields,
    "probability",
    *_TIMES,
    "reviewer",
    "verdict",
    "comment",
    "submission",
    "_offset",
    _TEXT,
)


class AnswerTexts(NamedTuple):
    """What reviewers see of an answer, redacted under a ``policy`` (its hash).

    ``asked`` is the question to them. ``conversation`` is JSON of what the answer was given to:
    ``messages``, ``retrieved`` and ``tool_calls``. ``response`` is None if there was no text.
    """

    asked: str
    conversation: str
    response: str | None
    policy: str

    @property
    def texts(self) -> list[str]:
        """Return the texts that must be redacted."""
        return [text for text in (self.conversation, self.response) if text is not None]

    def shown(self) -> dict[str, Any]:
        """Return the conversation with the answer, as a reviewer sees a trace."""
        parts = json.loads(self.conversation)
        return {
            "messages": parts["messages"],
            "response": self.response,
            "retrieved": parts["retrieved"],
            "tool_calls": parts["tool_calls"],
        }


@dataclass(frozen=True, slots=True)
class StoredAnswers:
    """The contents of the table. ``answers`` are in the order in which they were asked about."""

    answers: Mapping[str, AskedAnswer]
    log: ReviewLog
    sent: SentBefore
    comments: Sequence[tuple[Review, str | None]]


def read_answers(table: Table) -> StoredAnswers:
    """Return all answers, claims and reviews, as of the table's last refresh.

    Of texts, only comments are kept in memory.
    """
    rows = sorted(_read_rows(table), key=lambda row: int(row["_offset"]))
    answers: dict[str, AskedAnswer] = {}
    for row in rows:
        answers[row["answer_id"]] = _answer(row, answers.get(row["answer_id"]))
    reviews = [(row, _review(row)) for row in rows if row["step"] == "review"]
    return StoredAnswers(
        answers,
        ReviewLog(
            claims=tuple(
                ReviewClaim(row["answer_id"], row["reviewer"], row["lease_until"])
                for row in rows
                if row["step"] == "claim"
            ),
            reviews=tuple(review for _, review in reviews),
        ),
        SentBefore(
            {row["submission"]: review for row, review in reviews if row["submission"] is not None},
            {review.review_id: row["comment"] for row, review in reviews},
        ),
        [(review, row["comment"]) for row, review in reviews],
    )


def read_answer_texts(table: Table, answer_ids: Collection[str]) -> dict[str, AnswerTexts]:
    """Return the texts of some answers by id, as of the table's last refresh."""
    ids = pa.array(list(answer_ids), pa.string())
    columns = ("answer_id", "asked", _TEXT, "response", "_policy")
    found = {}
    for batch in table.batches(columns):
        wanted = pc.and_(pc.is_in(batch["answer_id"], value_set=ids), pc.is_valid(batch[_TEXT]))
        for row in batch.filter(wanted).to_pylist():
            answer_id = row.pop("answer_id")
            found[answer_id] = AnswerTexts(
                row["asked"], row[_TEXT], row["response"], row["_policy"]
            )
    return found


def build_ask_row(answer: AskedAnswer, texts: AnswerTexts | None, now: int) -> AnswerRow:
    """Return the row that asks about an answer; without texts where the lake has these already."""
    row = _about(answer) | {"step": "ask", "occurred_at": now}
    if texts is not None:
        row |= texts._asdict()
    return row


def build_answer_claim_row(answer: AskedAnswer, claim: ReviewClaim, now: int) -> AnswerRow:
    """Return the row of a claim made at ``now``."""
    return _about(answer) | {
        "step": "claim",
        "reviewer": claim.reviewer,
        "occurred_at": now,
        "lease_until": claim.until,
    }


def build_answer_review_row(
    answer: AskedAnswer,
    review: Review,
    *,
    comment: str | None,
    submission: str | None,
    policy: str | None,
) -> AnswerRow:
    """Return the row of a review."""
    return _about(answer) | {
        "step": "review",
        "reviewer": review.reviewer,
        "occurred_at": review.reviewed_at,
        "verdict": review.label,
        "comment": comment,
        "submission": submission,
        "policy": policy,
    }


def build_answer_columns(
    rows: Sequence[AnswerRow], *, without_text: str
) -> tuple[list[pa.Array], list[str]]:
    """Return the columns of the contract, and the redaction policy of each row."""
    columns = [
        pa.array([row.get(field.name) for row in rows], field.type)
        for field in record_schema(CONTRACTS["answer_review"])
    ]
    return columns, [row.get("policy") or without_text for row in rows]


def _about(answer: AskedAnswer) -> AnswerRow:
    """Return what each row says of its answer, so that it stands even without the others."""
    return {
        "answer_id": answer.answer_id,
        "trace_id": answer.trace_id,
        "metric": answer.metric,
        "side": answer.side,
        **answer.source._asdict(),
        "probability": answer.probability,
    }


def _read_rows(table: Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for batch in table.batches(_COLUMNS):
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        for name in _TIMES:
            columns[name] = columns[name].cast(pa.int64())
        columns[_TEXT] = pc.is_valid(columns[_TEXT])
        rows += pa.RecordBatch.from_pydict(columns).to_pylist()
    return rows


def _answer(row: Mapping[str, Any], before: AskedAnswer | None) -> AskedAnswer:
    """Return an answer after one more row: the largest probability counts, and the first time."""
    found = AskedAnswer(
        answer_id=row["answer_id"],
        trace_id=row["trace_id"],
        metric=row["metric"],
        side=row["side"],
        source=AnswerSource(*(row[name] for name in AnswerSource._fields)),
        probability=row["probability"],
        asked_at=row["occurred_at"],
        is_readable=row[_TEXT],
    )
    if before is None:
        return found
    return before._replace(
        probability=max(before.probability, found.probability),
        is_readable=before.is_readable or found.is_readable,
    )


def _review(row: Mapping[str, Any]) -> Review:
    return Review(
        review_id=review_id_of(row["answer_id"], row["reviewer"]),
        trace_id=row["answer_id"],
        reviewer=row["reviewer"],
        label=row["verdict"],
        reviewed_at=row["occurred_at"],
    )
