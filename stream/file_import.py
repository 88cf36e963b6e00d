"""Takes the records of a file into ``otel_spans``, exactly once for each content of a file.

To the tables a file is a topic with one partition: its name is ``#import/`` and the digest of the
content, its offsets count the records. The steps and their guarantees are those of the worker's
flushes: the positions say what was taken in before, and of two importers one is rejected, reads the
positions again and goes on.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Final

from assembly.row_writer import LoadedTombstones
from lake.ledger import Incarnation, SourcePartition
from lake.retry import Retry
from lake.table_commit import CommitContext
from lake.tables import Lake
from schemas.arrow import AUDIT_TABLE, QUARANTINE_TABLE, SPANS_TABLE
from schemas.errors import FatalError, FencedError, UsageError
from schemas.reasons import QuarantineReason
from schemas.record_batches import RawRecord
from schemas.times import from_micros
from stream.buffer import Flush, TopicBuffer
from stream.flusher import RecordFlushRunner
from stream.intake import Intake, split_by_bytes
from stream.owned_partition import Assignment, OwnedPartition
from stream.signal_decoder import SignalDecoder
from stream.take_over import TakeOver

IMPORT_PREFIX: Final = "#import/"
ATTEMPTS: Final = 20
"""How often a file is begun again because another importer, or an erasure, was faster."""
_RAISE_LIMIT: Final = "Raise GOLDPAN_STREAM__MAX_RECORD_BYTES, or write one item per line."


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file with ``count`` records, which ``read`` yields from the first one on.

    ``digest`` is that of its content, unpacked, in hexadecimal.
    """

    digest: str
    count: int
    read: Callable[[], Iterator[RawRecord]]

    @property
    def source(self) -> SourcePartition:
        """The file as a partition of a topic."""
        return SourcePartition(f"{IMPORT_PREFIX}{self.digest[:32]}", 0)

    @property
    def incarnation(self) -> Incarnation:
        """The file as an incarnation of that topic: the same wherever it is read."""
        return incarnation_of(self.source.topic)


def incarnation_of(topic: str) -> Incarnation:
    """Return the incarnation of a file's topic: another content has another topic."""
    return Incarnation("#import", topic)


@dataclass(slots=True)
class ImportReport:
    """What became of the items of a file. ``known`` records were imported before."""

    records: int = 0
    known: int = 0
    stored: int = 0
    quarantined: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class FileImport:
    """Imports files with one format. ``part_bytes`` of records are committed at once."""

    lake: Lake
    decoder: SignalDecoder
    intake: Intake
    runner: RecordFlushRunner
    tombstones: LoadedTombstones
    retry: Retry
    context: CommitContext
    audited: bool
    part_bytes: int

    def find_first_day(self, file: ImportedFile) -> date | None:
        """Return the day (UTC) of the earliest item; None if no record has one.

        Raises UsageError if no record of the file can be read: it has another format, or its
        records are too large.
        """
        first: int | None = None
        refused, too_large = Counter[str](), 0
        for raw in file.read():
            decoded, rejected = self.decoder.decode(file.source.topic, [raw])
            times = [record.started_at for record in decoded.records]
            first = min([*times, *([] if first is None else [first])], default=None)
            whole = [item for item in rejected if item.raw.item is None]
            refused.update(item.detail for item in whole)
            too_large += sum(item.reason is QuarantineReason.TOO_LARGE for item in whole)
        if file.count and sum(refused.values()) == file.count:
            reason = refused.most_common(1)[0][0]
            advice = _RAISE_LIMIT if 2 * too_large > file.count else "Choose another --format."
            raise UsageError(f"no record can be read: {reason} {advice}")
        return None if first is None else from_micros(first).date()

    def run(self, file: ImportedFile) -> ImportReport:
        """Take in what the lake does not have yet.

        Raises FatalError if others are faster all the time or the lake fails for too long.
        """
        for _ in range(ATTEMPTS):
            try:
                return self._run(file)
            except FencedError:
                continue
        raise FatalError(
            f"other writers were faster during each of {ATTEMPTS} attempts: run this again"
        )

    def _run(self, file: ImportedFile) -> ImportReport:
        self.retry.call("reading the tombstones", self.tombstones.reload)
        owned = self.retry.call("reading the positions", lambda: self._take(file))
        report = ImportReport(records=file.count, known=owned.range.next)
        assignment, buffer = Assignment(), TopicBuffer(file.source.topic)
        assignment.add([owned])
        new = islice(file.read(), owned.range.next, None)
        for part in split_by_bytes(new, self.part_bytes):
            self.intake.take(part, assignment, buffer, 0.0)
            flush = buffer.seal(
                [owned],
                file.incarnation,
                self.context.new_token(),
                erasures=self.tombstones.newest,
            )
            if flush is not None:
                self.runner.run(flush)
                _count(report, flush)
        return report

    def _take(self, file: ImportedFile) -> OwnedPartition:
        take_over = TakeOver(
            primary={file.source.topic: self.lake.table(SPANS_TABLE)},
            quarantine=self.lake.table(QUARANTINE_TABLE),
            audit=self.lake.table(AUDIT_TABLE) if self.audited else None,
            labels=None,
            incarnation=incarnation_of,
            watermarks=lambda _source: (0, file.count),
            start="earliest",
            on_lost_offsets="fail",
            on_lost=lambda _source, _first, _end: None,
        )
        (owned,), _ = take_over.take([file.source])
        return owned


def _count(report: ImportReport, flush: Flush) -> None:
    for item in flush.primary.ranges:
        report.stored += item.stored
        report.quarantined += item.quarantined
        report.dropped.update(item.dropped)
