"""Applies a retention plan to one table.

1. Record in the table's log from which day on rows and values are complete
   (`lake.retention_horizon`), so that readers of earlier days know that some may be gone.
2. Where rows expire, fence writers that are moving them (`batch.retention.in_flight_guard`).
3. Day by day, the oldest first: remove the files with expired rows, and rewrite the files with
   expired values without these, one file in memory at a time. One commit per day.
   Of table ``traces``, revisions of later days that an expiring row has replaced go first:
   otherwise they would be in force once it is gone (`schemas.trace_in_force`).
4. Repeat until nothing expires: late rows or another program's files may have been added.

Each commit is a compare-and-swap on the removed files (`lake.rewrite`), so workers can append at
the same time. If two runs, or a run and a compaction, replace the same files, one wins and
the other searches again. After a kill at any step, the table is unchanged or some of its days are
done; the next run continues. A run with nothing to do commits nothing. Removed files stay in the
bucket until they are purged (`batch.retention.purge`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Final

from batch.compaction import compact_batches, plan_outdated_files
from batch.retention.expiring import ExpiringDay, find_expiring
from batch.retention.in_flight_guard import InFlightGuard
from batch.retention.values import clear_values
from batch.superseded_rows import NEAR_DAYS
from lake.commit import commit
from lake.ledger import EntryKind, LedgerEntry, SourceRange
from lake.live_files import LiveFile, StoredRows, UploadedFile, read_file_rows, rewrite_rows
from lake.retention_horizon import ROWS_PART
from lake.rewrite import replace_files
from lake.table_commit import CommitContext, Guard, Move, TableCommit
from lake.table_log import RETENTION_KEY, retention_app
from lake.tables import Lake, Table
from schemas.arrow import PRIMARY_TABLES, QUARANTINE_TABLE
from schemas.errors import FatalError, FencedError
from schemas.times import day_number

RUN_KEY: Final = "run"
"""The key in the note of a commit for the id of its run."""

MAX_ROUNDS: Final = 20


@dataclass(frozen=True, slots=True)
class RetentionRun:
    """One run over one table; ``until`` is the first day to keep, by part.

    ``waiting`` are the days left out because some of their rows are in flight. ``run_id``
    identifies the run.
    """

    table: Table
    until: Mapping[str, date]
    context: CommitContext
    in_flight: InFlightGuard | None = None
    waiting: list[ExpiringDay] = field(default_factory=list)
    run_id: int = 0

    @classmethod
    def of(
        cls, lake: Lake, name: str, until: Mapping[str, date], context: CommitContext
    ) -> "RetentionRun":
        """Return a run over a table of a lake."""
        table, quarantine = lake.table(name), lake.table(QUARANTINE_TABLE)
        primaries = [lake.table(primary) for primary in PRIMARY_TABLES]
        moves_rows = name == QUARANTINE_TABLE or name in PRIMARY_TABLES
        in_flight = InFlightGuard(table, primaries, quarantine, context) if moves_rows else None
        return cls(table, until, context, in_flight, run_id=context.new_token())

    def find_expiring(self) -> list[ExpiringDay]:
        """Return what expires; change nothing."""
        what = f"reading table {self.table.name}"
        return self.context.retry.call(what, lambda: find_expiring(self.table, self.until))

    def run(self) -> Iterator[ExpiringDay]:
        """Remove what expires, and yield each day once it is done.

        Raises FatalError if the lake does not answer in time or others keep changing the table,
        RetryableError if stopped.
        """
        done = False
        for _ in range(MAX_ROUNDS):
            expiring = self.find_expiring()
            if not expiring:
                break
            if not self.record_horizon(expiring):
                continue
            self._drop_replaced_revisions(expiring)
            waiting = [day for day in expiring if self.is_in_flight(day)]
            ready = [day for day in expiring if day not in waiting]
            if not ready:
                self.waiting.extend(waiting)
                break
            for day in ready:
                if self.remove(day):
                    done = True
                    yield day
        else:
            raise FatalError(
                f"table {self.table.name}: other programs keep changing it; run "
                "`goldpan retention run` again"
            )
        if done:
            self.context.retry.call(f"checkpointing table {self.table.name}", self._checkpoint)

    def _drop_replaced_revisions(self, expiring: Sequence[ExpiringDay]) -> None:
        """Leave out rows of the first days to keep that rows of expiring days have replaced."""
        if not any(day.removes_rows for day in expiring):
            return
        first = self.until[ROWS_PART]
        what = f"reading table {self.table.name}"
        step = partial(plan_outdated_files, self.table, first, first + NEAR_DAYS)
        batches = self.context.retry.call(what, step)
        for _ in compact_batches(self.table, batches, self.context):
            pass

    def record_horizon(self, expiring: list[ExpiringDay]) -> bool:
        """Record in the log what is about to expire; return False if another run was faster."""
        moves = []
        for part in sorted({part for day in expiring for part in day.parts}):
            app, target = retention_app(part), day_number(self.until[part])
            what = f"reading table {self.table.name}"
            recorded = self.context.retry.call(what, partial(self.table.txn_version, app))
            if recorded is None or recorded < target:
                moves.append(Move(app, recorded, target))
        try:
            if moves:
                self._mark(moves)
            if self.in_flight is not None:
                self.in_flight.fence(s for day in expiring if day.removes_rows for s in day.counts)
        except FencedError:
            return False
        return True

    def _mark(self, moves: Sequence[Move]) -> None:
        change = TableCommit(
            entry=LedgerEntry(EntryKind.RETENTION, []),
            token=self.context.new_token(),
            moves=moves,
        )
        commit(self.table, change, self.context)

    def is_in_flight(self, day: ExpiringDay) -> bool:
        """Return whether rows that expire are being moved by another writer."""
        if self.in_flight is None or not day.removes_rows:
            return False
        what = f"reading table {self.table.name}"
        in_flight = self.in_flight
        return self.context.retry.call(what, lambda: in_flight.is_in_flight(day))

    def remove(self, day: ExpiringDay) -> bool:
        """Remove one day in one commit; return False if another writer changed one of its files."""
        new = [] if day.removes_rows else [self._without_values(day, file) for file in day.files]
        replacement = TableCommit(
            removes=day.files,
            adds=new,
            entry=LedgerEntry(EntryKind.RETENTION, _count_ranges(day)),
            token=self.context.new_token(),
            guards=self._guards(day),
            metadata={RETENTION_KEY: self._metadata(day)},
        )
        try:
            replace_files(self.table, replacement, self.context)
        except FencedError:
            return False
        return True

    def _metadata(self, day: ExpiringDay) -> str:
        return json.dumps(day.to_json() | {RUN_KEY: str(self.run_id)}, separators=(",", ":"))

    def _guards(self, day: ExpiringDay) -> list[Guard]:
        if self.in_flight is None or self.table.name != QUARANTINE_TABLE:
            return []
        return self.in_flight.guards({source.topic for source in day.counts})

    def _without_values(self, day: ExpiringDay, file: LiveFile) -> UploadedFile:
        retry = self.context.retry
        rows = retry.call(
            f"reading table {self.table.name}", lambda: read_file_rows(self.table, file)
        )
        remaining = clear_values(rows.rows, day.table, day.parts.keys())
        return rewrite_rows(
            self.table, StoredRows(day.table, day.day, remaining), instead_of=[file], retry=retry
        )

    def _checkpoint(self) -> None:
        self.table.refresh()
        self.table.checkpoint()


def _count_ranges(day: ExpiringDay) -> list[SourceRange]:
    return [
        SourceRange(*source, 0, 0, stored=count) for source, count in sorted(day.counts.items())
    ]
