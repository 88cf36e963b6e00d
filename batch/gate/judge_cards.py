"""What is known of the judges of a run: who they are, and how far they agree with reviews."""

from collections.abc import Mapping
from typing import Any

from judges.agreement.confusion import measure_agreement
from judges.agreement.rows import AgreementRow
from judges.gate.definition import GateDefinition
from judges.gate.readings import BASELINE, CANDIDATE, GateRows, GateSide
from judges.outcome import OUTCOMES

JudgeFacts = Mapping[str, Mapping[str, Any]]
"""What is known of judges, by the metric that they measure: see `goldpan.gate_judging`."""


def judge_cards(
    definition: GateDefinition,
    read: GateRows,
    judges: Mapping[GateSide, Mapping[str, str]],
    facts: JudgeFacts,
) -> list[dict[str, Any]]:
    """Return a card as JSON for each metric that is judged, by what the run reads.

    ``agreement`` is that with the reviews of the candidate's answers, None without any.
    """
    names = dict.fromkeys(
        name for metric in definition.metrics.values() for name in metric.reads
        if name in metric.judged
    )  # fmt: skip
    return [
        {
            "metric": name,
            "judge": judges.get(CANDIDATE, {}).get(name),
            "judge_of_baseline": judges.get(BASELINE, {}).get(name),
            **facts.get(name, {}),
            "agreement": _agreement(read, name),
        }
        for name in names
        if name in read.candidate
    ]


def _agreement(read: GateRows, name: str) -> dict[str, Any] | None:
    states = read.candidate[name].states.tolist()
    rows = [
        AgreementRow(
            outcome,
            review.is_good,
            review.probability / float(read.weights.weight[review.at]),
            cluster=str(read.weights.cluster[review.at]),
        )
        for review in read.reviews.get(name, ())
        for outcome in OUTCOMES
        if outcome == states[review.at]
    ]
    return measure_agreement(rows).to_json() if rows else None
