"""Retrieval: hit rate, reciprocal rank and precision of the documents that an answer had."""

from collections.abc import Collection, Iterable, Sequence

from judges.metrics.metric import (
    LeftOut,
    MeasuredRow,
    MetricEstimate,
    MetricIdentity,
    mean_metric,
)


def hit_rate(
    rows: Iterable[MeasuredRow], *, depth: int | None = None, confidence: float = 0.95
) -> MetricEstimate:
    """Return the share of rows with a right document among the first ``depth`` (all if None).

    Success at k of TREC (Craswell, Encyclopedia of Database Systems, 2009). The right documents are
    those in ``expected_documents`` of the row; a row that does not say is left out.
    """

    def value_of(row: MeasuredRow) -> float | LeftOut:
        rank = _first_rank(row)
        if isinstance(rank, str):
            return rank
        return float(rank is not None and (depth is None or rank <= depth))

    name = "hit_rate" if depth is None else f"hit_rate_at_{depth}"
    return mean_metric(MetricIdentity(name, "retrieval"), rows, value_of, confidence=confidence)


def mean_reciprocal_rank(
    rows: Iterable[MeasuredRow], *, confidence: float = 0.95
) -> MetricEstimate:
    """Return the mean of 1 / rank of the first right document, 0 without one.

    Voorhees, The TREC-8 Question Answering Track Report, 1999. Rows as in `hit_rate`.
    """

    def value_of(row: MeasuredRow) -> float | LeftOut:
        rank = _first_rank(row)
        if isinstance(rank, str):
            return rank
        return reciprocal_rank(rank)

    return mean_metric(
        MetricIdentity("mrr", "retrieval", "rank"), rows, value_of, confidence=confidence
    )


def context_precision(rows: Iterable[MeasuredRow], *, confidence: float = 0.95) -> MetricEstimate:
    """Return the mean of average precision: how far relevant documents stand before others.

    Of a row: sum over ranks k of relevant documents of (relevant up to k) / k, over their number; 0
    without any (Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008, 8.4).
    Relevance is in ``relevant`` of the row: from a judge that was asked of each document, or from
    `judges.checks.lexical_relevance`, which sees words alone.
    """

    def value_of(row: MeasuredRow) -> float | LeftOut:
        retrieved = _retrieved(row)
        if not retrieved:
            return "not_applicable"
        if row.relevant is None or any(id_ not in row.relevant for id_ in retrieved):
            return "not_judged"
        return average_precision([row.relevant[id_] for id_ in retrieved])

    return mean_metric(
        MetricIdentity("context_precision", "retrieval"), rows, value_of, confidence=confidence
    )


def average_precision(relevant: Sequence[bool]) -> float:
    """Return the average precision of documents in order of rank."""
    precisions = [
        sum(relevant[:rank]) / rank for rank, is_relevant in enumerate(relevant, 1) if is_relevant
    ]
    return sum(precisions) / len(precisions) if precisions else 0.0


def first_right_rank(retrieved: Iterable[str], expected: Collection[str]) -> int | None:
    """Return the rank (from 1) of the first right document among ids; None if there is none."""
    return next((rank for rank, id_ in enumerate(retrieved, 1) if id_ in expected), None)


def reciprocal_rank(rank: int | None) -> float:
    """Return 1 / rank, 0 without one."""
    return 0.0 if rank is None else 1 / rank


def _first_rank(row: MeasuredRow) -> int | LeftOut | None:
    """Return the rank (from 1) of the first right document; None if there is none."""
    expected = row.row.expected_documents
    if not expected:
        return "no_expectation"
    return first_right_rank(_retrieved(row), expected)


def _retrieved(row: MeasuredRow) -> list[str]:
    return [document.document_id for document in row.row.trace.retrieved]
