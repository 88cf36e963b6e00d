"""The records that were set aside: counting them, finding them, taking them out again."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, Transaction
from deltalake.exceptions import DeltaError

from lake.ledger import Entry, EntryKind, Source, SourceRange, adopted_app, token_app
from lake.retry import Retry
from lake.tables import Table
from schemas.errors import FencedError, RetryableError

COLUMNS = (
    "_topic",
    "_partition",
    "_offset",
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
"""What may be shown of a quarantined record: everything but the sealed payload."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are meant; None means any."""

    topic: str | None = None
    reason: str | None = None
    partition: int | None = None
    offset: int | None = None

    @property
    def numbers(self) -> pc.Expression | None:
        """Return what is asked of numbers, as pyarrow has it."""
        found: pc.Expression | None = None
        for column, value in (("_partition", self.partition), ("_offset", self.offset)):
            if value is not None:
                test = pc.field(column) == value
                found = test if found is None else found & test
        return found

    @property
    def texts(self) -> Mapping[str, str]:
        """Return the texts that are asked for, by column."""
        wanted = {"_topic": self.topic, "reason": self.reason}
        return {column: value for column, value in wanted.items() if value is not None}


def rows(table: Table, which: Filter, *, payload: bool = False) -> pa.Table:
    """Return the records that match, in order of topic, partition and offset."""
    table.refresh()
    columns = [*COLUMNS, "sealed_payload"] if payload else list(COLUMNS)
    found = table.read(columns, which.numbers, texts=which.texts)
    return found.sort_by([(name, "ascending") for name in ("_topic", "_partition", "_offset")])


def summary(found: pa.Table) -> list[Mapping[str, Any]]:
    """Return how many records there are by topic, reason and field, the most frequent first."""
    if not len(found):
        return []
    groups = found.group_by(["_topic", "reason", "field"]).aggregate(
        [([], "count_all"), ("_ingested_at", "min"), ("_ingested_at", "max")]
    )
    return sorted(groups.to_pylist(), key=lambda group: -group["count_all"])


def generation_app(topic: str) -> str:
    """Return the application id that counts the re-drives of a topic, in both of its tables."""
    return f"{topic}#redrive"


def counts(coordinates: Iterable[Source]) -> list[SourceRange]:
    """Return ledger ranges that say only how many records of each partition moved."""
    found = Counter(coordinates)
    return [
        SourceRange(s.topic, s.partition, 0, 0, stored=n, quarantined=n) for s, n in found.items()
    ]


def take_out(
    table: Table,
    topic: str,
    coordinates: Sequence[tuple[int, int]],
    *,
    retry: Retry,
    token: int,
) -> int:
    """Remove records of a topic, by (partition, offset); return how many were there.

    Those from before the topic was adopted stay: their offsets are of another incarnation.

    The commit carries its ledger entry, a generation number and a random ``token``, so that a
    commit without an answer is settled by reading them, as in `lake.commit`. Raises FencedError if
    another re-drive takes records out at the same time.
    """
    app = generation_app(topic)
    table.refresh()
    before = table.number(app) or 0
    adopted = table.number(adopted_app(topic)) or 0
    present = _present(table, topic, adopted, coordinates)
    if not present:
        return 0
    entry = Entry(EntryKind.REDRIVE, counts(Source(topic, p) for p, _ in present))

    def attempt() -> int:
        table.refresh()
        if table.number(token_app(app)) == token:
            return len(present)
        if (table.number(app) or 0) != before:
            raise FencedError(f"table {table.name}: another re-drive of {topic} is under way")
        try:
            table.handle.delete(
                _predicate(topic, adopted, present),
                commit_properties=CommitProperties(
                    custom_metadata=entry.to_metadata(),
                    app_transactions=[
                        Transaction(app, before + 1),
                        Transaction(token_app(app), token),
                    ],
                ),
            )
        except (DeltaError, OSError) as error:
            raise RetryableError(
                f"table {table.name}: commit unknown ({type(error).__name__})"
            ) from error
        return len(present)

    return retry.call("taking records out of quarantine", attempt)


def ingested_since(micros: int) -> pc.Expression:
    """Return the condition that rows were ingested at a time (microseconds since 1970) or later."""
    return pc.field("_ingested_at") >= pa.scalar(micros, pa.timestamp("us", "UTC"))


def _present(
    table: Table, topic: str, adopted: int, coordinates: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    wanted = set(coordinates)
    found = table.read(["_partition", "_offset"], ingested_since(adopted), texts={"_topic": topic})
    pairs = zip(found["_partition"].to_pylist(), found["_offset"].to_pylist(), strict=True)
    return sorted(wanted.intersection(pairs))


def _predicate(topic: str, adopted: int, coordinates: Sequence[tuple[int, int]]) -> str:
    """Return the SQL condition that holds for these records and no others."""
    since = datetime.fromtimestamp(adopted // 1_000_000, UTC) + timedelta(
        microseconds=adopted % 1_000_000
    )
    by_partition: dict[int, list[str]] = {}
    for partition, offset in coordinates:
        by_partition.setdefault(partition, []).append(str(offset))
    tests = [
        f"(_partition = {partition} AND _offset IN ({', '.join(offsets)}))"
        for partition, offsets in by_partition.items()
    ]
    quoted = topic.replace("'", "''")
    return (
        f"_topic = '{quoted}' AND _ingested_at >= '{since.isoformat()}' AND ({' OR '.join(tests)})"
    )
