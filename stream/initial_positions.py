"""Where a partition begins is written into the tables before anything of it is read.

Otherwise a worker that begins at a topic's end and dies before its first flush would leave no
trace, and the next one would begin at what is the end by then: what came in between would be lost
in silence. The same holds for the first record that Kafka still has, which retention may delete.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from lake.commit import commit
from lake.ledger import (
    EntryKind,
    Incarnation,
    LedgerEntry,
    SourcePartition,
    SourceRange,
    position_app,
)
from lake.table_commit import CommitContext, Move, TableCommit
from lake.tables import Table
from schemas.errors import FencedError


@dataclass(frozen=True, slots=True)
class InitialPositions:
    """Writes down where partitions begin that the tables know nothing of.

    The entry in the ledger is that of a flush of nothing: a range that ends where it starts.
    """

    primary: Mapping[str, Table]
    quarantine: Table
    context: CommitContext

    def write(
        self, starts: Mapping[SourcePartition, int], incarnations: Mapping[str, Incarnation]
    ) -> None:
        """Commit the starts, quarantine first as in a flush; the handles must be fresh.

        Another worker may have been faster with some: then its word holds, and the positions must
        be read again. Raises FatalError if the lake does not answer in time, RetryableError if told
        to stop.
        """
        with suppress(FencedError):
            for topic in {source.topic for source in starts}:
                mine = {s: offset for s, offset in starts.items() if s.topic == topic}
                incarnation = {topic: incarnations[topic]}
                # Quarantine may have a start from a worker that died before it wrote the other.
                aside = self.quarantine.positions(list(mine))
                behind = {s: offset for s, offset in mine.items() if (aside[s] or -1) < offset}
                self._write(self.quarantine, behind, aside, incarnation)
                self._write(self.primary[topic], mine, dict.fromkeys(mine), incarnation)

    def _write(
        self,
        table: Table,
        starts: Mapping[SourcePartition, int],
        before: Mapping[SourcePartition, int | None],
        incarnations: Mapping[str, Incarnation],
    ) -> None:
        if not starts:
            return
        change = TableCommit(
            entry=LedgerEntry(
                EntryKind.FLUSH,
                [SourceRange(s.topic, s.partition, offset, offset) for s, offset in starts.items()],
                incarnations,
            ),
            token=self.context.new_token(),
            moves=[Move(position_app(s), before[s], offset) for s, offset in starts.items()],
        )
        commit(table, change, self.context)
