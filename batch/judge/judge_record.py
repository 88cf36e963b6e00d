"""Everything that the table says of the judges: each judge's verdicts, with the reviews beside."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from batch.judge.judgement_rows import JUDGEMENT, stored_answer
from batch.judge.reported_rows import ReportedRow
from batch.judge.reviewed_answers import ReviewedAnswer
from judges.agreement.rows import AgreementRow
from judges.outcome import JudgeAnswer, JudgeOutcome
from judges.weighted_rows import WeightedRow
from lake.tables import Table

_COLUMNS: Final = (
    "step",
    "judge",
    "judge_version",
    "judge_digest",
    "way",
    "model_requested",
    "model_served",
    "trace_id",
    "epoch",
    "repeat",
    "attempt",
    "judged_at",
    "outcome",
    "reason",
    "p_fail",
    "failure_mode",
    "probability",
    "cluster",
    "app",
    "segments",
    "cost_usd",
)


class JudgeIdentity(NamedTuple):
    """A judge as one way answers it."""

    judge: str
    judge_digest: str
    version: int | None
    way: str | None
    model: str | None


class _Verdict(NamedTuple):
    """The judgement in force of a trace in an epoch, and its rank among those of the trace."""

    rank: tuple[bool, int, int]
    answer: JudgeAnswer
    weighted: WeightedRow
    segments: Mapping[str, str]


@dataclass(slots=True)
class JudgeRecord:
    """All judgements of one judge: by trace and epoch, and the outcomes of repetitions.

    ``last_judged_at`` is in microseconds since 1970 (UTC). ``served`` are the served models of each
    epoch.
    """

    identity: JudgeIdentity
    verdicts: dict[tuple[str, int], _Verdict] = field(default_factory=dict)
    repeats: dict[tuple[str, int], dict[int, JudgeOutcome]] = field(default_factory=dict)
    served: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    cost_usd: float = 0.0
    last_judged_at: int = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a judgement of the table."""
        at = (row["trace_id"], row["epoch"])
        answer = stored_answer(row)
        self.last_judged_at = max(self.last_judged_at, row["judged_at"])
        self.cost_usd += row["cost_usd"] or 0.0
        if row["model_served"] is not None:
            self.served[row["epoch"]].add(row["model_served"])
        self.repeats.setdefault(at, {})[row["repeat"]] = answer.outcome
        if row["repeat"]:
            return
        rank = (answer.is_final, row["judged_at"], row["attempt"] or 1)
        held = self.verdicts.get(at)
        if held is None or rank > held.rank:
            segments = dict(row["segments"] or ())
            if row["app"]:
                segments["app"] = row["app"]
            weighted = WeightedRow(row["probability"] or 1.0, row["cluster"])
            self.verdicts[at] = _Verdict(rank, answer, weighted, segments)

    @property
    def rows(self) -> list[ReportedRow]:
        """Return one row for each trace, as judged in the newest epoch that has it."""
        newest: dict[str, int] = {}
        for trace_id, epoch in self.verdicts:
            newest[trace_id] = max(epoch, newest.get(trace_id, 0))
        return [
            ReportedRow(trace_id, verdict.weighted, verdict.answer, epoch)
            for trace_id, epoch in newest.items()
            for verdict in (self.verdicts[trace_id, epoch],)
        ]

    def repeated(self) -> list[Sequence[JudgeOutcome]]:
        """Return the outcomes of each row that was judged repeatedly in one epoch."""
        return [list(found.values()) for found in self.repeats.values() if len(found) > 1]

    def agreement_rows(
        self, reviewed: Mapping[str, ReviewedAnswer]
    ) -> list[tuple[AgreementRow, Mapping[str, str]]]:
        """Return the rows that were reviewed with a known probability, and their segments."""
        rows = []
        for (trace_id, epoch), verdict in self.verdicts.items():
            review = reviewed.get(trace_id)
            if review is None or review.probability is None:
                continue
            row = AgreementRow(
                verdict.answer.outcome,
                review.good,
                review.probability * verdict.weighted.probability,
                verdict.answer.p_fail,
                verdict.weighted.cluster,
                epoch=epoch,
            )
            rows.append((row, verdict.segments))
        return rows


def read_judge_records(table: Table, judge: str | None = None) -> list[JudgeRecord]:
    """Return the records of all judges, or of one name, the one that judged last first.

    As of the table's last refresh.
    """
    records: dict[str, JudgeRecord] = {}
    condition = None if judge is None else pc.field("judge") == judge
    for row in _rows(table, condition):
        digest = row["judge_digest"]
        if digest not in records:
            names = (row["judge_version"], row["way"], row["model_requested"])
            records[digest] = JudgeRecord(JudgeIdentity(row["judge"], digest, *names))
        records[digest].add(row)
    return sorted(records.values(), key=lambda record: -record.last_judged_at)


def _rows(table: Table, condition: pc.Expression | None) -> Iterable[Mapping[str, Any]]:
    for batch in table.batches(_COLUMNS, condition):
        at = batch.schema.get_field_index("judged_at")
        times = batch.set_column(at, "judged_at", batch.column(at).cast(pa.int64()))
        yield from (row for row in times.to_pylist() if row["step"] == JUDGEMENT)
