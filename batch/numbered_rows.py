"""Appends rows of batch jobs and reviewers to a table exactly once, by sequence number.

To a table, a sequence is a source with a position, like a partition of a topic. Its name begins
with ``#``, which no topic's name can. Each commit moves the position from n to n + k, with a token,
through `lake.commit`. If two writers read the same position, one of them is rejected and reads
again. ``goldpan lake verify`` checks these rows by the same rules.
"""

import contextlib
from collections.abc import Collection, Sequence
from typing import Final

import pyarrow as pa

from lake.commit import commit
from lake.ledger import EntryKind, LedgerEntry, SourcePartition, SourceRange
from lake.table_commit import CommitContext, Condition, Move, TableCommit
from lake.table_log import position_app
from lake.table_writer import TableWriter
from lake.tables import Table
from redact.pipeline.derived_rows import box_derived_rows
from schemas.arrow import TABLES, TIMESTAMP_US
from schemas.contract import CONTRACTS
from schemas.errors import FencedError, RetryableError
from schemas.redacted import Redacted

WITHOUT_TEXT: Final = "identity"
"""The redaction policy of a row whose only text, if any, is a pseudonym."""


class NumberedRows:
    """Appends rows to one table under one sequence."""

    def __init__(self, table: Table, name: str, kind: EntryKind, context: CommitContext) -> None:
        """``name`` begins with ``#``; ``kind`` is the kind of the commits in the ledger."""
        self.table = table
        self._source, self._kind, self._context = SourcePartition(name, 0), kind, context
        self._writer = TableWriter(table, context)

    def holds(self, guards: Sequence[Condition]) -> bool:
        """Return whether conditions hold as of the table's last refresh."""
        return all(guard.holds(self.table.txn_version(guard.app)) for guard in guards)

    def refresh_position(self) -> int:
        """Refresh the table and return the position: the next number."""

        def step() -> int:
            self.table.refresh()
            return self.table.txn_version(position_app(self._source)) or 0

        return self._context.retry.call(f"reading table {self.table.name}", step)

    def number_rows(
        self, columns: Sequence[pa.Array], policies: Sequence[str], *, at: int
    ) -> pa.RecordBatch:
        """Return rows of the table, numbered from ``at`` on.

        ``columns`` are those of the table's contract, in order. ``policies`` are the hashes of the
        redaction policies that the texts of each row were redacted with.
        """
        schema = TABLES[self.table.name]
        rows, now_us = len(policies), self._context.now_us()
        day = columns[schema.arrow.get_field_index(schema.event_time)].cast(pa.date32())
        provenance = [
            pa.repeat(pa.scalar(self._source.topic, pa.string()), rows),
            pa.repeat(pa.scalar(self._source.partition, pa.int32()), rows),
            pa.array(range(at, at + rows), pa.int64()),
            pa.repeat(pa.scalar(now_us, TIMESTAMP_US), rows),
            pa.repeat(pa.scalar(CONTRACTS[schema.record].fingerprint, pa.string()), rows),
            pa.array(policies, pa.string()),
            pa.nulls(rows, pa.int32()),
        ]
        return pa.RecordBatch.from_arrays([*columns, *provenance, day], schema=schema.arrow)

    def append_derived(
        self,
        columns: Sequence[pa.Array],
        policies: Sequence[str],
        *,
        texts: Collection[str],
        at: int,
        guards: Sequence[Condition] = (),
    ) -> bool:
        """Commit rows numbered from ``at`` on; False if the table has grown or a guard fails.

        ``columns`` and ``policies`` as in `number_rows`. ``texts`` are all that their texts may be;
        they are redacted already. Otherwise as `append`.
        """
        batch = self.number_rows(columns, policies, at=at)
        contract = TABLES[self.table.name].record
        policy = next((applied for applied in policies if applied != WITHOUT_TEXT), WITHOUT_TEXT)
        boxed = box_derived_rows(batch, contract, redacted_texts=texts, policy=policy)
        try:
            self.append(boxed, at=at, guards=guards)
        except FencedError:
            return False
        return True

    def append(
        self, rows: Redacted[pa.RecordBatch], *, at: int, guards: Sequence[Condition] = ()
    ) -> None:
        """Commit rows that are numbered from ``at`` on.

        Raises FencedError if the position is no longer ``at``: refresh and number them again. Or if
        one of ``guards`` no longer holds: read again what the rows were derived from. Otherwise as
        `lake.commit.commit`.
        """
        count = rows.value.num_rows
        end = at + count
        span = SourceRange(*self._source, at, end, at, end - 1, consumed=count, stored=count)
        self._writer.check_ceilings(guards)
        prepared = self._writer.prepare([rows], [span])
        change = TableCommit(
            entry=LedgerEntry(self._kind, [span]),
            token=self._context.new_token(),
            moves=[Move(position_app(self._source), at or None, end)],
            guards=guards,
            adds=prepared.files,
        )
        commit(self.table, change, self._context)
        with contextlib.suppress(RetryableError):  # the next append writes it
            self._writer.checkpoint_if_due()
