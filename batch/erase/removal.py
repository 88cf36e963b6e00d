"""Takes the rows of a look out of one table: its files are written again without them.

Rows of the audit stay, but say nothing any more (`redact.pipeline.audit.blank_erased_rows`), so that the chain that
they are part of still holds. Each commit is a compare-and-swap on the files that go
(`lake.rewrite`). It says in the ledger how many rows of which partition went, and beside that for
which erasure, and where the records had lain: a later run, or a receipt, needs no other memory.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from batch.erase.scanner import ErasureScanner, TableMatches
from batch.erase.scope import ErasureScope, RecordCoordinates, collect_coordinates
from batch.erase.table_set import TableSet
from batch.erase.text_search import RowFlags
from lake.ledger import EntryKind, LedgerEntry, SourcePartition, SourceRange
from lake.live_files import LiveFile, StoredRows, UploadedFile, read_file_rows, rewrite_rows
from lake.rewrite import FileReplacedError, replace_files
from lake.table_commit import CommitContext, TableCommit
from lake.tombstones import Tombstone
from redact.crypto.subjects import marks_of_events
from redact.pipeline.audit import blank_erased_rows
from schemas.arrow import AUDIT_TABLE, LABELS_TABLE, PRIMARY_TABLES, QUARANTINE_TABLE

ERASURE_KEY: Final = "goldpan.erasure"
"""Says in a commit's metadata for which erasure it was made, and what it took where."""

_SKEW_MS: Final = 86_400_000  # clocks may differ by this much
_TOGETHER: Final = 16  # files in one commit
_WITH_PLACES: Final = (*PRIMARY_TABLES, QUARANTINE_TABLE, AUDIT_TABLE)


def remove_rows(
    found: TableMatches,
    wanted: ErasureScope,
    number: int,
    searcher: ErasureScanner,
    means: CommitContext,
) -> None:
    """Take out what a look found, a few files a commit.

    Files that another has replaced meanwhile are left to the next look. Raises FatalError if the
    lake does not answer in time, RetryableError if told to stop.
    """
    files = [found.files[path] for path in sorted(found.files)]
    for start in range(0, len(files), _TOGETHER):
        some = files[start : start + _TOGETHER]
        change = _Change(found, wanted, searcher, means)
        new = [one for file in some for one in change.without(file)]
        replacement = TableCommit(
            removes=some,
            adds=new,
            entry=LedgerEntry(EntryKind.ERASE, change.ranges()),
            token=means.new_token(),
            metadata={ERASURE_KEY: json.dumps(change.told(number), separators=(",", ":"))},
        )
        try:
            replace_files(found.table, replacement, means)
        except FileReplacedError:
            continue


class _Change:
    """What one commit does; counts as it goes."""

    def __init__(
        self,
        found: TableMatches,
        wanted: ErasureScope,
        searcher: ErasureScanner,
        means: CommitContext,
    ) -> None:
        self._table, self._wanted, self._means = found.table, wanted, means
        self._searcher = searcher
        self._own = self._mentions = 0
        self._places: dict[SourcePartition, frozenset[int]] = {}
        self._rows = Counter[SourcePartition]()
        self._events: list[str] = []

    def without(self, file: LiveFile) -> Iterator[UploadedFile]:
        """Write what stays of a file; nothing if no row does."""
        what = f"reading table {self._table.name}"
        rows = self._means.retry.call(what, lambda: read_file_rows(self._table, file))
        own, mention = self._searcher.flags(self._table.name, rows.rows, self._wanted)
        goes = own | mention
        self._own += int(own.sum())
        self._mentions += int(mention.sum())
        places = collect_coordinates(rows.rows, goes)
        for source, offsets in places.items():
            self._places[source] = self._places.get(source, frozenset()) | offsets
        if self._table.name == LABELS_TABLE:
            self._events += rows.rows["label_event_id"].filter(pa.array(goes)).to_pylist()
        left = self._left(rows, goes)
        if len(left):
            yield rewrite_rows(self._table, left, instead_of=[file], retry=self._means.retry)

    def _left(self, rows: StoredRows, goes: RowFlags) -> StoredRows:
        if self._table.name == AUDIT_TABLE:
            return StoredRows(rows.name, rows.day, blank_erased_rows(rows.rows, pa.array(goes)))
        some = rows.rows.filter(pa.array(goes)).select(["_topic", "_partition"]).to_pydict()
        self._rows.update(map(SourcePartition, some["_topic"], some["_partition"]))
        return rows.where(pa.array(~goes))

    def ranges(self) -> list[SourceRange]:
        """Return how many rows went, by partition."""
        return [SourceRange(*s, 0, 0, stored=count) for s, count in sorted(self._rows.items())]

    def told(self, number: int) -> dict[str, Any]:
        """Return what the commit's metadata say."""
        body: dict[str, Any] = {"erasure": number, "own": self._own, "mentions": self._mentions}
        if self._table.name in _WITH_PLACES:
            body["places"] = {str(s): format_spans(o) for s, o in sorted(self._places.items())}
        if self._events:
            body["event_marks"] = marks_of_events(self._wanted.persons.keys, self._events)
        return body


def read_commit_notes(
    places: Sequence[TableSet], tombs: Iterable[Tombstone]
) -> Iterator[tuple[str, int, Any]]:
    """Yield what commits for some erasures say: where, at which version, and what they took.

    Raises RetryableError if a lake does not answer.
    """
    until = {tomb.number: tomb.until_us for tomb in tombs}
    since_ms = min(until.values(), default=0) // 1000 - _SKEW_MS
    for place in places if until else ():
        for name, table in sorted(place.tables.items()):
            table.refresh()
            for version, commit in table.said(ERASURE_KEY, since_ms=since_ms):
                said = json.loads(commit)
                if said["erasure"] in until:
                    yield place.path_of(name), version, said


def coordinates_in_notes(said: Iterable[Mapping[str, Any]]) -> RecordCoordinates:
    """Return all coordinates that commits speak of."""
    found: dict[SourcePartition, frozenset[int]] = {}
    for one in said:
        for name, text in one.get("places", {}).items():
            topic, _, partition = name.rpartition("/")
            source = SourcePartition(topic, int(partition))
            found[source] = found.get(source, frozenset()) | parse_spans(text)
    return found


def coordinates_in_receipts(
    receipts: Iterable[Mapping[str, Any]], table: str | None = None
) -> RecordCoordinates:
    """Return all coordinates that receipts speak of, or those in tables of one name."""
    return coordinates_in_notes(
        {"places": {where: ",".join(found) for where, found in taken["records"].items()}}
        for said in receipts
        for name, taken in said["tables"].items()
        if table is None or name.rpartition("/")[2] == table
    )


def label_events_in_notes(said: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the ids of label events in what commits of earlier versions say."""
    return frozenset(event for one in said for event in one.get("events", ()))


def event_marks_in_notes(said: Iterable[Mapping[str, Any]]) -> dict[str, frozenset[str]]:
    """Return the marks of label events that commits speak of, by the name of the key."""
    found: dict[str, set[str]] = {}
    for one in said:
        for name, marks in one.get("event_marks", {}).items():
            found.setdefault(name, set()).update(marks)
    return {name: frozenset(marks) for name, marks in found.items()}


def format_spans(offsets: Iterable[int]) -> str:
    """Return offsets as text, such as ``3,7-9``."""
    ordered = np.array(sorted(offsets), np.int64)
    parts = np.split(ordered, np.flatnonzero(np.diff(ordered) > 1) + 1)
    return ",".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts if len(p))


def parse_spans(text: str) -> frozenset[int]:
    """Return the offsets that `format_spans` wrote."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
