"""Generation: faithfulness, relevance, and citations that exist and are supported."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from judges.metrics.judged import judged_metric, verdict_value
from judges.metrics.metric import (
    LeftOut,
    MeasuredRow,
    MetricEstimate,
    MetricIdentity,
    MetricVerdict,
    mean_metric,
)
from judges.outcome import JudgeAnswer
from judges.ways import WayKind

_NO_FORM: Final[tuple[WayKind, ...]] = ("check", "local")
"""What sees form alone, or knows another question, never measures meaning."""


def faithfulness(
    rows: Iterable[MeasuredRow], *, judge: str = "faithfulness", confidence: float = 0.95
) -> MetricEstimate:
    """Return the share of answers whose statements are supported, by a judge: pass ÷ (pass + fail).

    As in Es et al., RAGAS, EACL 2024, but for whole answers. Raises WrongWayError for verdicts of a
    check: that citations exist makes nothing faithful.
    """
    return judged_metric(
        MetricIdentity("faithfulness", "generation"),
        rows,
        judge,
        never_by=_NO_FORM,
        confidence=confidence,
    )


def relevance(
    rows: Iterable[MeasuredRow], *, judge: str = "relevance", confidence: float = 0.95
) -> MetricEstimate:
    """Return the share of answers that answer the question, by a judge: pass ÷ (pass + fail)."""
    return judged_metric(
        MetricIdentity("relevance", "generation"),
        rows,
        judge,
        never_by=_NO_FORM,
        confidence=confidence,
    )


def citation_accuracy(
    rows: Iterable[MeasuredRow],
    *,
    exist: str = "citations",
    supported: str = "citations_supported",
    confidence: float = 0.95,
) -> MetricEstimate:
    """Return the share of answers whose citations exist *and* support what they are cited for.

    Existence is the verdict of a check, support that of a judge (Gao et al., ALCE, EMNLP 2023). A
    citation that does not exist fails whatever the judge says. Answers without citations are not
    applicable. ``least`` and ``most`` count the undecided ones as wrong and as right.
    """
    held = [
        replace(
            row,
            verdicts={"": both}
            if (both := _both(row.verdicts.get(exist), row.verdicts.get(supported)))
            else {},
        )
        for row in rows
    ]
    return judged_metric(
        MetricIdentity("citation_accuracy", "generation"), held, "", confidence=confidence
    )


def citation_existence(
    rows: Iterable[MeasuredRow], *, exist: str = "citations", confidence: float = 0.95
) -> MetricEstimate:
    """Return the share of answers with citations in which all of them exist, by the check alone."""

    def value_of(row: MeasuredRow) -> float | LeftOut:
        return verdict_value(row.verdicts.get(exist))

    return mean_metric(
        MetricIdentity("citation_existence", "generation"), rows, value_of, confidence=confidence
    )


def _both(first: MetricVerdict | None, second: MetricVerdict | None) -> MetricVerdict | None:
    """Return the verdict that holds if both do: a fail of one is a fail.

    A row that one of them has not seen is not judged, whatever the other says: otherwise all fails
    of a check would count beside the few passes that a judge has looked at.
    """
    if first is not None and first.answer.outcome == "not_applicable":
        return first
    if first is None or second is None:
        return None
    known = (first, second)
    failed = [verdict for verdict in known if verdict.answer.outcome == "fail"]
    if failed:
        return MetricVerdict(JudgeAnswer("fail"), failed[0].way)
    undecided = [verdict for verdict in known if verdict.answer.outcome != "pass"]
    return undecided[0] if undecided else second
