"""Rows that others move between a primary table and quarantine, while rows of the two expire.

A re-drive and the promotion of a replay commit to both tables, one after the other, and each row is
counted in both. So what expires must not be a row that is on its way:

1. the mark of the days that are over is in the table's log before (`lake.retention_horizon`): who looks
   from then on leaves rows of those days where they are;
2. who looked before is fenced: the generation of the topic moves in the table that he commits to
   first. While a replay is being promoted nothing is done at all (`lake.ledger.promoting_app`);
3. a row that is in both tables then is one that somebody died over, and one of quarantine beyond
   the position of its table is of a flush under way: its day waits until that has come to its end.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from batch.retention.expiring import ExpiringDay, read_coordinates
from lake.commit import commit
from lake.ledger import (
    EntryKind,
    LedgerEntry,
    SourcePartition,
    adopted_app,
    position_app,
    promoting_app,
)
from lake.quarantine import ingested_since, redrive_app
from lake.table_commit import CommitContext, Guard, Move, TableCommit
from lake.tables import Table
from schemas.errors import FatalError


@dataclass(frozen=True, slots=True)
class InFlightGuard:
    """Quarantine and the primary tables; ``table``, whose rows expire, is one of them."""

    table: Table
    primaries: Sequence[Table]
    quarantine: Table
    means: CommitContext

    def fence(self, sources: Iterable[SourcePartition]) -> None:
        """Fence whoever looked at rows of these partitions before.

        Raises FencedError if somebody else moves rows just now: look again. FatalError if a replay
        of one of the topics is being promoted.
        """
        mine = set(sources)
        topics = sorted({source.topic for source in mine})
        if not topics:
            return
        self.means.retry.call("reading table quarantine", self.quarantine.refresh)
        self._next_generation(self.quarantine, topics, self.guards(topics))
        if self.table is self.quarantine:
            for primary in self.primaries:
                self.means.retry.call(f"reading table {primary.name}", primary.refresh)
                here = {s.topic for s in mine if primary.number(position_app(s)) is not None}
                if here:
                    self._next_generation(primary, sorted(here), [])

    def guards(self, topics: Iterable[str]) -> list[Guard]:
        """Return what must hold for a commit to quarantine: no promotion is under way.

        Raises FatalError if one is.
        """
        topics = list(topics)
        self._refuse_promotion(topics)
        apps = [promoting_app(topic) for topic in topics]
        return [Guard(app, self.quarantine.number(app)) for app in apps]

    def on_their_way(self, one: ExpiringDay) -> bool:
        """Tell whether a row that is due is in the other table too, or of a flush under way."""
        others = self.primaries if self.table is self.quarantine else [self.quarantine]
        mine = _by_source(read_coordinates(self.table, one.files))
        for other in others:
            self.means.retry.call(f"reading table {other.name}", other.refresh)
            for source, rows in mine.items():
                adopted = other.number(adopted_app(source.topic)) or 0
                lately = rows.filter(ingested_since(adopted))
                if self._ahead(other, source, lately):
                    return True
                if self._shared(other, source, lately, adopted):
                    return True
        return False

    def _ahead(self, other: Table, source: SourcePartition, rows: pa.Table) -> bool:
        """Tell whether a worker has set a row aside, and not yet committed to the primary table."""
        position = other.number(position_app(source))
        if self.table is not self.quarantine or position is None or not len(rows):
            return False
        return bool(pc.max(rows["_offset"]).as_py() >= position)

    def _shared(self, other: Table, source: SourcePartition, rows: pa.Table, adopted: int) -> bool:
        """Tell whether another table holds one of these rows, of the same life of the topic."""
        if not len(rows):
            return False
        ends = pc.min_max(rows["_offset"])
        at = pc.field("_offset")
        near = (at >= ends["min"]) & (at <= ends["max"]) & ingested_since(adopted)
        near &= pc.field("_partition") == source.partition
        offsets = rows["_offset"].combine_chunks()
        return any(
            pc.any(pc.is_in(some, value_set=offsets), min_count=0).as_py()
            for batch in other.batches(["_topic", "_offset"], near)
            for some in [batch.filter(pc.equal(batch["_topic"], source.topic))["_offset"]]
        )

    def _refuse_promotion(self, topics: Iterable[str]) -> None:
        for topic in topics:
            if self.quarantine.number(promoting_app(topic)):
                raise FatalError(
                    f"a replay of {topic} is being promoted: let it come to its end first, or run "
                    "`goldpan replay promote` again (`goldpan replay list` tells its name)"
                )

    def _next_generation(
        self, table: Table, topics: Sequence[str], guards: Sequence[Guard]
    ) -> None:
        numbers = {topic: table.number(redrive_app(topic)) for topic in topics}
        change = TableCommit(
            entry=LedgerEntry(EntryKind.RETENTION, []),
            token=self.means.new_token(),
            moves=[Move(redrive_app(t), n, (n or 0) + 1) for t, n in numbers.items()],
            guards=guards,
        )
        commit(table, change, self.means)


def _by_source(rows: pa.Table) -> Mapping[SourcePartition, pa.Table]:
    names = rows.group_by(["_topic", "_partition"]).aggregate([]).to_pylist()
    return {
        SourcePartition(one["_topic"], one["_partition"]): rows.filter(
            (pc.field("_topic") == one["_topic"]) & (pc.field("_partition") == one["_partition"])
        )
        for one in names
    }
