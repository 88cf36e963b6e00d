"""Appends claims and judgements to table ``judgements``, each once, whoever else writes there.

A commit rests on all rows before it: if another writer was first, the rows are decided again over
what it wrote. So a judgement that exists is not added twice, and two runners never hold one claim.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

from batch.judge.judgement_rows import JudgementRow, judgement_columns
from batch.numbered_rows import WITHOUT_TEXT, NumberedRows
from lake.fences import ERASURE_FENCE
from lake.ledger import EntryKind
from lake.table_commit import CommitContext, Condition
from lake.table_log import JUDGE_SEQUENCE
from lake.tables import Lake, Table
from schemas.arrow import JUDGEMENTS_TABLE


class ErasedMeanwhileError(Exception):
    """Persons were erased since the judged rows were read: read them again."""


class KnownRows(Protocol):
    """What a writer must know of the rows that are there, up to ``position``."""

    position: int

    def read(self, table: Table, position: int) -> None:
        """Read the rows up to ``position``, as of the table's last refresh."""

    def add(self, row: JudgementRow) -> None:
        """Add one row that was written at the position, which moves on by one."""


KnownT = TypeVar("KnownT", bound=KnownRows)


class JudgementStore(Generic[KnownT]):
    """The table of judgements, as one writer knows it."""

    def __init__(self, lake: Lake, rows: KnownT, context: CommitContext) -> None:
        self.known = rows
        self._context = context
        table = context.retry.call(
            f"opening table {JUDGEMENTS_TABLE}", partial(lake.table, JUDGEMENTS_TABLE)
        )
        self._rows = NumberedRows(table, JUDGE_SEQUENCE, EntryKind.JUDGE, context)
        self._guards: Sequence[Condition] = ()

    def begin(self) -> None:
        """Remember which erasures are in force; to be called before rows to judge are read."""
        self._rows.refresh_position()
        self._guards = [ERASURE_FENCE.guard(ERASURE_FENCE.value(self._rows.table))]

    def refresh(self) -> int:
        """Read what others have written, and return the position."""
        at = self._rows.refresh_position()
        self._context.retry.call(
            f"reading table {JUDGEMENTS_TABLE}", partial(self.known.read, self._rows.table, at)
        )
        return at

    def append(
        self, decide: Callable[[], Sequence[JudgementRow]], policy: str = WITHOUT_TEXT
    ) -> Sequence[JudgementRow]:
        """Append the rows that ``decide`` returns over what is known, and return them.

        It is called again if others wrote first. ``policy`` is the hash of the redaction policy of
        the rationales. Raises ErasedMeanwhileError; otherwise as `NumberedRows.append`.
        """
        while True:
            at = self.refresh()
            if not self._rows.holds(self._guards):
                raise ErasedMeanwhileError
            rows = decide()
            if not rows:
                return rows
            columns, policies = judgement_columns(rows, policy)
            texts = [row["rationale"] for row in rows if row.get("rationale") is not None]
            if self._rows.append_derived(
                columns, policies, texts=texts, at=at, guards=self._guards
            ):
                for row in rows:
                    self.known.add(row)
                return rows
