"""What the lake knows of a judge: judgements that are final, claims in force, calls, and models.

It is read once and then row by row as the table grows, and each commit of a runner rests on it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from batch.judge.judgement_rows import CLAIM, stored_answer
from judges.judgement import FIRST_EPOCH, JudgementKey
from judges.outcome import JudgeAnswer
from judges.ways import JudgeWay
from lake.tables import Table

_COLUMNS: Final = (
    "judgement_id",
    "step",
    "judge_digest",
    "subject_kind",
    "subject",
    "input_digest",
    "repeat",
    "way",
    "epoch",
    "attempt",
    "call_id",
    "lease_until",
    "outcome",
    "reason",
    "p_fail",
    "failure_mode",
    "model_requested",
    "model_served",
    "run_id",
    "_offset",
)


class KnownAnswer(NamedTuple):
    """A stored answer: the judgement's id, its epoch, and how many attempts there were."""

    judgement_id: str
    answer: JudgeAnswer
    epoch: int
    attempt: int


class KnownClaim(NamedTuple):
    """A claim of a run until a time (microseconds since 1970, UTC)."""

    run_id: str
    until: int


@dataclass(slots=True)
class KnownJudgements:
    """The judgements of one judge as one way answers it, up to ``position`` in the table.

    ``epochs`` are numbers by the name of the served model, of all judges that ask this model.
    ``current_epoch`` is that of the newest answer. With ``only_current`` judgements of earlier
    epochs do not count.
    """

    judge_digest: str
    way: JudgeWay
    only_current: bool = False
    position: int = 0
    answers: dict[str, KnownAnswer] = field(default_factory=dict)
    claims: dict[str, KnownClaim] = field(default_factory=dict)
    calls: dict[str, KnownAnswer] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    current_epoch: int = FIRST_EPOCH

    def read(self, table: Table, position: int) -> None:
        """Read the rows from the own position up to ``position``, as of the last refresh."""
        if position <= self.position:
            return
        where = (pc.field("_offset") >= self.position) & (
            (pc.field("judge_digest") == self.judge_digest)
            | (pc.field("model_requested") == self.way.model)
        )
        rows = sorted(_rows(table, where), key=lambda row: int(row["_offset"]))
        for row in rows:
            self.add(row)
        self.position = position

    def add(self, row: Mapping[str, Any]) -> None:
        """Add one row of the table."""
        if row["step"] == CLAIM:
            if row["judge_digest"] == self.judge_digest:
                self.claims[row["judgement_id"]] = KnownClaim(row["run_id"], row["lease_until"])
            return
        if self.claims and row["judge_digest"] == self.judge_digest:
            self.claims.pop(_claimed_id(row), None)
        known = KnownAnswer(
            row["judgement_id"], stored_answer(row), row["epoch"], row["attempt"] or 1
        )
        if row["way"] == self.way.kind and row["model_requested"] == self.way.model:
            if row["model_served"] is not None:
                self.epochs.setdefault(row["model_served"], row["epoch"])
                self.current_epoch = row["epoch"]
            if row["call_id"] is not None and known.answer.is_final:
                self.calls.setdefault(row["call_id"], known)
        if row["judge_digest"] == self.judge_digest:
            held = self.answers.get(known.judgement_id)
            if held is None or not held.answer.is_final:
                self.answers[known.judgement_id] = known

    @property
    def searched_epochs(self) -> list[int]:
        """Return the epochs whose judgements count, the current one first."""
        if self.only_current:
            return [self.current_epoch]
        others = {FIRST_EPOCH, *self.epochs.values()} - {self.current_epoch}
        return [self.current_epoch, *sorted(others, reverse=True)]

    def find(self, key: JudgementKey) -> KnownAnswer | None:
        """Return the answer of a judgement in any epoch that counts, a final one first."""
        passing = None
        for epoch in self.searched_epochs:
            known = self.answers.get(key._replace(epoch=epoch).judgement_id)
            if known is not None and known.answer.is_final:
                return known
            passing = passing or known
        return passing

    def claim_on(self, judgement_id: str, now: int) -> KnownClaim | None:
        """Return the claim that holds a judgement at ``now``, None if there is none."""
        claim = self.claims.get(judgement_id)
        return claim if claim is not None and claim.until > now else None


def _claimed_id(row: Mapping[str, Any]) -> str:
    """Return the id that a judgement was claimed by: that of the first epoch."""
    key = (row["judge_digest"], row["subject"], row["input_digest"])
    return JudgementKey(*key, FIRST_EPOCH, row["repeat"], row["subject_kind"]).judgement_id


def _rows(table: Table, where: pc.Expression) -> Iterator[dict[str, Any]]:
    for batch in table.batches(_COLUMNS, where):
        at = batch.schema.get_field_index("lease_until")
        yield from batch.set_column(
            at, "lease_until", batch.column(at).cast(pa.int64())
        ).to_pylist()
