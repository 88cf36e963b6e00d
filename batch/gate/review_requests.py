"""Lines for reviewers: answers drawn at random, without saying whose they are."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from batch.gate.blind_answers import answer_name
from batch.gate.side_readings import GateRow
from judges.gate.definition import GateDefinition
from judges.gate.metric_names import RECORDED, gate_metric
from judges.gate.readings import CANDIDATE, GateRows, GateSide
from judges.gate.review_draw import draw_reviews, review_strata
from judges.judged_row import judged_row_of


def review_requests(
    definition: GateDefinition,
    rows: Sequence[GateRow],
    read: GateRows,
    answered: Mapping[GateSide, Sequence[Mapping[str, Any]]],
    count: int,
) -> Iterator[dict[str, Any]]:
    """Yield the answers to so many rows for each metric that a judge measures, in random order.

    ``answered`` are the rows with the answers of a side, redacted. The verdict is left out, so that
    reviewers judge by themselves; ``outcome`` is for them to fill in. Where a difference is to be
    claimed, both answers to a row follow each other, in random order, under names that do not say
    whose they are.
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
                yield {
                    "row": row.trace_id,
                    "metric": text,
                    **({"answer": blind} if len(sides) > 1 else {}),
                    "probability": probability,
                    "question": judged.question,
                    "response": judged.trace.response,
                    "outcome": None,
                }


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
