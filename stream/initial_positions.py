"""Records in the tables where a partition begins, before it is first read.

Otherwise a worker that starts at a topic's end and dies before its first flush would leave no
trace. Its successor would start at the new end, silently losing the records in between. The same
holds for the first record that Kafka still has, which retention may delete.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from lake.commit import commit
from lake.ledger import EntryKind, Incarnation, LedgerEntry, SourcePartition, SourceRange
from lake.table_commit import CommitContext, Move, TableCommit
from lake.table_log import position_app
from lake.tables import Table
from schemas.errors import FencedError


@dataclass(frozen=True, slots=True)
class InitialPositions:
    """Records the starts of partitions that have no position in the tables.

    The ledger entry is that of an empty flush: a range that ends where it starts.
    """

    primary: Mapping[str, Table]
    quarantine: Table
    context: CommitContext

    def write(
        self, starts: Mapping[SourcePartition, int], incarnations: Mapping[str, Incarnation]
    ) -> None:
        """Commit the starts, quarantine first as in a flush; the handles must be fresh.

        If another worker committed first, its positions win; re-read them. Raises FatalError if the
        lake stays unavailable, RetryableError if asked to stop.
        """
        with suppress(FencedError):
            for topic in {source.topic for source in starts}:
                mine = {s: offset for s, offset in starts.items() if s.topic == topic}
                incarnation = {topic: incarnations[topic]}
                # Quarantine may have a start from a worker that died before its second commit.
                quarantined = self.quarantine.positions(list(mine))
                missing = {
                    s: offset for s, offset in mine.items() if (quarantined[s] or -1) < offset
                }
                self._write(self.quarantine, missing, quarantined, incarnation)
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
