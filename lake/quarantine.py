"""Counts, reads and removes quarantined records."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lake.ledger import EntryKind, LedgerEntry, SourcePartition, SourceRange
from lake.live_files import LiveFile, StoredRows, list_live_files, read_file_rows, rewrite_rows
from lake.rewrite import FileReplacedError, replace_files
from lake.table_commit import CommitContext, Guard, Move, TableCommit
from lake.table_log import adopted_app, redrive_app
from lake.tables import FILE_COLUMN, Table
from schemas.errors import RetryableError

QUARANTINE_COLUMNS = (
    "_topic",
    "_partition",
    "_offset",
    "_index",
    "_ingested_at",
    "_schema",
    "_policy",
    "record_timestamp",
    "reason",
    "field",
    "detail",
    "size_bytes",
    "fingerprint",
    "sealed_key_id",
)
"""The columns that may be shown of a quarantined record: all but the sealed payload."""


@dataclass(frozen=True, slots=True)
class QuarantineFilter:
    """Selects quarantined records; None selects any."""

    topic: str | None = None
    reason: str | None = None
    partition: int | None = None
    offset: int | None = None

    @property
    def numbers(self) -> pc.Expression | None:
        """Return the condition on numeric columns."""
        condition: pc.Expression | None = None
        for column, value in (("_partition", self.partition), ("_offset", self.offset)):
            if value is not None:
                test = pc.field(column) == value
                condition = test if condition is None else condition & test
        return condition

    @property
    def texts(self) -> Mapping[str, str]:
        """Return the selected texts, by column."""
        texts = {"_topic": self.topic, "reason": self.reason}
        return {column: value for column, value in texts.items() if value is not None}


def read_quarantined(
    table: Table, selected: QuarantineFilter, *, payload: bool = False
) -> pa.Table:
    """Return the records that match, in order of topic, partition and offset."""
    table.refresh()
    columns = [*QUARANTINE_COLUMNS, "sealed_payload"] if payload else list(QUARANTINE_COLUMNS)
    rows = table.read(columns, selected.numbers, texts=selected.texts)
    return rows.sort_by(
        [(name, "ascending") for name in ("_topic", "_partition", "_offset", "_index")]
    )


def summarize_quarantined(rows: pa.Table) -> list[Mapping[str, Any]]:
    """Return how many records there are by topic, reason and field, the most frequent first."""
    if not len(rows):
        return []
    groups = rows.group_by(["_topic", "reason", "field"]).aggregate(
        [([], "count_all"), ("_ingested_at", "min"), ("_ingested_at", "max")]
    )
    return sorted(groups.to_pylist(), key=lambda group: -group["count_all"])


ItemCoordinates = tuple[int, int, int | None]
"""Partition, offset and index of a row of quarantine; without an index it is a whole record."""


def moved_ranges(coordinates: Iterable[SourcePartition]) -> list[SourceRange]:
    """Return ledger ranges that only count the moved rows of each partition."""
    counts = Counter(coordinates)
    return [
        SourceRange(s.topic, s.partition, 0, 0, stored=n, quarantined=n) for s, n in counts.items()
    ]


def remove_quarantined(  # noqa: PLR0913 - the records, the context and the kind of the commit
    table: Table,
    topic: str,
    coordinates: Sequence[ItemCoordinates],
    context: CommitContext,
    *,
    generation: int | None = None,
    kind: EntryKind = EntryKind.REDRIVE,
) -> int:
    """Remove rows of a topic, by partition, offset and index; return how many were there.

    Records from before the topic was adopted stay: their offsets belong to another incarnation.
    ``generation`` is the one that the caller read first, 0 if there was none; without it, the
    current one is used. ``kind`` is that of the ledger entry.

    The files that hold the records are replaced by files without them (`lake.rewrite`), with a
    ledger entry and the next generation. Raises FencedError if another redrive removes records at
    the same time. If another program replaces one of the files, they are read again.
    """
    app = redrive_app(topic)
    table.refresh()
    before = (table.txn_version(app) or 0) if generation is None else generation
    token = context.new_token()

    def attempt() -> int:
        table.refresh()
        incarnation = Guard(adopted_app(topic), table.txn_version(adopted_app(topic)))
        adopted = incarnation.expected or 0
        touched = _touched(table, topic, adopted, coordinates)
        if not touched:
            return 0
        old = [file for file, _ in touched]
        removed = [source for _, sources in touched for source in sources]
        new = [
            rewrite_rows(table, remaining, instead_of=[file], retry=context.retry)
            for file in old
            for remaining in [_remaining(table, file, topic, adopted, coordinates)]
            if len(remaining)
        ]
        change = TableCommit(
            removes=old,
            adds=new,
            entry=LedgerEntry(kind, moved_ranges(removed)),
            token=token,
            moves=[Move(app, before or None, before + 1)],
            guards=[incarnation],
        )
        try:
            replace_files(table, change, context)
        except FileReplacedError as error:
            raise RetryableError(str(error)) from error
        return len(removed)

    return context.retry.call("removing records from quarantine", attempt)


def ingested_since(micros: int) -> pc.Expression:
    """Return the condition that rows were ingested at a time (microseconds since 1970) or later."""
    return pc.field("_ingested_at") >= pa.scalar(micros, pa.timestamp("us", "UTC"))


def _touched(
    table: Table, topic: str, adopted: int, coordinates: Sequence[ItemCoordinates]
) -> list[tuple[LiveFile, list[SourcePartition]]]:
    """Return the files that hold some of these records, each with the partitions of those."""
    rows = table.read(
        ["_partition", "_offset", "_index", FILE_COLUMN],
        ingested_since(adopted),
        texts={"_topic": topic},
    )
    selected = set(coordinates)
    by_path: dict[str, list[SourcePartition]] = defaultdict(list)
    for partition, offset, item, path in zip(*(c.to_pylist() for c in rows.columns), strict=True):
        if (partition, offset, item) in selected:
            by_path[path].append(SourcePartition(topic, partition))
    return [(file, by_path[file.path]) for file in list_live_files(table) if file.path in by_path]


def _remaining(
    table: Table,
    file: LiveFile,
    topic: str,
    adopted: int,
    coordinates: Sequence[ItemCoordinates],
) -> StoredRows:
    """Return the rows of a file that stay."""
    stored, selected = read_file_rows(table, file), set(coordinates)
    rows = stored.rows
    since = pa.scalar(adopted, pa.timestamp("us", "UTC"))
    current = pc.and_(
        pc.equal(rows["_topic"], topic), pc.greater_equal(rows["_ingested_at"], since)
    )
    columns = (rows[name].to_pylist() for name in ("_partition", "_offset", "_index"))
    named = pa.array([where in selected for where in zip(*columns, strict=True)], pa.bool_())
    return stored.filter(pc.invert(pc.and_(current, named)))
