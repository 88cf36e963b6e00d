"""What the lake knows of a judge: judgements that are final, claims in force, calls, and models.

It is read once and then row by row as the table grows, and each commit of a runner rests on it.
Answers and calls are in `KnownAnswers`, outside of memory.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from batch.judge.judgement_rows import CLAIM, JUDGEMENT, stored_answer
from batch.judge.known_answers import KnownAnswer, KnownAnswers, KnownCall
from judges.judgement import FIRST_EPOCH, JudgementKey
from judges.ways import JudgeWay
from lake.tables import Table
from schemas.arrow import TIMESTAMP_US

_IDENTITY: Final = ("judge_digest", "subject_kind", "subject", "input_digest", "repeat")
_CLAIM_COLUMNS: Final = ("judgement_id", "step", "judge_digest", "lease_until", "run_id", "_offset")
_ANSWER_COLUMNS: Final = (
    "judgement_id",
    "step",
    *_IDENTITY,
    "way",
    "epoch",
    "attempt",
    "call_id",
    "outcome",
    "reason",
    "p_fail",
    "failure_mode",
    "model_requested",
    "model_served",
    "_offset",
)
_ROWS: Final = 8_192


class KnownClaim(NamedTuple):
    """A claim of a run until a time (microseconds since 1970, UTC), and its row's offset."""

    run_id: str
    until: int
    offset: int


@dataclass(slots=True)
class KnownJudgements:
    """The judgements of one judge as one way answers it, up to ``position`` in the table.

    ``epochs`` are numbers by the name of the served model, of all judges that ask this model.
    ``current_epoch`` is that of the newest answer. With ``only_current`` judgements of earlier
    epochs do not count. ``now_us`` gives microseconds since 1970 (UTC).
    """

    judge_digest: str
    way: JudgeWay
    now_us: Callable[[], int]
    only_current: bool = False
    position: int = 0
    claims: dict[str, KnownClaim] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    current_epoch: int = FIRST_EPOCH
    _newest_served: int = -1
    _stored: KnownAnswers = field(default_factory=KnownAnswers)

    def read(self, table: Table, position: int) -> None:
        """Read the rows from the own position up to ``position``, as of the last refresh."""
        if position <= self.position:
            return
        new, own = pc.field("_offset") >= self.position, pc.field("judge_digest")
        live = pc.field("lease_until") > pa.scalar(self.now_us(), TIMESTAMP_US)
        is_own = own == self.judge_digest
        for row in _rows(table, _CLAIM_COLUMNS, new & live & is_own, "lease_until"):
            self._add_claim(row, row["_offset"])
        same_model = pc.field("model_requested") == self.way.model
        judged = new & (pc.field("step") == JUDGEMENT) & (is_own | same_model)
        for row in _rows(table, _ANSWER_COLUMNS, judged):
            self._add_answer(row, row["_offset"])
        self.position = position

    def add(self, row: Mapping[str, Any]) -> None:
        """Add one row that was written, the newest of the table."""
        if row["step"] == CLAIM:
            self._add_claim(row, self.position)
        else:
            self._add_answer(row, self.position)
        self.position += 1

    def _add_claim(self, row: Mapping[str, Any], offset: int) -> None:
        held = self.claims.get(row["judgement_id"])
        if held is None or held.offset <= offset:
            claim = KnownClaim(row["run_id"], row["lease_until"], offset)
            self.claims[row["judgement_id"]] = claim

    def _add_answer(self, row: Mapping[str, Any], offset: int) -> None:
        known = KnownAnswer(stored_answer(row), row["epoch"], row["attempt"] or 1)
        if row["way"] == self.way.kind and row["model_requested"] == self.way.model:
            served = row["model_served"]
            if served is not None:
                self.epochs.setdefault(served, row["epoch"])
                if offset >= self._newest_served:
                    self._newest_served, self.current_epoch = offset, row["epoch"]
            if row["call_id"] is not None and known.answer.is_final:
                self._stored.add_call(row["call_id"], KnownCall(row["judgement_id"], known.answer))
        if row["judge_digest"] == self.judge_digest:
            self._end_claim(row, offset)
            held = self._stored.answer(row["judgement_id"])
            if held is None or known.rank > held.rank:
                self._stored.set_answer(row["judgement_id"], known)

    def _end_claim(self, row: Mapping[str, Any], offset: int) -> None:
        """Drop the claim that a judgement was made under: that of the first epoch's id."""
        if self.claims:
            key = (row["judge_digest"], row["subject"], row["input_digest"])
            claimed = JudgementKey(*key, FIRST_EPOCH, row["repeat"], row["subject_kind"])
            claim = self.claims.get(claimed.judgement_id)
            if claim is not None and claim.offset <= offset:
                del self.claims[claimed.judgement_id]

    @property
    def searched_epochs(self) -> list[int]:
        """Return the epochs whose judgements count, the current one first."""
        if self.only_current:
            return [self.current_epoch]
        others = {FIRST_EPOCH, *self.epochs.values()} - {self.current_epoch}
        return [self.current_epoch, *sorted(others, reverse=True)]

    def find(self, key: JudgementKey) -> KnownAnswer | None:
        """Return the answer of a judgement in any epoch that counts, a settled one first."""
        passing = None
        for epoch in self.searched_epochs:
            known = self._stored.answer(key._replace(epoch=epoch).judgement_id)
            if known is not None and known.is_settled:
                return known
            passing = passing or known
        return passing

    def find_call(self, call_id: Callable[[int], str]) -> KnownCall | None:
        """Return the answer to an equal question; ``call_id`` gives the call's id by epoch."""
        for epoch in self.searched_epochs if self._stored.has_calls else ():
            call = self._stored.call(call_id(epoch))
            if call is not None:
                return call
        return None

    def claim_on(self, judgement_id: str, now: int) -> KnownClaim | None:
        """Return the claim that holds a judgement at ``now``, None if there is none."""
        claim = self.claims.get(judgement_id)
        return claim if claim is not None and claim.until > now else None


def _rows(
    table: Table, columns: Sequence[str], where: pc.Expression, time: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield rows; ``time`` is a column to give in microseconds since 1970 (UTC)."""
    for found in table.batches(columns, where, rows=_ROWS, ahead=0):
        batch = found
        if time is not None:
            at = batch.schema.get_field_index(time)
            batch = batch.set_column(at, time, batch.column(at).cast(pa.int64()))
        yield from batch.to_pylist()
