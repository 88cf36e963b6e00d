"""Retries quarantined records under the current schemas and policy.

1. Read which records of the topic are quarantined, and their payload: the sealed one, or else what
   Kafka still has at their coordinates.
2. Decode and redact them (`stream.redrive_attempt`); those that still fail stay where they are.
   Records of erased persons, which cannot be recognised while sealed, are removed from quarantine
   and stored nowhere.
3. Commit the others to the primary table. A generation number, read before step 1 reads that
   table, rules out two concurrent redrives.
4. Remove them from quarantine.

A crash between 3 and 4 leaves records in both tables, and `lake verify` reports it. The next run
sees that the primary table holds them and continues with 4.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import pyarrow.compute as pc

from lake.commit import commit
from lake.fences import ERASURE_FENCE
from lake.ledger import EntryKind, Incarnation, LedgerEntry, SourcePartition
from lake.parquet import encode_files
from lake.quarantine import (
    ItemCoordinates,
    QuarantineFilter,
    ingested_since,
    read_quarantined,
    remove_quarantined,
)
from lake.retention_horizon import ROWS_PART, complete_from
from lake.table_commit import CommitContext, Move, TableCommit
from lake.table_log import adopted_app, promoting_app, redrive_app
from lake.tables import Table
from schemas.arrow import EVENT_DATE
from schemas.errors import FatalError, FencedError
from schemas.record_batches import RawRecord
from schemas.times import from_micros
from stream.applied_tombstones import AppliedTombstones
from stream.flusher import describe_changed_topic
from stream.intake import RecordDecoder, RecordRedactor
from stream.redrive_attempt import AttemptedRows, RedriveAttempt

Coordinates = tuple[int, int]
_PLACE: Final = ("_partition", "_offset", "_index")


class PayloadUnsealer(Protocol):
    """What a redrive needs of the sealer; see `redact.crypto.sealing.Sealer`."""

    def open(  # noqa: PLR0913 - the coordinates, and the two columns of the payload
        self,
        *,
        topic: str,
        partition: int,
        offset: int,
        sealed_payload: bytes,
        sealed_key_id: str,
        item: int | None,
    ) -> bytes:
        """Return the original payload."""


@dataclass(frozen=True, slots=True)
class RedriveResult:
    """What became of the retried records.

    ``stored`` are now in their table (``already`` of them were there before, after a crash).
    ``still`` counts by reason those that fail again. ``gone`` are those without a payload, of an
    earlier incarnation of the topic, or past their retention. ``erased`` are those of erased
    persons. ``waiting`` were not tried: a worker has yet to pass them in their table.
    """

    tried: int
    stored: int
    already: int
    gone: int
    still: Mapping[str, int] = field(default_factory=dict)
    erased: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Redrive:
    """Retries records of one topic."""

    topic: str
    primary: Table
    quarantine: Table
    decoder: RecordDecoder
    redactor: RecordRedactor
    unsealer: PayloadUnsealer
    fetch: Callable[[str, Sequence[Coordinates]], Mapping[Coordinates, RawRecord]]
    incarnation: Callable[[str], Incarnation]
    context: CommitContext
    erasures: AppliedTombstones
    reached: Callable[[str], None] = lambda _step: None

    def run(self, matching: QuarantineFilter, *, dry_run: bool = False) -> RedriveResult:
        """Retry the matching records; with ``dry_run`` only report what would become of them.

        Raises RetryableError or FatalError if the lake or Kafka is unusable, FencedError if another
        redrive of the topic runs at the same time.
        """
        self._load_tombstones()
        try:
            return self._run(matching, dry_run=dry_run)
        except FencedError:
            if not self._load_tombstones():
                raise
        return self.run(matching, dry_run=dry_run)

    def _load_tombstones(self) -> bool:
        return self.context.retry.call("reading tombstones", self.erasures.reload)

    def _run(self, matching: QuarantineFilter, *, dry_run: bool) -> RedriveResult:
        # The generation first: retention marks rows of quarantine as expired, then moves it.
        self.primary.refresh()
        generation = self.primary.txn_version(redrive_app(self.topic))
        candidates = read_quarantined(self.quarantine, matching, payload=True).to_pylist()
        quarantine_generation = self._read_generation()
        expired = self._read_expired()
        rows = self._select_passed(candidates)
        current = self._select_current(rows)
        already = self._find_in_primary({_coordinates(row) for row in current})
        retried = [row for row in current if _coordinates(row) not in already | expired]
        raws = self._payloads(retried)
        attempt = RedriveAttempt(
            self.topic,
            self.decoder,
            self.redactor,
            self.erasures.kept_out,
            self.context.now_us(),
        ).run(raws, map(_coordinates, retried))
        if not dry_run:
            if attempt.passed:
                self._store(attempt, generation)
            self.reached("stored")
            remove_quarantined(
                self.quarantine,
                self.topic,
                [*attempt.passed, *already],
                self.context,
                generation=quarantine_generation,
            )
            self._forget(attempt.forgotten)
        settled = attempt.passed | attempt.failed | attempt.forgotten
        return RedriveResult(
            tried=len(rows),
            stored=len(attempt.passed) + len(already),
            already=len(already),
            gone=len(rows) - len(settled) - len(already),
            still=attempt.still,
            erased=len(attempt.forgotten),
            waiting=len(candidates) - len(rows),
        )

    def _forget(self, forgotten: set[ItemCoordinates]) -> None:
        remove_quarantined(
            self.quarantine, self.topic, list(forgotten), self.context, kind=EntryKind.ERASE
        )

    def _read_generation(self) -> int:
        """Return quarantine's generation; FatalError if a replay is moving records."""
        if self.quarantine.txn_version(promoting_app(self.topic)):
            raise FatalError(
                f"a replay of {self.topic} is being promoted: let it finish first, or repeat "
                "`goldpan replay promote` (`goldpan replay list` shows its name)"
            )
        return self.quarantine.txn_version(redrive_app(self.topic)) or 0

    def _read_expired(self) -> set[ItemCoordinates]:
        """Return the records of days that expire in quarantine: retention may be removing them."""
        first_day = complete_from(self.quarantine, ROWS_PART)
        if first_day is None:
            return set()
        days = pc.field(EVENT_DATE) < first_day
        rows = self.quarantine.read(list(_PLACE), days, texts={"_topic": self.topic})
        return set(zip(*(column.to_pylist() for column in rows.columns), strict=True))

    def _select_passed(self, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Leave out records that the primary table has yet to pass: a worker still reads them."""
        sources = {SourcePartition(self.topic, row["_partition"]) for row in rows}
        positions = self.primary.positions(list(sources))
        return [
            row
            for row in rows
            if row["_offset"] < (positions[SourcePartition(self.topic, row["_partition"])] or 0)
        ]

    def _select_current(self, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Leave out records of an earlier incarnation: their offsets now belong to others."""
        adopted = self.quarantine.txn_version(adopted_app(self.topic))
        if adopted is None:
            return list(rows)
        since = from_micros(adopted)
        return [row for row in rows if row["_ingested_at"] >= since]

    def _payloads(self, rows: Sequence[Mapping[str, Any]]) -> list[RawRecord]:
        missing: list[Coordinates] = []
        raws: list[RawRecord] = []
        for row in rows:
            if row["sealed_payload"] is None:
                missing.append((row["_partition"], row["_offset"]))
            else:
                raws.append(self._unseal(row))
        if missing:
            self._check_incarnation()
        fetched = self.fetch(self.topic, missing) if missing else {}
        raws += [fetched[where] for where in dict.fromkeys(missing) if where in fetched]
        return sorted(raws, key=lambda raw: (raw.partition, raw.offset, raw.item or 0))

    def _check_incarnation(self) -> None:
        recorded = self.primary.incarnation_version(self.topic)
        if recorded is not None and self.incarnation(self.topic).version() != recorded:
            raise FatalError(describe_changed_topic(self.topic))

    def _unseal(self, row: Mapping[str, Any]) -> RawRecord:
        value = self.unsealer.open(
            topic=self.topic,
            partition=row["_partition"],
            offset=row["_offset"],
            item=row["_index"],
            sealed_payload=row["sealed_payload"],
            sealed_key_id=row["sealed_key_id"],
        )
        stamp = row["record_timestamp"]
        millis = -1 if stamp is None else int(stamp.timestamp() * 1000)
        return RawRecord(row["_partition"], row["_offset"], millis, None, value, item=row["_index"])

    def _find_in_primary(self, passed: set[ItemCoordinates]) -> set[ItemCoordinates]:
        """Return the rows of quarantine that the primary table has: any item of a whole record."""
        if not passed:
            return set()
        offsets = [offset for _, offset, _ in passed]
        rows = self.primary.read(
            list(_PLACE),
            (pc.field("_offset") >= min(offsets))
            & (pc.field("_offset") <= max(offsets))
            & ingested_since(self.quarantine.txn_version(adopted_app(self.topic)) or 0),
            texts={"_topic": self.topic},
        )
        stored = set(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        whole = {(partition, offset, None) for partition, offset, _ in stored}
        return passed & (stored | whole)

    def _store(self, attempt: AttemptedRows, generation: int | None) -> None:
        ranges = attempt.ranges(self.topic)
        redacted = [] if attempt.rows is None else [attempt.rows]
        files = encode_files(redacted, ranges=ranges, layout=self.primary.layout)
        for file in files:
            self.context.retry.call("writing redriven records", _upload(self.primary, file))
        commit(
            self.primary,
            TableCommit(
                entry=LedgerEntry(EntryKind.REDRIVE, ranges),
                token=self.context.new_token(),
                moves=[Move(redrive_app(self.topic), generation, (generation or 0) + 1)],
                guards=[ERASURE_FENCE.guard(self.erasures.newest)],
                adds=files,
            ),
            self.context,
        )


def _upload(table: Table, file: Any) -> Callable[[], None]:
    return lambda: table.files.put(file.path, file.data)


def _coordinates(row: Mapping[str, Any]) -> ItemCoordinates:
    return row["_partition"], row["_offset"], row["_index"]
