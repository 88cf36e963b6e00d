"""Runs a plan of retention over one table.

1. The table's log is told from which day on rows and values are whole (`lake.retention_horizon`): who reads
   earlier days knows from then on that something of them may be gone.
2. Where rows go, others must not be moving them (`batch.retention.in_flight_guard`).
3. Day by day, the oldest first: files whose rows are over leave the table; files that hold values
   that are over are written again without these, one file in memory at a time. One commit a day.
4. It looks again, until nothing is due: late rows, or another program's files, may have come.

Each commit is a compare-and-swap on the files that go (`lake.rewrite`), so workers append meanwhile,
and of two runs (or of a run and a compaction) that want the same files one wins and the other looks
again. Killed at any step, the table is as it was, or some of its days are done; the next run goes
on. A run over a table in which nothing is due commits nothing. What has left the table lies in the
bucket until it is purged (`batch.retention.purge`).
"""  # noqa: E501 - one long line

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, Final

from batch.retention.expiring import ExpiringDay, find_expiring
from batch.retention.in_flight_guard import InFlightGuard
from batch.retention.values import clear_values
from lake.commit import commit
from lake.ledger import EntryKind, LedgerEntry, SourceRange
from lake.live_files import LiveFile, StoredRows, UploadedFile, read_file_rows, rewrite_rows
from lake.retention_horizon import RETENTION_KEY, day_number, retention_app
from lake.rewrite import replace_files
from lake.table_commit import CommitContext, Guard, Move, TableCommit
from lake.tables import Lake, Table
from schemas.arrow import PRIMARY_TABLES, QUARANTINE_TABLE
from schemas.errors import FatalError, FencedError

RUN_KEY: Final = "run"
"""Names, in what such a commit says, the run that it was a part of."""

MAX_ROUNDS: Final = 20


@dataclass(frozen=True, slots=True)
class RetentionRun:
    """One run over one table; ``until`` is the first day that is kept, by part.

    ``waiting`` are days that were left in the end, since rows of theirs are on their way elsewhere.
    ``number`` tells this run from all others.
    """

    table: Table
    until: Mapping[str, date]
    means: CommitContext
    crossing: InFlightGuard | None = None
    waiting: list[ExpiringDay] = field(default_factory=list)
    number: int = 0

    @classmethod
    def of(
        cls, lake: Lake, name: str, until: Mapping[str, date], means: CommitContext
    ) -> "RetentionRun":
        """Return a run over a table of a lake."""
        table, quarantine = lake.table(name), lake.table(QUARANTINE_TABLE)
        primaries = [lake.table(primary) for primary in PRIMARY_TABLES]
        crosses = name == QUARANTINE_TABLE or name in PRIMARY_TABLES
        crossing = InFlightGuard(table, primaries, quarantine, means) if crosses else None
        return cls(table, until, means, crossing, number=means.new_token())

    def look(self) -> list[ExpiringDay]:
        """Return what is due; nothing is changed."""
        what = f"reading table {self.table.name}"
        return self.means.retry.call(what, lambda: find_expiring(self.table, self.until))

    def carry_out(self) -> Iterator[ExpiringDay]:
        """Do what is due, and yield each day when it is done.

        Raises FatalError if the lake does not answer in time, or if others change the table all
        the time; RetryableError if told to stop.
        """
        done = False
        for _ in range(MAX_ROUNDS):
            found = self.look()
            if not found:
                break
            if not self._told(found):
                continue
            on_their_way = [one for one in found if self._on_its_way(one)]
            ready = [one for one in found if one not in on_their_way]
            if not ready:
                self.waiting.extend(on_their_way)
                break
            for one in ready:
                if self._expired(one):
                    done = True
                    yield one
        else:
            raise FatalError(
                f"table {self.table.name}: others change it all the time; run "
                "`goldpan retention run` again"
            )
        if done:
            self.means.retry.call(f"checkpointing table {self.table.name}", self._checkpoint)

    def _told(self, found: list[ExpiringDay]) -> bool:
        """Put down in the log what is about to go; False if another run did meanwhile."""
        moves = []
        for part in sorted({part for one in found for part in one.parts}):
            app, to = retention_app(part), day_number(self.until[part])
            what = f"reading table {self.table.name}"
            there = self.means.retry.call(what, partial(self.table.number, app))
            if there is None or there < to:
                moves.append(Move(app, there, to))
        try:
            if moves:
                self._mark(moves)
            if self.crossing is not None:
                self.crossing.fence(s for one in found if one.whole for s in one.counts)
        except FencedError:
            return False
        return True

    def _mark(self, moves: Sequence[Move]) -> None:
        change = TableCommit(
            entry=LedgerEntry(EntryKind.RETENTION, []),
            token=self.means.new_token(),
            moves=moves,
        )
        commit(self.table, change, self.means)

    def _on_its_way(self, one: ExpiringDay) -> bool:
        """Tell whether somebody has not come to the end of moving rows that are due."""
        if self.crossing is None or not one.whole:
            return False
        what = f"reading table {self.table.name}"
        crossing = self.crossing
        return self.means.retry.call(what, lambda: crossing.on_their_way(one))

    def _expired(self, one: ExpiringDay) -> bool:
        """Commit one day; False if another has changed one of its files meanwhile."""
        new = [] if one.whole else [self._without_values(one, file) for file in one.files]
        change = TableCommit(
            entry=LedgerEntry(EntryKind.RETENTION, _ranges(one)),
            token=self.means.new_token(),
            removes=one.files,
            adds=new,
            guards=self._guards(one),
            metadata={RETENTION_KEY: self._metadata(one)},
        )
        try:
            replace_files(self.table, change, self.means)
        except FencedError:
            return False
        return True

    def _metadata(self, one: ExpiringDay) -> str:
        return json.dumps(
            expiring_to_json(one) | {RUN_KEY: str(self.number)}, separators=(",", ":")
        )

    def _guards(self, one: ExpiringDay) -> list[Guard]:
        if self.crossing is None or self.table.name != QUARANTINE_TABLE:
            return []
        return self.crossing.guards({source.topic for source in one.counts})

    def _without_values(self, one: ExpiringDay, file: LiveFile) -> UploadedFile:
        retry = self.means.retry
        rows = retry.call(
            f"reading table {self.table.name}", lambda: read_file_rows(self.table, file)
        )
        left = clear_values(rows.rows, one.table, one.parts.keys())
        return rewrite_rows(
            self.table, StoredRows(one.table, one.day, left), instead_of=[file], retry=retry
        )

    def _checkpoint(self) -> None:
        self.table.refresh()
        self.table.checkpoint()


def expiring_to_json(one: ExpiringDay) -> dict[str, Any]:
    """Return what is due of a day as the command prints it and the commit keeps it."""
    return {
        "table": one.table,
        "day": one.day.isoformat(),
        "files": len(one.files),
        "parts": {
            part: {"rows": amount.rows, "bytes": amount.bytes}
            for part, amount in sorted(one.parts.items())
        },
    }


def _ranges(one: ExpiringDay) -> list[SourceRange]:
    return [
        SourceRange(*source, 0, 0, stored=count) for source, count in sorted(one.counts.items())
    ]
