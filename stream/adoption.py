"""Going on with another incarnation of a topic, or after a truncation: a person has said so.

Positions are moved to where the topic that is there now begins (or ends), in each table by one
commit with a ledger entry of its own, so that `lake verify` knows why a chain of offsets begins
anew. Records that are in the lake stay there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lake.commit import commit
from lake.ledger import (
    NO_EPOCH,
    EntryKind,
    Incarnation,
    LedgerEntry,
    SourcePartition,
    SourceRange,
    adopted_app,
    epoch_at_app,
    late_app,
    position_app,
    produced_app,
    promoting_app,
)
from lake.table_commit import CommitContext, Move, TableCommit
from lake.tables import Table
from schemas.errors import FatalError


@dataclass(frozen=True, slots=True)
class AdoptedPartition:
    """Where a partition's position was, and where it is now."""

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

        It may be run again, after a crash between the two commits, say. Raises FencedError if a
        worker moves a position meanwhile, FatalError if a replay is being promoted.
        """
        self.primary.refresh()
        self.quarantine.refresh()
        topic = next(iter(starts)).topic
        if self.quarantine.number(promoting_app(topic)):
            raise FatalError(
                f"a replay of {topic} is being promoted: finish it first, with `goldpan replay "
                "promote` (`goldpan replay list` tells its name)"
            )
        before = self.primary.positions(list(starts))
        for table in (self.quarantine, self.audit, self.labels, self.primary):
            self._move(table, incarnation, starts)
        return [AdoptedPartition(source, before[source], start) for source, start in starts.items()]

    def _move(
        self, table: Table, incarnation: Incarnation, starts: Mapping[SourcePartition, int]
    ) -> None:
        table.refresh()
        found = {
            app: table.number(app)
            for source in starts
            for app in (position_app(source), late_app(source), produced_app(source))
        }
        # Quarantine's positions must not stay ahead: a worker would look there for records of the
        # old topic.
        moves = [
            Move(app, found[app], start)
            for source, start in starts.items()
            for app in (position_app(source), late_app(source), produced_app(source))
            if found[app] != start and (found[app] is not None or app == position_app(source))
        ]
        # Epochs of the log that was there before mean nothing to the one that is there now.
        epochs = {app: table.number(app) for app in map(epoch_at_app, starts)}
        moves += [Move(a, at, NO_EPOCH) for a, at in epochs.items() if at not in {None, NO_EPOCH}]
        topic = next(iter(starts)).topic
        adopted = table.number(adopted_app(topic))
        moves.append(Move(adopted_app(topic), adopted, self.context.now_us()))
        ranges = [SourceRange(s.topic, s.partition, start, start) for s, start in starts.items()]
        change = TableCommit(
            entry=LedgerEntry(EntryKind.ADOPT, ranges, {topic: incarnation}),
            token=self.context.new_token(),
            moves=moves,
        )
        commit(table, change, self.context)
