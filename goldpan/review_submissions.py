"""Reviews as they are sent: read strictly, redacted, and handed to the desk."""

import codecs
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from batch.reviews.queue_service import ReviewQueueService, ReviewSubmission, SubmissionReport
from batch.reviews.review_export import WITHDRAW_VERDICT
from batch.reviews.review_texts import RedactedReviewTexts, ReviewTexts, redact_review_texts
from goldpan import jobs, wiring
from goldpan.settings import Settings
from schemas.errors import UsageError
from schemas.records import Id
from schemas.surrogates import replace_lone_surrogates

_FIELD: Final = re.compile(r"`\$\.(\w+)`|field `(\w+)`")
_ROW: Final = {
    "verdict": "`verdict` must be pass, fail, unknown or withdraw",
    "trace_id": "`trace_id` must be the id of a trace",
    "reviewer": "`reviewer` must be text of 1 to 512 characters, or be left out",
    "comment": "`comment` must be text",
    "expected_response": "`expected_response` must be text",
    "submission_id": "`submission_id` must be text of 1 to 512 characters, or be left out",
}


class SentReview(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One review, or the word that takes one back.

    ``reviewer`` stands back behind the command's where it is not given.
    """

    trace_id: Id
    verdict: Literal["pass", "fail", "unknown", "withdraw"]
    reviewer: Annotated[str, Meta(min_length=1, max_length=512)] | None = None
    comment: str | None = None
    expected_response: str | None = None
    submission_id: Annotated[str, Meta(min_length=1, max_length=512)] | None = None

    def __repr__(self) -> str:
        return "Sent(...)"


class NumberedReview(NamedTuple):
    """A review and the number of its line, from 1."""

    number: int
    sent: SentReview


def read_reviews(lines: Iterable[bytes]) -> tuple[list[NumberedReview], dict[int, str]]:
    """Read lines of JSON; return the reviews, and why each other line is none, by its number."""
    found, refused = [], {}
    for number, line in enumerate(lines, 1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)  # noqa: PLW2901 - a mark is no content
            _refuse_other_file(line)
        if not line.strip():
            continue
        try:
            found.append(
                NumberedReview(
                    number, msgspec.json.decode(replace_lone_surrogates(line), type=SentReview)
                )
            )
        except msgspec.ValidationError as error:
            refused[number] = _reason(error)
        except (msgspec.DecodeError, UnicodeDecodeError):
            refused[number] = "it is no JSON"
    return found, refused


def _refuse_other_file(first: bytes) -> None:
    """Raise UsageError if a file begins as no file of reviews does."""
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UsageError("The file is UTF-16: save it as UTF-8.")
    if first.lstrip().startswith(b"["):
        raise UsageError("The file is one JSON array: write one review a line (`jq -c '.[]'`).")
    if first.strip() and not first.lstrip().startswith(b"{") and b"," in first:
        raise UsageError("The file looks like CSV: reviews are lines of JSON, one object each.")


def _reason(error: msgspec.ValidationError) -> str:
    """Return which rule a line breaks, without what it holds."""
    if str(error).startswith("Expected `object`"):
        return "it is no JSON object"
    match = _FIELD.search(str(error))
    name = (match[1] or match[2]) if match else None
    if name in SentReview.__struct_fields__:
        return _ROW[name]
    known = ", ".join(SentReview.__struct_fields__)
    return f"it has an unknown field; there are {known}"


def submit_reviews(
    settings: Settings,
    desk: ReviewQueueService,
    sent: Sequence[NumberedReview],
    *,
    reviewer: str,
    now: int,
) -> SubmissionReport:
    """Redact reviews and hand them in; ``reviewer`` judged those that name nobody."""
    clean = _clean(settings, [one.sent for one in sent], now)
    refused = {
        one.number: f"its text was refused: {text.problem}"
        for one, text in zip(sent, clean, strict=True)
        if text.problem
    }
    taken = desk.submit(
        [
            _submission(settings, one, text, reviewer)
            for one, text in zip(sent, clean, strict=True)
            if not text.problem
        ]
    )
    taken.refused.update(refused)
    return taken


def _clean(settings: Settings, sent: Sequence[SentReview], now: int) -> list[RedactedReviewTexts]:
    texts = [ReviewTexts(one.comment or None, one.expected_response or None) for one in sent]
    if not any(text.comment or text.expected_response for text in texts):
        return [RedactedReviewTexts(text, "") for text in texts]  # the engine takes seconds to load
    return redact_review_texts(wiring.load_redaction(settings.redact).redactor, texts, now=now)


def _submission(
    settings: Settings, one: NumberedReview, text: RedactedReviewTexts, reviewer: str
) -> ReviewSubmission:
    written = text.texts
    return ReviewSubmission(
        number=one.number,
        trace_id=one.sent.trace_id,
        reviewer=jobs.pseudonymize_reviewer(settings.redact, one.sent.reviewer or reviewer),
        verdict=None if one.sent.verdict == WITHDRAW_VERDICT else one.sent.verdict,
        comment=written.comment,
        expected_response=written.expected_response,
        submission_id=one.sent.submission_id,
        policy=text.policy if written.comment or written.expected_response else None,
    )


def raise_if_refused(taken: SubmissionReport) -> None:
    """Raise UsageError if the only review that was sent was refused."""
    for reason in taken.refused.values():
        raise UsageError(reason[0].upper() + reason[1:] + ("" if reason.endswith(".") else "."))
