"""What a side's files say of each row and metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from batch.gate.gate_lines import CandidateLine, VerdictLine
from judges.gate.metric_names import (
    COST,
    ERROR_RATE,
    HIT_RATE,
    LATENCY,
    RECIPROCAL_RANK,
    RECORDED,
    gate_metric,
)
from judges.gate.readings import PENDING, GateSide, MetricReadings, RowReading
from judges.metrics.retrieval import first_right_rank, reciprocal_rank


@dataclass(frozen=True, slots=True)
class GateRow:
    """A row of a release as a gate sees it.

    ``mark`` stands for it in kept runs: a hash with the salt of the release's row, which nobody can
    tell any more once an erasure has removed the row. ``documents`` are the ids of those that were
    right, None where nobody said.
    """

    trace_id: str
    mark: str
    cluster: str
    weight: float
    segments: Mapping[str, str]
    documents: frozenset[str] | None = None


def row_mark(salt: str) -> str:
    """Return the mark of the release's row with a salt (hex digits)."""
    return sha256(f"gate\n{salt}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SideFiles:
    """What there is of one side: outputs (None: no file), verdicts, and what a kept run read.

    ``judged`` is what judges say, by judge and row, and ``judge_names`` who they are.
    """

    side: GateSide
    outputs: Mapping[str, CandidateLine] | None
    verdicts: Sequence[VerdictLine] = ()
    kept: Mapping[str, Mapping[str, RowReading]] = field(default_factory=dict)
    judged: Mapping[str, Mapping[str, RowReading]] = field(default_factory=dict)
    judge_names: Mapping[str, str] = field(default_factory=dict)

    def readings(self, rows: Sequence[GateRow]) -> dict[str, MetricReadings]:
        """Return everything that is known of the rows, by what is read.

        A verdict or value of the files goes before what the outputs say. ``kept`` is by what is
        read, then by the mark of the row. An answer that is an error is an error in each verdict
        that it lacks: nobody could judge it. One that is unknown is unknown in each.
        """
        judged = {name: dict(rows) for name, rows in self.judged.items()}
        for verdict in self.verdicts:
            name = gate_metric(verdict.metric).reads[0]
            judged.setdefault(name, {})[verdict.row] = verdict.reading
        found = {}
        recorded = RECORDED if self.outputs is not None else ()
        for name in dict.fromkeys((*recorded, *self.kept, *judged)):
            said, kept = judged.get(name, {}), self.kept.get(name, {})
            found[name] = MetricReadings.of(
                said.get(row.trace_id) or kept.get(row.mark) or self._recorded(name, row)
                for row in rows
            )
        return found

    def judges(self) -> dict[str, str]:
        """Return who judged, by what is read; several names in verdicts are sorted and joined."""
        names: dict[str, set[str]] = {}
        for verdict in self.verdicts:
            if verdict.judge is not None:
                names.setdefault(gate_metric(verdict.metric).reads[0], set()).add(verdict.judge)
        joined = {name: ", ".join(sorted(judges)) for name, judges in names.items()}
        return {**self.judge_names, **joined}

    def _recorded(self, name: str, row: GateRow) -> RowReading:
        line = (self.outputs or {}).get(row.trace_id)
        if line is None:
            return PENDING
        if line.is_unknown:
            return RowReading("unknown")
        if name == ERROR_RATE:
            return RowReading("value", float(line.error is not None))
        if name in (HIT_RATE, RECIPROCAL_RANK):
            return _retrieval(name, row, line)
        number = {COST: line.cost_usd, LATENCY: line.latency_ms}.get(name)
        if number is not None:
            return RowReading("value", number)
        return PENDING if line.error is None else RowReading("error")


def _retrieval(name: str, row: GateRow, line: CandidateLine) -> RowReading:
    if not row.documents:
        return RowReading("not_applicable")
    if line.retrieved is None:
        return PENDING if line.error is None else RowReading("error")
    rank = first_right_rank((each.document_id for each in line.retrieved), row.documents)
    if name == HIT_RATE:
        return RowReading("value", float(rank is not None))
    return RowReading("value", reciprocal_rank(rank))
