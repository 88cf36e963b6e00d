"""Scans all tables for rows to erase, and collects the further ids that it finds.

The scan begins with rows that carry the persons' ids: their traces and feedback, with all revisions
and spans of these traces, and the traces that repeat them. Next are texts of other persons that
mention them, then rows derived from all those. Quarantine and the audit come last, because they are
matched by coordinates. One file is in memory at a time. Files never change, so a file is read again
only once more ids are known, and whole only if its texts must be searched for them.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch.erase.file_matches import FileMatches, columns_of_mentions
from batch.erase.scope import ErasureScope, RowMatches
from batch.erase.sealed_payloads import (
    PAYLOAD_COLUMNS,
    SealedMatches,
    open_payload_texts,
    search_payloads,
)
from batch.erase.table_set import DERIVED_TABLES, TableSet, read_file_columns, refresh_files
from batch.erase.text_search import RowFlags
from batch.progress import ReportProgress, no_progress
from lake.live_files import LiveFile, read_file_rows
from lake.retry import Retry
from lake.tables import Table
from redact.crypto.sealing import Sealer
from schemas.arrow import (
    ANSWER_REVIEWS_TABLE,
    AUDIT_TABLE,
    JUDGEMENTS_TABLE,
    LABELS_TABLE,
    PRIMARY_TABLES,
    QUARANTINE_TABLE,
    REVIEWS_TABLE,
    SPANS_TABLE,
)

_OF_TRACES: Final = frozenset({"traces", SPANS_TABLE})
"""Tables whose rows name the trace that they are part of, and its user."""
_TABLES_OF_WORDS: Final = (
    *PRIMARY_TABLES,
    REVIEWS_TABLE,
    JUDGEMENTS_TABLE,
    ANSWER_REVIEWS_TABLE,
)
"""Tables with words of users, reviewers, judges or candidates."""
_AUDIT_COLUMNS: Final = (
    "_topic",
    "_partition",
    "_offset",
    "_index",
    "fingerprint",
    "characters_scanned",
)


@dataclass(slots=True)
class TableMatches:
    """The files of one table with rows to remove, and how many rows of each, by path.

    ``own`` counts a person's own rows, ``mentions`` those of others. ``unopened`` counts rows of
    quarantine whose payload could not be opened, ``without_payload`` those without one.
    """

    table_set: TableSet
    table: Table
    files: dict[str, LiveFile] = field(default_factory=dict)
    own: Counter[str] = field(default_factory=Counter)
    mentions: Counter[str] = field(default_factory=Counter)
    unopened: int = 0
    without_payload: int = 0

    @property
    def path(self) -> str:
        """Return the path of the table, relative to the lake."""
        return self.table_set.path_of(self.table.name)

    def add(self, file: LiveFile, own: int, mentions: int) -> None:
        """Record how many rows of a file match."""
        if own or mentions:
            self.files[file.path] = file
            self.own[file.path] = own
            self.mentions[file.path] = mentions


@dataclass(frozen=True, slots=True)
class ErasureScan:
    """The result of a scan: the scope with the ids that it found, and the matches by table."""

    scope: ErasureScope
    tables: Sequence[TableMatches]

    @property
    def empty(self) -> bool:
        """Return whether there are no rows to remove."""
        return not any(matches.files for matches in self.tables)

    @property
    def not_searched(self) -> dict[str, int]:
        """Return how many payloads could not be opened, and how many records have none."""
        return {
            "sealed_payloads": sum(matches.unopened for matches in self.tables),
            "quarantined_without_payload": sum(m.without_payload for m in self.tables),
        }


class ErasureScanner:
    """Scans tables repeatedly, and remembers which rows of which files match."""

    def __init__(
        self,
        table_sets: Sequence[TableSet],
        sealer: Sealer,
        *,
        retry: Retry,
        remove_unopened: bool = False,
        progress: ReportProgress = no_progress,
    ) -> None:
        """With ``remove_unopened`` payloads that cannot be opened match as well."""
        self.table_sets, self.sealer = table_sets, sealer
        self.remove_unopened = remove_unopened
        self._retry, self._progress = retry, progress
        self._searched: dict[str, FileMatches] = {}
        self._matched: set[str] = set()
        self.found_ids: set[str] = set()
        """The persons' ids that occurred in a row, in all scans so far."""

    def scan(self, scope: ErasureScope) -> ErasureScan:
        """Scan all tables in their newest version.

        Raises FatalError if the lake does not answer in time, RetryableError if stopped.
        """
        scope = self._add_ids(scope)
        records = self._scan_tables(PRIMARY_TABLES, scope)
        extended = self._add_mentions(records, scope)
        if extended != scope:
            scope = extended
            records = self._scan_tables(PRIMARY_TABLES, scope)
        reviews = self._scan_tables([REVIEWS_TABLE], scope)
        scope = self._add_mentions(reviews, scope)
        labels = self._scan_tables([LABELS_TABLE], scope)
        judged = self._scan_tables([JUDGEMENTS_TABLE, ANSWER_REVIEWS_TABLE], scope)
        scope = self._add_coordinates(records, scope)
        quarantine = [self._scan_quarantine(s, t, scope) for s, t in self._each([QUARANTINE_TABLE])]
        audit = [self._scan_audit(s, t, scope) for s, t in self._each([AUDIT_TABLE])]
        derived = [*judged, *labels, *reviews]
        return ErasureScan(scope, [*derived, *audit, *quarantine, *reversed(records)])

    def match_rows(self, table: str, rows: pa.Table, scope: ErasureScope) -> RowMatches:
        """Return which rows of a table, with all its columns, match."""
        none = np.zeros(len(rows), np.bool_)
        if table == AUDIT_TABLE:
            scanned = np.asarray(rows["characters_scanned"]) > 0
            not_blank = np.asarray(rows["fingerprint"].is_valid()) | scanned
            return RowMatches(scope.match_coordinates(rows) & not_blank, none)
        if table == QUARANTINE_TABLE:
            sealed = search_payloads(rows, scope, self.sealer)
            return RowMatches(self._select_payloads(sealed), none)
        return scope.match_rows(table, rows)

    def has_matched(self, path: str) -> bool:
        """Return whether a scan has found rows in a file; ``path`` is relative to the lake."""
        return path in self._matched

    def count_unopened(self, scope: ErasureScope) -> int:
        """Return how many payloads in quarantine could not be opened."""
        quarantines = self._each([QUARANTINE_TABLE])
        return sum(self._scan_quarantine(s, t, scope).unopened for s, t in quarantines)

    def count_case_variants(self, scope: ErasureScope) -> Counter[str]:
        """Count texts in the tables that differ from an id by case only, by text.

        Ids other than e-mail addresses match exactly, so such rows stay.
        """
        counts = Counter[str]()
        if scope.any_case_pattern is not None:
            for table_set, table in self._each(_TABLES_OF_WORDS):
                self._progress(f"spellings in {table_set.path_of(table.name)}", 0, 0)
                for file in self._list_files(table):
                    counts += scope.count_case_variants(self._read_rows(table, file))
            for _, table in self._each([QUARANTINE_TABLE]):
                for file in self._list_files(table):
                    payloads = self._read_columns(table, file, PAYLOAD_COLUMNS)
                    texts = open_payload_texts(payloads, self.sealer)
                    counts += scope.count_case_variants_in(texts)
        return counts

    def _each(self, names: Sequence[str]) -> Iterator[tuple[TableSet, Table]]:
        for table_set in self.table_sets:
            for table in table_set.select(names):
                yield table_set, table

    def _add_ids(self, scope: ErasureScope) -> ErasureScope:
        """Add the ids of the persons' traces and feedback, and those in tombstones."""
        traces, feedback = set[str](), set[str]()
        mentioning_traces, mentioning_feedback = set[str](), set[str]()
        repeats = set[tuple[str, str]]()
        for table_set, table in self._each([*PRIMARY_TABLES, *DERIVED_TABLES]):
            self._progress(f"ids of {table_set.path_of(table.name)}", 0, 0)

            def read_ids(table: Table = table) -> None:
                table.refresh()
                for batch in table.batches(_id_columns(table.name)):
                    own = _match_users(batch, scope)
                    trace_ids = batch.column("trace_id")
                    if table.name in _OF_TRACES:
                        traces.update(_distinct(trace_ids.filter(own)))
                    mentioning_traces.update(scope.marks.match_traces(_distinct(trace_ids)))
                    if table.name == "traces":
                        repeats.update(_repeats(batch))
                    if table.name == "feedback":
                        ids = batch.column("feedback_id")
                        feedback.update(ids.filter(own).to_pylist())
                        mentioning_feedback.update(scope.marks.match_feedback(_distinct(ids)))

            self._retry.call(f"reading table {table.name}", read_ids)
        traces = _with_repeats(traces | scope.traces, repeats)
        return scope.with_ids(
            traces=traces,
            feedback=feedback,
            mentioning_traces=mentioning_traces - traces - scope.traces,
            mentioning_feedback=mentioning_feedback - feedback - scope.feedback,
        )

    def _scan_tables(self, names: Sequence[str], scope: ErasureScope) -> list[TableMatches]:
        return [self._scan_table(table_set, table, scope) for table_set, table in self._each(names)]

    def _scan_table(self, table_set: TableSet, table: Table, scope: ErasureScope) -> TableMatches:
        """Search all files of a table."""
        matches = TableMatches(table_set, table)
        files = self._list_files(table)
        for done, file in enumerate(files):
            self._progress(matches.path, done, len(files))
            found = self._search(matches, file, scope)
            self._add(matches, file, len(found.own), len(found.mention))
        return matches

    def _add(self, matches: TableMatches, file: LiveFile, own: int, mentions: int = 0) -> None:
        matches.add(file, own, mentions)
        if file.path in matches.files:
            self._matched.add(f"{matches.path}/{file.path}")

    def _search(self, matches: TableMatches, file: LiveFile, scope: ErasureScope) -> FileMatches:
        """Return which rows of a file match; read what is not known from earlier searches."""
        table, path = matches.table, f"{matches.path}/{file.path}"
        known = self._searched.get(path)
        if known is None or not known.searched_for(scope):
            rows = self._read_rows(table, file)
            matched = scope.match_rows(table.name, rows)
            self._find_ids(table.name, rows, matched, scope)
        elif known.ids == scope.all_ids:
            return known
        else:
            rows = self._read_columns(table, file, columns_of_mentions(table.name))
            matched = known.with_mentions(scope.match_rows(table.name, rows))
        self._searched[path] = FileMatches.of(table.name, rows, matched, scope)
        return self._searched[path]

    def _find_ids(
        self, table: str, rows: pa.Table, matched: RowMatches, scope: ErasureScope
    ) -> None:
        missing = scope.persons.ids - self.found_ids
        if missing and matched.either.any():
            self.found_ids |= scope.ids_in_rows(
                table, rows.filter(pa.array(matched.either)), missing
            )

    def _add_mentions(self, scanned: Sequence[TableMatches], scope: ErasureScope) -> ErasureScope:
        """Add the ids of rows that mention the persons: all rows of such a trace match."""
        for matches in scanned:
            for file in matches.files.values():
                ids = self._search(matches, file, scope).mentioning
                if matches.table.name in _OF_TRACES:
                    scope = scope.with_ids(mentioning_traces=ids - scope.traces)
                else:
                    scope = scope.with_ids(mentioning_feedback=ids - scope.feedback)
        return scope

    def _add_coordinates(
        self, records: Sequence[TableMatches], scope: ErasureScope
    ) -> ErasureScope:
        """Add the coordinates of the matched records."""
        for matches in records:
            for file in matches.files.values():
                scope = scope.with_coordinates(self._search(matches, file, scope).coordinates)
        return scope

    def _scan_quarantine(
        self, table_set: TableSet, table: Table, scope: ErasureScope
    ) -> TableMatches:
        matches = TableMatches(table_set, table)
        for file in self._list_files(table):
            rows = self._read_columns(table, file, PAYLOAD_COLUMNS)
            sealed = search_payloads(rows, scope, self.sealer)
            selected = self._select_payloads(sealed)
            self.found_ids |= sealed.found_ids
            self._add(matches, file, int(selected.sum()))
            matches.unopened += int((sealed.unopened & ~selected).sum())
            matches.without_payload += int(sealed.without_payload.sum())
        return matches

    def _select_payloads(self, sealed: SealedMatches) -> RowFlags:
        return sealed.matched | sealed.unopened if self.remove_unopened else sealed.matched

    def _scan_audit(self, table_set: TableSet, table: Table, scope: ErasureScope) -> TableMatches:
        """Find the audit rows of matched records that have not been blanked."""
        matches = TableMatches(table_set, table)
        for file in self._list_files(table):
            rows = self._read_columns(table, file, _AUDIT_COLUMNS)
            self._add(matches, file, int(self.match_rows(AUDIT_TABLE, rows, scope).own.sum()))
        return matches

    def _list_files(self, table: Table) -> list[LiveFile]:
        return self._retry.call(f"reading table {table.name}", lambda: refresh_files(table))

    def _read_rows(self, table: Table, file: LiveFile) -> pa.Table:
        return self._retry.call(
            f"reading table {table.name}", lambda: read_file_rows(table, file).rows
        )

    def _read_columns(self, table: Table, file: LiveFile, columns: Sequence[str]) -> pa.Table:
        return self._retry.call(
            f"reading table {table.name}", lambda: read_file_columns(table, file, columns)
        )


