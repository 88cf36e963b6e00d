"""Lines for reviewers: answers of a candidate, drawn at random, without saying whose they are."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from batch.gate.side_readings import GateRow
from judges.gate.definition import GateDefinition
from judges.gate.metric_names import RECORDED, gate_metric
from judges.gate.readings import GateRows
from judges.gate.review_draw import draw_reviews
from judges.judged_row import judged_row_of


def review_requests(
    definition: GateDefinition,
    rows: Sequence[GateRow],
    read: GateRows,
    answered: Sequence[Mapping[str, Any]],
    count: int,
) -> Iterator[dict[str, Any]]:
    """Yield so many answers for each metric that a judge measures, in random order.

    ``answered`` are the rows with the candidate's answers, redacted. The verdict is left out, so
    that reviewers judge by themselves; ``outcome`` is for them to fill in.
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
            judged = judged_row_of(texts[rows[at].trace_id])
            yield {
                "row": rows[at].trace_id,
                "metric": text,
                "probability": probability,
                "question": judged.question,
                "response": judged.trace.response,
                "outcome": None,
            }
