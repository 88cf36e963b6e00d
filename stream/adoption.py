"""Adopts a recreated or truncated topic, at an operator's request.

One commit per table moves the positions to the start (or end) of the topic as it is now. Each
commit has its own ledger entry, which explains to `lake verify` why the chain of offsets restarts.
Records already in the lake stay there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lake.commit import commit
from lake.ledger import EntryKind, Incarnation, LedgerEntry, SourcePartition, SourceRange
from lake.table_commit import CommitContext, Move, TableCommit
from lake.table_log import (
    NO_EPOCH,
    adopted_app,
    epoch_at_app,
    late_app,
    position_app,
    produced_app,
    promoting_app,
)
from lake.tables import Table
from schemas.errors import FatalError


@dataclass(frozen=True, slots=True)
class AdoptedPartition:
    """A partition's position before and after adoption."""

    source: SourcePartition
    before: int | None
    after: int


@dataclass(frozen=True, slots=True)
class Adoption:
    """Moves the positions of one topic; stop the workers of that topic first."""

    primary: Table
    quarantine: Table
    audit: Table
    labels: Table
    context: CommitContext

    def run(
        self, incarnation: Incarnation, starts: Mapping[SourcePartition, int]
    ) -> Sequence[AdoptedPartition]:
        """Set each position to its start, quarantine first, as flushes do.

        Safe to repeat, after a crash between two commits for example. Raises FencedError if a
        worker moves a position at the same time, FatalError if a replay is being promoted.
        """
        self.primary.refresh()
        self.quarantine.refresh()
        topic = next(iter(starts)).topic
        if self.quarantine.txn_version(promoting_app(topic)):
            raise FatalError(
                f"a replay of {topic} is being promoted: finish it first with `goldpan replay "
                "promote` (`goldpan replay list` shows its name)"
            )
        before = self.primary.positions(list(starts))
        for table in (self.quarantine, self.audit, self.labels, self.primary):
            self._move(table, incarnation, starts)
        return [AdoptedPartition(source, before[source], start) for source, start in starts.items()]

    def _move(
        self, table: Table, incarnation: Incarnation, starts: Mapping[SourcePartition, int]
    ) -> None:
        table.refresh()
        recorded = {
            app: table.txn_version(app)
            for source in starts
            for app in (position_app(source), late_app(source), produced_app(source))
        }
        # Quarantine's positions must not stay ahead: a worker would take the offsets of the old
        # topic's rows for those of new records.
        moves = [
            Move(app, recorded[app], start)
            for source, start in starts.items()
            for app in (position_app(source), late_app(source), produced_app(source))
            if recorded[app] != start and (recorded[app] is not None or app == position_app(source))
        ]
        # Leader epochs of the old log mean nothing to the new one.
        epochs = {app: table.txn_version(app) for app in map(epoch_at_app, starts)}
        moves += [Move(a, at, NO_EPOCH) for a, at in epochs.items() if at not in {None, NO_EPOCH}]
        topic = next(iter(starts)).topic
        adopted = table.txn_version(adopted_app(topic))
        moves.append(Move(adopted_app(topic), adopted, self.context.now_us()))
        ranges = [SourceRange(s.topic, s.partition, start, start) for s, start in starts.items()]
        change = TableCommit(
            entry=LedgerEntry(EntryKind.ADOPT, ranges, {topic: incarnation}),
            token=self.context.new_token(),
            moves=moves,
        )
        commit(table, change, self.context)