def _id_columns(table: str) -> list[str]:
    if table == "feedback":
        return ["trace_id", "user_id", "feedback_id"]
    if table == "traces":
        return ["trace_id", "user_id", "duplicate_of"]
    return ["trace_id", "user_id"] if table in _OF_TRACES else ["trace_id"]


def _repeats(batch: pa.RecordBatch) -> Iterator[tuple[str, str]]:
    """Yield the traces that repeat another one, each with that one."""
    rows = batch.filter(batch.column("duplicate_of").is_valid())
    yield from zip(
        rows.column("trace_id").to_pylist(), rows.column("duplicate_of").to_pylist(), strict=True
    )


def _with_repeats(traces: set[str], repeats: Collection[tuple[str, str]]) -> set[str]:
    """Return traces with all that stand for the same calls."""
    known: set[str] = set()
    while traces != known:
        known = traces
        traces = known | {
            trace_id for pair in repeats if known.intersection(pair) for trace_id in pair
        }
    return traces


def _match_users(batch: pa.RecordBatch, scope: ErasureScope) -> pa.Array:
    if "user_id" not in batch.schema.names:
        return pa.array(np.zeros(batch.num_rows, np.bool_))
    return pa.array(scope.persons.match_user_ids(batch.column("user_id")))


def _distinct(ids: pa.Array) -> list[str]:
    return [id_ for id_ in pc.unique(ids).to_pylist() if id_ is not None]
