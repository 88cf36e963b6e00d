"""Reads reviews from JSON lines, redacts them, and submits them to the review queue."""

import codecs
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from batch.reviews.review_export import WITHDRAW_VERDICT
from batch.reviews.review_texts import RedactedReviewTexts, ReviewTexts
from batch.reviews.submissions import ReviewSubmission, SubmissionReport
from goldpan import jobs
from goldpan.answer_setup import open_answer_queue
from goldpan.settings import Settings
from goldpan.written_texts import redact_written_texts
from lake.tables import Lake
from schemas.errors import UsageError
from schemas.json_lines import skip_byte_order_mark
from schemas.records import Id
from schemas.refused_lines import broken_rule
from schemas.surrogates import replace_lone_surrogates

_RULES: Final = {
    "verdict": "`verdict` must be pass, fail, unknown or withdraw",
    "trace_id": "`trace_id` must be the id of a trace",
    "answer_id": "`answer_id` must be the id of a candidate's answer, 64 hex digits",
    "reviewer": "`reviewer` must be text of 1 to 512 characters, or left out",
    "comment": "`comment` must be text",
    "expected_response": "`expected_response` must be text",
    "submission_id": "`submission_id` must be text of 1 to 512 characters, or left out",
}


class SentReview(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A review of a trace or of a candidate's answer as it is sent, or the withdrawal of one.

    ``reviewer`` defaults to that of the command.
    """

    verdict: Literal["pass", "fail", "unknown", "withdraw"]
    trace_id: Id | None = None
    answer_id: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None
    reviewer: Annotated[str, Meta(min_length=1, max_length=512)] | None = None
    comment: str | None = None
    expected_response: str | None = None
    submission_id: Annotated[str, Meta(min_length=1, max_length=512)] | None = None

    def __repr__(self) -> str:
        return "Sent(...)"

    def check(self) -> None:
        """Raise ValueError unless it is about one thing, and says what is kept of it."""
        if (self.trace_id is None) == (self.answer_id is None):
            raise ValueError("it needs a `trace_id` or an `answer_id`, and not both")
        if self.answer_id is not None and self.expected_response:
            raise ValueError("a candidate's answer takes no `expected_response`: say it as comment")


class NumberedReview(NamedTuple):
    """A review and its line number, from 1."""

    number: int
    sent: SentReview


def read_reviews(lines: Iterable[bytes]) -> tuple[list[NumberedReview], dict[int, str]]:
    """Read JSON lines; return the reviews, and the reason for each refused line by its number."""
    reviews, refused = [], {}
    for number, line in enumerate(skip_byte_order_mark(lines), 1):
        if number == 1:
            _refuse_other_file(line)
        if not line.strip():
            continue
        try:
            review = msgspec.json.decode(replace_lone_surrogates(line), type=SentReview)
            review.check()
            reviews.append(NumberedReview(number, review))
        except msgspec.ValidationError as error:
            refused[number] = _reason(error)
        except (msgspec.DecodeError, UnicodeDecodeError):
            refused[number] = "the line is not valid JSON"
        except ValueError as error:
            refused[number] = str(error)
    return reviews, refused


def _refuse_other_file(first: bytes) -> None:
    """Raise UsageError if a file looks like another format."""
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UsageError("The file is UTF-16: save it as UTF-8.")
    if first.lstrip().startswith(b"["):
        raise UsageError("The file is one JSON array: write one review per line (`jq -c '.[]'`).")
    if first.strip() and not first.lstrip().startswith(b"{") and b"," in first:
        raise UsageError("The file looks like CSV: reviews are JSON lines, one object per line.")


def _reason(error: msgspec.ValidationError) -> str:
    """Return the rule that a line breaks, without its content."""
    if str(error).startswith("Expected `object`"):
        return "the line is not a JSON object"
    return broken_rule(error, SentReview, _RULES)


def submit_reviews(
    settings: Settings,
    lake: Lake,
    reviews: Sequence[NumberedReview],
    *,
    reviewer: str,
    now: int,
) -> SubmissionReport:
    """Redact and submit reviews; ``reviewer`` is the default for those that name none.

    Those of traces are stored in one commit, those of candidates' answers in another.
    """
    of_answers = {review.number for review in reviews if review.sent.answer_id is not None}
    queues = {
        is_answer: open_answer_queue(settings, lake)
        if is_answer
        else jobs.open_review_queue(settings, lake)
        for is_answer in {review.number in of_answers for review in reviews} or {False}
    }
    texts = [
        ReviewTexts(review.sent.comment or None, review.sent.expected_response or None)
        for review in reviews
    ]
    redacted = redact_written_texts(settings.redact, texts, now)
    refused = {
        review.number: f"redaction refused its text: {text.problem}"
        for review, text in zip(reviews, redacted, strict=True)
        if text.problem
    }
    submissions = [
        _submission(settings, review, text, reviewer)
        for review, text in zip(reviews, redacted, strict=True)
        if not text.problem
    ]
    report = SubmissionReport([], [], refused)
    for is_answer, queue in queues.items():
        some = [each for each in submissions if (each.number in of_answers) == is_answer]
        report.add(queue.submit(some))
    return report


def _submission(
    settings: Settings, review: NumberedReview, text: RedactedReviewTexts, reviewer: str
) -> ReviewSubmission:
    sent, written = review.sent, text.texts
    return ReviewSubmission(
        number=review.number,
        item=sent.answer_id or sent.trace_id or "",
        reviewer=jobs.pseudonymize_reviewer(settings.redact, sent.reviewer or reviewer),
        verdict=None if sent.verdict == WITHDRAW_VERDICT else sent.verdict,
        comment=written.comment,
        expected_response=written.expected_response,
        submission_id=sent.submission_id,
        policy=text.policy if written.comment or written.expected_response else None,
    )


def raise_if_refused(refused: Mapping[int, str]) -> None:
    """Raise UsageError if the only review was refused."""
    for reason in refused.values():
        raise UsageError(reason[0].upper() + reason[1:] + ("" if reason.endswith(".") else "."))
