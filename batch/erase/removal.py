"""Removes the matched rows from a table by rewriting its files without them.

Rows of the audit stay but are blanked (`redact.pipeline.audit`), so that their hash chain still
verifies. Each commit is a compare-and-swap on the removed files (`lake.rewrite`). Its ledger entry
says how many rows of which partition were removed, and its note (`batch.erase.receipt`) for which
erasure and at which coordinates. A later run, or the receipt, needs no other record.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from batch.erase.receipt import format_spans
from batch.erase.scanner import ErasureScanner, TableMatches
from batch.erase.scope import ErasureScope, collect_coordinates
from batch.erase.text_search import RowFlags
from lake.ledger import EntryKind, LedgerEntry, RecordSource, SourcePartition, SourceRange
from lake.live_files import LiveFile, StoredRows, UploadedFile, read_file_rows, rewrite_rows
from lake.rewrite import FileReplacedError, replace_files
from lake.table_commit import CommitContext, TableCommit
from lake.table_log import ERASURE_KEY
from redact.crypto.subjects import marks_of_events
from redact.pipeline.audit import blank_erased_rows
from schemas.arrow import AUDIT_TABLE, LABELS_TABLE, PRIMARY_TABLES, QUARANTINE_TABLE

_FILES_PER_COMMIT: Final = 16
_TABLES_WITH_COORDINATES: Final = (*PRIMARY_TABLES, QUARANTINE_TABLE, AUDIT_TABLE)


def remove_rows(
    matches: TableMatches,
    scope: ErasureScope,
    erasure: int,
    scanner: ErasureScanner,
    context: CommitContext,
) -> None:
    """Remove the matched rows of a table, a few files per commit.

    Files that another writer has replaced are left to the next scan. Raises FatalError if the lake
    does not answer in time, RetryableError if stopped.
    """
    files = [matches.files[path] for path in sorted(matches.files)]
    for start in range(0, len(files), _FILES_PER_COMMIT):
        old = files[start : start + _FILES_PER_COMMIT]
        removal = _Removal(matches, scope, scanner, context)
        new = [file for removed in old for file in removal.rewrite(removed)]
        replacement = TableCommit(
            removes=old,
            adds=new,
            entry=LedgerEntry(EntryKind.ERASE, removal.ranges()),
            token=context.new_token(),
            metadata={ERASURE_KEY: json.dumps(removal.note(erasure), separators=(",", ":"))},
        )
        try:
            replace_files(matches.table, replacement, context)
        except FileReplacedError:
            continue


class _Removal:
    """The rows that one commit removes, counted while its files are rewritten."""

    def __init__(
        self,
        matches: TableMatches,
        scope: ErasureScope,
        scanner: ErasureScanner,
        context: CommitContext,
    ) -> None:
        self._table, self._scope, self._context = matches.table, scope, context
        self._scanner = scanner
        self._own = self._mentions = 0
        self._coordinates: dict[RecordSource, frozenset[int]] = {}
        self._rows = Counter[SourcePartition]()
        self._events: list[str] = []

    def rewrite(self, file: LiveFile) -> Iterator[UploadedFile]:
        """Write the remaining rows of a file, if there are any."""
        what = f"reading table {self._table.name}"
        stored = self._context.retry.call(what, lambda: read_file_rows(self._table, file))
        own, mention = self._scanner.match_rows(self._table.name, stored.rows, self._scope)
        removed = own | mention
        self._own += int(own.sum())
        self._mentions += int(mention.sum())
        for source, offsets in collect_coordinates(stored.rows, removed).items():
            self._coordinates[source] = self._coordinates.get(source, frozenset()) | offsets
        if self._table.name == LABELS_TABLE:
            self._events += stored.rows["label_event_id"].filter(pa.array(removed)).to_pylist()
        remaining = self._remaining(stored, removed)
        if len(remaining):
            yield rewrite_rows(self._table, remaining, instead_of=[file], retry=self._context.retry)

    def _remaining(self, stored: StoredRows, removed: RowFlags) -> StoredRows:
        if self._table.name == AUDIT_TABLE:
            return StoredRows(
                stored.name, stored.day, blank_erased_rows(stored.rows, pa.array(removed))
            )
        sources = stored.rows.filter(pa.array(removed)).select(["_topic", "_partition"]).to_pydict()
        self._rows.update(map(SourcePartition, sources["_topic"], sources["_partition"]))
        return stored.filter(pa.array(~removed))

    def ranges(self) -> list[SourceRange]:
        """Return how many rows were removed, by partition."""
        return [SourceRange(*s, 0, 0, stored=count) for s, count in sorted(self._rows.items())]

    def note(self, erasure: int) -> dict[str, Any]:
        """Return the note of the commit."""
        body: dict[str, Any] = {
            "erasure": erasure,
            "own": self._own,
            "mentions": self._mentions,
        }
        if self._table.name in _TABLES_WITH_COORDINATES:
            body["places"] = {
                str(source): format_spans(offsets)
                for source, offsets in sorted(self._coordinates.items())
            }
        if self._events:
            body["event_marks"] = marks_of_events(self._scope.persons.keys, self._events)
        return body
