"""The queue of candidates' answers in the lake: asks for reviews, claims answers, stores reviews.

As with traces (`batch.reviews.queue_service`) each step decides over the whole table, and its rows
are added only if nothing was added meanwhile. So two programs that ask at once ask once, no answer
goes to more reviewers than the policy asks for, and a kill leaves a step whole or undone.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from batch.numbered_rows import WITHOUT_TEXT, NumberedRows
from batch.reviews.answer_table import (
    AnswerRow,
    AnswerTexts,
    StoredAnswers,
    build_answer_claim_row,
    build_answer_columns,
    build_answer_review_row,
    build_ask_row,
    read_answer_texts,
    read_answers,
)
from batch.reviews.submissions import ReviewSubmission, SubmissionReport, plan_reviews
from judges.gate.answer_queue import AnswerQueue, AskedAnswer
from labels.decision import check_clock
from labels.review_log import Review, ReviewLog
from labels.rules import ReviewRules
from lake.fences import ERASURE_FENCE
from lake.ledger import EntryKind
from lake.table_commit import CommitContext, Condition
from lake.table_log import ANSWER_SEQUENCE
from lake.tables import Table


class AnswerRequest(NamedTuple):
    """An answer to ask reviewers about, with its texts."""

    answer: AskedAnswer
    texts: AnswerTexts


class AskReport(NamedTuple):
    """How many answers were added to the queue, and how many were in it before."""

    added: int
    known: int


class ClaimedAnswer(NamedTuple):
    """An answer claimed for a reviewer until ``until`` (microseconds since 1970, UTC)."""

    answer: AskedAnswer
    texts: AnswerTexts
    until: int


class AnswerReviewService:
    """Serves the reviews of candidates' answers of one lake; ``table`` is ``answer_reviews``."""

    def __init__(self, table: Table, rules: ReviewRules, context: CommitContext) -> None:
        self._rules, self._context = rules, context
        self._rows = NumberedRows(table, ANSWER_SEQUENCE, EntryKind.REVIEW, context)

    def queue(self) -> AnswerQueue:
        """Return the current queue."""
        self._rows.refresh_position()
        return self._queue(self._read())

    def stored(self) -> StoredAnswers:
        """Return the contents of the table as it is now."""
        self._rows.refresh_position()
        return self._read()

    def ask(self, read: Callable[[], Sequence[AnswerRequest]]) -> AskReport:
        """Put answers into the queue, in one commit and in their order.

        Those that are there already stay, with their reviews; a larger probability is noted.
        ``read`` returns them without those of persons who were erased; it is called again if
        somebody was erased meanwhile. Raises FatalError if the clock is wrong or the lake stays
        unavailable.
        """
        requests: Sequence[AnswerRequest] = ()
        guards: Sequence[Condition] = ()
        while True:
            now, at = check_clock(self._context.now_us()), self._rows.refresh_position()
            if not guards or not self._rows.holds(guards):
                guards = self._guards()
                requests = read()
            known = self._read().answers
            rows, texts = _ask_rows(requests, known, now)
            added = sum(each.answer.answer_id not in known for each in requests)
            if not rows or self._append(rows, texts, at, guards):
                return AskReport(added, len(requests) - added)

    def claim(self, reviewer: str, count: int) -> list[ClaimedAnswer]:
        """Claim at most ``count`` answers for a reviewer (a pseudonym), those already held first.

        Raises FatalError if the clock is wrong or the lake stays unavailable.
        """
        while True:
            now, at = check_clock(self._context.now_us()), self._rows.refresh_position()
            guards = self._guards()
            queue = self._queue(self._read())
            claims = queue.next_claims(reviewer, now, count)
            texts = self._texts([claim.trace_id for claim in claims])
            held = [(queue.answers[claim.trace_id], claim) for claim in claims]
            rows = [build_answer_claim_row(answer, claim, now) for answer, claim in held]
            if not rows or self._append(rows, [reviewer], at, guards):
                return [
                    ClaimedAnswer(answer, texts[answer.answer_id], claim.until)
                    for answer, claim in held
                ]

    def submit(self, submissions: Sequence[ReviewSubmission]) -> SubmissionReport:
        """Store reviews in one commit; invalid ones are refused, the others are stored.

        Raises FatalError if the clock is wrong or the lake stays unavailable.
        """
        texts = [text for submission in submissions for text in submission.texts]
        while True:
            now, at = check_clock(self._context.now_us()), self._rows.refresh_position()
            guards = self._guards()
            stored = self._read()
            queue = self._queue(stored)
            accept = partial(_accept, queue)
            added, report = plan_reviews(submissions, stored.log, stored.sent, accept, now)
            rows = [
                build_answer_review_row(
                    queue.answers[submission.item],
                    review,
                    comment=submission.comment,
                    submission=submission.submission_hash,
                    policy=submission.policy,
                )
                for review, submission in added
            ]
            if not rows or self._append(rows, texts, at, guards):
                return report

    def _queue(self, stored: StoredAnswers) -> AnswerQueue:
        return AnswerQueue(self._rules, stored.answers, stored.log)

    def _read(self) -> StoredAnswers:
        table = self._rows.table
        return self._context.retry.call(f"reading table {table.name}", lambda: read_answers(table))

    def _texts(self, answer_ids: Sequence[str]) -> dict[str, AnswerTexts]:
        if not answer_ids:
            return {}
        table = self._rows.table
        step = partial(read_answer_texts, table, answer_ids)
        return self._context.retry.call(f"reading table {table.name}", step)

    def _guards(self) -> list[Condition]:
        """Return the guards for rows based on what is read from now on (see `lake.tombstones`)."""
        return [ERASURE_FENCE.guard(ERASURE_FENCE.value(self._rows.table))]

    def _append(
        self, rows: Sequence[AnswerRow], texts: Sequence[str], at: int, guards: Sequence[Condition]
    ) -> bool:
        columns, policies = build_answer_columns(rows, without_text=WITHOUT_TEXT)
        return self._rows.append_derived(columns, policies, texts=texts, at=at, guards=guards)


def _accept(queue: AnswerQueue, log: ReviewLog, review: Review, *, force: bool) -> Review | None:
    return AnswerQueue(queue.rules, queue.answers, log).submit(review, force=force)


def _ask_rows(
    requests: Sequence[AnswerRequest], known: Mapping[str, AskedAnswer], now: int
) -> tuple[list[AnswerRow], list[str]]:
    """Return the rows that the table lacks, and their texts."""
    rows: list[AnswerRow] = []
    texts: list[str] = []
    for answer, written in requests:
        before = known.get(answer.answer_id)
        if before is not None and before.probability >= answer.probability:
            continue
        rows.append(build_ask_row(answer, written if before is None else None, now))
        texts += written.texts
    return rows, texts
