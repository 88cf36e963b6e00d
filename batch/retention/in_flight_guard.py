"""Keeps retention from expiring rows that a redrive or a promotion is moving between tables.

A redrive and the promotion of a replay commit to quarantine and to a primary table, one after the
other, and each row is counted in both. So a row in flight must not expire:

1. Before rows expire, the table's log records from which day on it is complete
   (`lake.retention_horizon`): a writer that reads it from then on leaves earlier rows alone.
2. A writer that read the log before is fenced: the generation of the topic is raised in the table
   that it commits to first. While a replay is being promoted, nothing expires at all
   (`lake.table_log.promoting_app`).
3. A row that is in both tables then was left there by a writer that died. A row of quarantine past
   the position of its primary table belongs to a flush in progress. In both cases the day waits.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from batch.retention.expiring import ExpiringDay, read_coordinates
from lake.commit import commit
from lake.ledger import EntryKind, LedgerEntry, SourcePartition
from lake.quarantine import ingested_since
from lake.table_commit import CommitContext, Guard, Move, TableCommit
from lake.table_log import adopted_app, position_app, promoting_app, redrive_app
from lake.tables import Table
from schemas.errors import FatalError


@dataclass(frozen=True, slots=True)
class InFlightGuard:
    """Guards quarantine and the primary tables; ``table``, whose rows expire, is one of them."""

    table: Table
    primaries: Sequence[Table]
    quarantine: Table
    context: CommitContext

    def fence(self, sources: Iterable[SourcePartition]) -> None:
        """Fence the writers that read rows of these partitions before.

        Raises FencedError if another writer is moving rows just now: read again. FatalError if a
        replay of one of the topics is being promoted.
        """
        own = set(sources)
        topics = sorted({source.topic for source in own})
        if not topics:
            return
        self.context.retry.call("reading table quarantine", self.quarantine.refresh)
        self._raise_generation(self.quarantine, topics, self.guards(topics))
        if self.table is self.quarantine:
            for primary in self.primaries:
                self.context.retry.call(f"reading table {primary.name}", primary.refresh)
                topics_here = {
                    s.topic for s in own if primary.txn_version(position_app(s)) is not None
                }
                if topics_here:
                    self._raise_generation(primary, sorted(topics_here), [])

    def guards(self, topics: Iterable[str]) -> list[Guard]:
        """Return the conditions for a commit to quarantine: no promotion is in progress.

        Raises FatalError if one is.
        """
        topics = list(topics)
        self._refuse_promotion(topics)
        apps = [promoting_app(topic) for topic in topics]
        return [Guard(app, self.quarantine.txn_version(app)) for app in apps]

    def is_in_flight(self, day: ExpiringDay) -> bool:
        """Return whether an expiring row is in the other table too, or in an unfinished flush."""
        others = self.primaries if self.table is self.quarantine else [self.quarantine]
        own = _group_by_source(read_coordinates(self.table, day.files))
        for other in others:
            self.context.retry.call(f"reading table {other.name}", other.refresh)
            for source, rows in own.items():
                adopted = other.txn_version(adopted_app(source.topic)) or 0
                recent = rows.filter(ingested_since(adopted))
                if self._is_uncommitted(other, source, recent):
                    return True
                if self._has_shared_rows(other, source, recent, adopted):
                    return True
        return False

    def _is_uncommitted(self, other: Table, source: SourcePartition, rows: pa.Table) -> bool:
        """Return whether a worker quarantined a row in a flush that is not finished."""
        position = other.txn_version(position_app(source))
        if self.table is not self.quarantine or position is None or not len(rows):
            return False
        return bool(pc.max(rows["_offset"]).as_py() >= position)

    def _has_shared_rows(
        self, other: Table, source: SourcePartition, rows: pa.Table, adopted: int
    ) -> bool:
        """Return whether another table holds one of the rows, of the same topic incarnation.

        The items of a record may lie in both tables, each in one. A record that is in quarantine
        as one is in flight if the other table has any item of it.
        """
        if not len(rows):
            return False
        ends = pc.min_max(rows["_offset"])
        offset = pc.field("_offset")
        near_rows = (offset >= ends["min"]) & (offset <= ends["max"]) & ingested_since(adopted)
        near_rows &= pc.field("_partition") == source.partition
        own = _places(rows)
        whole = {offset for offset, item in own if item is None}
        offsets = {offset for offset, _ in own}
        for batch in other.batches(["_topic", "_offset", "_index"], near_rows):
            there = _places(batch.filter(pc.equal(batch["_topic"], source.topic)))
            if not own.isdisjoint(there):
                return True
            if any(offset in (offsets if item is None else whole) for offset, item in there):
                return True
        return False

    def _refuse_promotion(self, topics: Iterable[str]) -> None:
        for topic in topics:
            if self.quarantine.txn_version(promoting_app(topic)):
                raise FatalError(
                    f"a replay of {topic} is being promoted: wait until it has finished, or run "
                    "`goldpan replay promote` again (`goldpan replay list` shows its name)"
                )

    def _raise_generation(
        self, table: Table, topics: Sequence[str], guards: Sequence[Guard]
    ) -> None:
        generations = {topic: table.txn_version(redrive_app(topic)) for topic in topics}
        change = TableCommit(
            entry=LedgerEntry(EntryKind.RETENTION, []),
            token=self.context.new_token(),
            moves=[Move(redrive_app(t), n, (n or 0) + 1) for t, n in generations.items()],
            guards=guards,
        )
        commit(table, change, self.context)


def _places(rows: pa.Table | pa.RecordBatch) -> set[tuple[int, int | None]]:
    """Return offset and index of each row."""
    return set(zip(rows["_offset"].to_pylist(), rows["_index"].to_pylist(), strict=True))


def _group_by_source(rows: pa.Table) -> Mapping[SourcePartition, pa.Table]:
    names = rows.group_by(["_topic", "_partition"]).aggregate([]).to_pylist()
    return {
        SourcePartition(group["_topic"], group["_partition"]): rows.filter(
            (pc.field("_topic") == group["_topic"])
            & (pc.field("_partition") == group["_partition"])
        )
        for group in names
    }
