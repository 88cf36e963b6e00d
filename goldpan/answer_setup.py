"""Sets up the queue of candidates' answers from the settings."""

from functools import partial

from batch.labels.scorer_loader import load_configured_policy
from batch.reviews.answer_service import AnswerReviewService
from goldpan import jobs, wiring
from goldpan.settings import Settings
from labels.rules import ReviewRules
from lake.tables import Lake, Table
from schemas.arrow import ANSWER_REVIEWS_TABLE
from schemas.errors import FatalError


def open_answer_queue(settings: Settings, lake: Lake) -> AnswerReviewService:
    """Return the queue; UsageError if a key differs from the lake's key of that name.

    Raises FatalError if the lake is of an earlier version.
    """
    wiring.refuse_other_keys(settings, lake)
    table = _find_table(lake)
    if table is None:
        raise FatalError(
            f"this lake has no table {ANSWER_REVIEWS_TABLE}, since it is of an earlier version: "
            "create it with `goldpan lake upgrade`"
        )
    return _service(settings, lake, table)


def find_answer_queue(settings: Settings, lake: Lake) -> AnswerReviewService | None:
    """Return the queue, None if this lake cannot have been asked: it has no table for it."""
    table = _find_table(lake)
    return None if table is None else _service(settings, lake, table)


def _find_table(lake: Lake) -> Table | None:
    step = partial(lake.find_later_table, ANSWER_REVIEWS_TABLE)
    return wiring.make_retry().call(f"opening table {ANSWER_REVIEWS_TABLE}", step)


def _service(settings: Settings, lake: Lake, table: Table) -> AnswerReviewService:
    """Return the service; the rules are those for traces, or the defaults without labels."""
    rules = (
        ReviewRules()
        if settings.labels.off
        else load_configured_policy(settings.labels, lake.location).review
    )
    return AnswerReviewService(table, rules, jobs.job_context())
