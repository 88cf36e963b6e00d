"""The answers and calls of a judge that are stored, by their ids, in a scratch database.

Ids are kept as the first half of their bytes.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from batch.scratch_database import ScratchDatabase
from judges.outcome import JudgeAnswer

_ANSWERS: Final = (
    "CREATE TABLE answers (id BLOB PRIMARY KEY, epoch, attempt, outcome, reason, p_fail, mode) "
    "WITHOUT ROWID"
)
_CALLS: Final = (
    "CREATE TABLE calls (id BLOB PRIMARY KEY, judgement BLOB, outcome, reason, p_fail, mode) "
    "WITHOUT ROWID"
)


class KnownAnswer(NamedTuple):
    """A stored answer, its epoch, and how many attempts there were."""

    answer: JudgeAnswer
    epoch: int
    attempt: int

    @property
    def is_settled(self) -> bool:
        """Return whether a run must leave it.

        ``residue`` is looked at again: nobody was asked, and the policy may be another one today.
        """
        return self.answer.is_final and self.answer.reason != "residue"

    @property
    def rank(self) -> tuple[bool, int]:
        """Return the place among the attempts at one judgement: the highest is in force."""
        return self.answer.is_final, self.attempt


class KnownCall(NamedTuple):
    """An answer that was paid for, and the id of its judgement (64 hex digits)."""

    judgement_id: str
    answer: JudgeAnswer


@dataclass(slots=True)
class KnownAnswers:
    """Answers by the id of their judgement, and calls by theirs (64 hex digits each).

    ``has_calls``: there is a call. The database is opened with the first of either.
    """

    has_calls: bool = field(default=False, init=False)
    _kept: ScratchDatabase | None = field(default=None, init=False)

    def answer(self, judgement_id: str) -> KnownAnswer | None:
        """Return the answer of a judgement, None if there is none."""
        if self._kept is None:
            return None
        query = "SELECT epoch, attempt, outcome, reason, p_fail, mode FROM answers WHERE id = ?"
        row = self._kept.first(query, (_short(judgement_id),))
        return None if row is None else KnownAnswer(JudgeAnswer(*row[2:]), row[0], row[1])

    def set_answer(self, judgement_id: str, answer: KnownAnswer) -> None:
        """Keep the answer of a judgement in the place of another one."""
        row = (_short(judgement_id), answer.epoch, answer.attempt, *_columns(answer.answer))
        self._open().write("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", [row])

    def call(self, call_id: str) -> KnownCall | None:
        """Return the answer that a call got, None if there was no such call."""
        if self._kept is None:
            return None
        query = "SELECT judgement, outcome, reason, p_fail, mode FROM calls WHERE id = ?"
        row = self._kept.first(query, (_short(call_id),))
        return None if row is None else KnownCall(row[0].hex(), JudgeAnswer(*row[1:]))

    def add_call(self, call_id: str, call: KnownCall) -> None:
        """Keep the answer that a call got, unless there is one."""
        self.has_calls = True
        row = (_short(call_id), bytes.fromhex(call.judgement_id), *_columns(call.answer))
        self._open().write("INSERT OR IGNORE INTO calls VALUES (?, ?, ?, ?, ?, ?)", [row])

    def _open(self) -> ScratchDatabase:
        if self._kept is None:
            self._kept = ScratchDatabase(_ANSWERS, _CALLS)
        return self._kept


def _columns(answer: JudgeAnswer) -> tuple[str, str | None, float | None, str | None]:
    return answer.outcome, answer.reason, answer.p_fail, answer.failure_mode


def _short(id_: str) -> bytes:
    return bytes.fromhex(id_[:32])
