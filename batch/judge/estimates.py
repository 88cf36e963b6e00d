"""The estimates of a judged set of rows as JSON, all with the same keys."""

from collections.abc import Mapping
from typing import Any, Final

from batch.judge.reviewed_answers import ReviewedAnswer
from batch.judge.run_report import JudgeRunReport

AS_JUDGED: Final = "as_judged"
POST_STRATIFIED: Final = "post_stratified"
TUNED: Final = "tuned"


def estimates_json(
    report: JudgeRunReport, reviewed: Mapping[str, ReviewedAnswer]
) -> list[dict[str, Any]]:
    """Return what the judge says, and what reviewers would say where there are enough reviews.

    ``claim`` is ``as_judged`` or ``as_humans``. Each has ``estimate``, ``low``, ``high``,
    ``reviews`` and ``worth_in_reviews``.
    """
    judged = report.as_judged
    estimates: list[dict[str, Any]] = [
        {
            "claim": AS_JUDGED,
            "method": AS_JUDGED,
            "estimate": judged.estimate,
            "low": judged.low,
            "high": judged.high,
            "least": judged.least,
            "most": judged.most,
            "reviews": 0,
            "worth_in_reviews": None,
        }
    ]
    for method, rate in (
        (POST_STRATIFIED, report.corrected(reviewed)),
        (TUNED, report.tuned(reviewed)),
    ):
        if rate is not None:
            estimates.append({"claim": "as_humans", "method": method, **rate.to_json()})
    return estimates
