"""The rows that say something else of both sides, with the question and both answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pyarrow as pa

from batch.gate.gate_run import REVIEWED, KeptReadings
from batch.gate.kept_answers import KeptAnswer
from batch.gate.side_readings import row_mark
from batch.release.format.rows import SALT, json_rows
from judges.gate.definition import GateDefinition
from judges.gate.metric_names import COST, LATENCY, gate_metric
from judges.gate.readings import BASELINE, CANDIDATE, GateSide, RowReading
from judges.judged_row import judged_row_of

_VERDICTS: Final[Mapping[str, float]] = {"pass": 1.0, "fail": 0.0}
_UNBOUNDED: Final = (COST, LATENCY)
"""What differs between any two answers, so that a difference is no change."""


class ReleasedRow(NamedTuple):
    """What a report shows of a release's row."""

    trace_id: str
    question: str | None


@dataclass(frozen=True, slots=True, repr=False)
class AnsweredRows:
    """The rows of a release as it is now, by mark, and what both sides answered, as far as kept."""

    rows: Mapping[str, ReleasedRow]
    answers: Mapping[GateSide, Mapping[str, KeptAnswer]]

    @classmethod
    def of(
        cls, table: pa.Table, answers: Mapping[GateSide, Mapping[str, KeptAnswer]]
    ) -> "AnsweredRows":
        """Return the rows of a release's table with answers, which are by mark."""
        rows = {
            row_mark(row[SALT]): ReleasedRow(row["trace_id"], judged_row_of(row).question)
            for row in json_rows(table)
        }
        return cls(rows, answers)

    def answers_to(self, mark: str) -> dict[GateSide, KeptAnswer]:
        """Return the answers to a row, by side, as far as they are kept."""
        return {side: held[mark] for side, held in self.answers.items() if mark in held}

    def missing(self, readings: KeptReadings) -> int:
        """Return how many rows of a run are not there any more: they were erased."""
        return len({mark for held in readings.values() for mark in held} - self.rows.keys())


@dataclass(frozen=True, slots=True, repr=False)
class ChangedAnswer:
    """A row and a metric of which both sides say something else.

    ``baseline`` and ``candidate`` are a value, or a state where there is none. ``loss`` is how much
    the candidate is worse, in the unit of the metric; None where a side has no value.
    """

    metric: str
    row: ReleasedRow
    baseline: str | float
    candidate: str | float
    loss: float | None
    answers: Mapping[GateSide, KeptAnswer]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON; answers that are not kept are null."""
        answers = {
            f"{side}_{name}": None if answer is None else getattr(answer, name)
            for side in (BASELINE, CANDIDATE)
            for answer in (self.answers.get(side),)
            for name in ("response", "tool_calls")
        }
        return {
            "row": self.row.trace_id,
            "metric": self.metric,
            "baseline": self.baseline,
            "candidate": self.candidate,
            "question": self.row.question,
            **answers,
        }


def changed_answers(
    definition: GateDefinition, readings: KeptReadings, answered: AnsweredRows
) -> list[ChangedAnswer]:
    """Return what changed, by metric and row; reviews, and rows that were erased, are left out."""
    found: list[ChangedAnswer] = []
    for name in sorted({name for _, name in readings if not name.endswith(REVIEWED)}):
        old, new = readings.get((BASELINE, name)), readings.get((CANDIDATE, name))
        if old is None or new is None:
            continue
        found += [
            ChangedAnswer(
                name,
                answered.rows[mark],
                _said(old[mark]),
                _said(new[mark]),
                _loss(definition, name, old[mark], new[mark]),
                answered.answers_to(mark),
            )
            for mark in old.keys() & new.keys() & answered.rows.keys()
            if old[mark] != new[mark]
        ]
    return sorted(found, key=lambda each: (each.metric, each.row.trace_id))


def largest_losses(changed: Iterable[ChangedAnswer]) -> list[ChangedAnswer]:
    """Return changed verdicts and shares, the largest losses first; gains, then the rest, last."""
    flips = [each for each in changed if each.metric not in _UNBOUNDED]
    return sorted(flips, key=lambda each: (each.loss is None, -(each.loss or 0.0)))


def count_changes(changed: Sequence[ChangedAnswer]) -> tuple[int, int]:
    """Return how many are worse, and how many are better."""
    losses = [each.loss for each in changed if each.loss is not None]
    return sum(loss > 0 for loss in losses), sum(loss < 0 for loss in losses)


def _said(reading: RowReading) -> str | float:
    """Return the value of a row, or its state where it is no value."""
    return reading.state if reading.value is None else reading.value


def _loss(definition: GateDefinition, name: str, old: RowReading, new: RowReading) -> float | None:
    before, after = (_VERDICTS.get(each.state, each.value) for each in (old, new))
    if before is None or after is None:
        return None
    return before - after if _more_is_good(definition, name) else after - before


def _more_is_good(definition: GateDefinition, name: str) -> bool:
    """Return whether more of it is good: what a requirement says, or the metric itself."""
    for text, metric in definition.metrics.items():
        if metric.kind == "mean" and metric.name == name:
            return definition.bars(text)[0].more_is_good
    return not gate_metric(name).less_is_good
