"""The scope of an erasure: which rows of each table it removes.

A row is the person's own (``own``) if it holds the person's id, or the id of one of the person's
traces or feedback. It mentions the person (``mention``) if one of its texts contains a pseudonym or
an id of the person, or if it belongs to a trace that does. A row is always removed as a whole: it
could not be edited without breaking the guarantees about it.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch.erase.persons import Persons, match_values
from batch.erase.receipt import RecordCoordinates
from batch.erase.text_search import MIN_WORD_LENGTH, RowFlags, TextSearch, matching_texts
from batch.erase.tombstone_store import TombstoneMarks
from lake.ledger import ItemSource, RecordSource, record_source
from schemas.arrow import PROVENANCE, SPANS_TABLE, TABLES
from schemas.assembly_columns import ASSEMBLY_COLUMNS

_ID_COLUMNS: Final = {
    "trace_id",
    "feedback_id",
    "user_id",
    "event_date",
    *PROVENANCE.names,
    *ASSEMBLY_COLUMNS.names,
}
"""Columns that are compared as a whole: an id that begins like another is a different id."""
_MENTIONING_COLUMNS: Final = {"trace_id", "feedback_id", "evidence", "record", "span_id"}
"""Columns that say whether a row belongs to a trace or to feedback that mentions the persons."""
COORDINATE_COLUMNS: Final = ("_topic", "_partition", "_index", "_offset")


class RowMatches(NamedTuple):
    """Flags of the rows to remove: the person's own, and others that mention the person."""

    own: RowFlags
    mention: RowFlags

    @property
    def either(self) -> RowFlags:
        """Return which rows to remove, for either reason."""
        return self.own | self.mention


@dataclass(frozen=True)
class ErasureScope:
    """Everything known about what to remove.

    ``traces`` and ``feedback`` are the persons' own ids. ``mentioning_traces`` are the ids of other
    traces that mention them, ``mentioning_feedback`` those of such feedback and reviews.
    ``coordinates`` locate the records to remove, for tables that hold nothing else of them.
    """

    persons: Persons
    marks: TombstoneMarks
    traces: frozenset[str] = frozenset()
    feedback: frozenset[str] = frozenset()
    mentioning_traces: frozenset[str] = frozenset()
    mentioning_feedback: frozenset[str] = frozenset()
    coordinates: RecordCoordinates = field(default_factory=dict)

    def with_ids(
        self,
        *,
        traces: Collection[str] = (),
        feedback: Collection[str] = (),
        mentioning_traces: Collection[str] = (),
        mentioning_feedback: Collection[str] = (),
    ) -> "ErasureScope":
        """Return the same scope with more ids."""
        return replace(
            self,
            traces=self.traces | frozenset(traces),
            feedback=self.feedback | frozenset(feedback),
            mentioning_traces=self.mentioning_traces | frozenset(mentioning_traces),
            mentioning_feedback=self.mentioning_feedback | frozenset(mentioning_feedback),
        )

    def with_coordinates(self, coordinates: RecordCoordinates) -> "ErasureScope":
        """Return the same scope with more coordinates."""
        merged = {
            source: self.coordinates.get(source, frozenset()) | offsets
            for source, offsets in coordinates.items()
        }
        return replace(self, coordinates={**self.coordinates, **merged})

    @property
    def all_traces(self) -> frozenset[str]:
        """Return the ids of all traces to remove."""
        return self.traces | self.mentioning_traces

    @property
    def all_feedback(self) -> frozenset[str]:
        """Return the ids of all feedback and reviews to remove."""
        return self.feedback | self.mentioning_feedback

    @property
    def searched_ids(self) -> tuple[frozenset[str], ...]:
        """Return the ids that texts are searched for, beside those of the persons."""
        return self.traces, self.feedback

    @property
    def all_ids(self) -> tuple[frozenset[str], ...]:
        """Return all ids that rows are matched by, beside those of the persons."""
        return *self.searched_ids, self.mentioning_traces, self.mentioning_feedback

    @cached_property
    def text_search(self) -> TextSearch:
        """Return the search for texts that mention the persons."""
        return TextSearch.of(self.persons.tokens, self.distinctive_ids, self.persons.phones)

    @cached_property
    def payload_search(self) -> TextSearch:
        """Return the search of payloads in a text format."""
        ids = self.persons.ids | self.traces | self.feedback
        distinctive = self.distinctive_ids
        return TextSearch.of(
            self.persons.tokens, distinctive, self.persons.phones, ids - distinctive
        )

    @property
    def distinctive_ids(self) -> frozenset[str]:
        """Return the ids that are too long to be ordinary words."""
        ids = self.persons.ids | self.traces | self.feedback
        return frozenset(id_ for id_ in ids if len(id_) >= MIN_WORD_LENGTH)

    @cached_property
    def binary_payload_search(self) -> TextSearch:
        """Return the search of payloads in a binary format, which hides where values end."""
        persons = self.persons
        return TextSearch.for_binary(
            persons.tokens | self.distinctive_ids, persons.emails, persons.phones
        )

    @cached_property
    def byte_forms(self) -> tuple[bytes, ...]:
        """Return the bytes that ids may have in a payload in a binary format."""
        ids = self.persons.ids | self.persons.user_ids | self.traces | self.feedback
        return tuple(sorted({form for id_ in ids for form in _byte_forms(id_)}))

    def match_rows(self, table: str, rows: pa.Table) -> RowMatches:
        """Return which rows of a table (not of quarantine or the audit) to remove."""
        own, mention = _no_flags(rows), _no_flags(rows)
        present = set(rows.column_names)
        if "user_id" in present:
            own |= self.persons.match_user_ids(rows["user_id"])
        if "reviewer" in present:
            mention |= self.persons.match_user_ids(rows["reviewer"])
        if "trace_id" in present:
            own |= match_values(rows["trace_id"], self.traces)
            mention |= match_values(rows["trace_id"], self.mentioning_traces)
        if "feedback_id" in present:
            own |= match_values(rows["feedback_id"], self.feedback)
            mention |= match_values(rows["feedback_id"], self.mentioning_feedback)
        if table == SPANS_TABLE:
            feedback = pc.equal(rows["record"], "feedback")
            own |= _flags(pc.and_(feedback, pc.is_in(rows["span_id"], _texts(self.feedback))))
            others = pc.is_in(rows["span_id"], _texts(self.mentioning_feedback))
            mention |= _flags(pc.and_(feedback, others))
        if "evidence" in present:
            mention |= _match_evidence(rows["evidence"], self.all_feedback)
        free_text = [c for c in list_free_text_columns(table) if c in present]
        mention |= self.text_search.match_rows(rows, free_text)
        return RowMatches(own, mention & ~own)

    def match_columns(self, table: str, rows: pa.Table) -> dict[str, RowFlags]:
        """Return which rows match in which column; together they are those of `match_rows`."""
        present = set(rows.column_names)
        ids = {"trace_id": self.all_traces, "feedback_id": self.all_feedback}
        matches = {c: match_values(rows[c], some) for c, some in ids.items() if c in present}
        for column in present & {"user_id", "reviewer"}:
            matches[column] = self.persons.match_user_ids(rows[column])
        if "evidence" in present:
            matches["evidence"] = _match_evidence(rows["evidence"], self.all_feedback)
        for column in present & set(list_free_text_columns(table)):
            mention = self.text_search.match_rows(rows, [column])
            matches[column] = matches.get(column, _no_flags(rows)) | mention
        return {column: flags for column, flags in sorted(matches.items()) if flags.any()}

    @cached_property
    def any_case_pattern(self) -> re.Pattern[str] | None:
        """Return an expression for ids in any case, None if no id has letters.

        Addresses are left out: they match in any case anyway.
        """
        ids = [id_ for id_ in sorted(self.persons.ids) if id_.lower() not in self.persons.emails]
        distinctive = self.distinctive_ids
        cased = [re.escape(i) for i in ids if i.lower() != i.upper() and i in distinctive]
        if not cased:
            return None
        return re.compile(f"(?<![A-Za-z0-9])(?:{'|'.join(cased)})(?![A-Za-z0-9])", re.IGNORECASE)

    def count_case_variants(self, rows: pa.Table) -> Counter[str]:
        """Count texts in rows that differ from an id by case only, by text."""
        ids = sorted(self.persons.ids & self.distinctive_ids)
        pattern = f"(?i:{'|'.join(map(re.escape, ids))})"
        return self.count_case_variants_in(
            text for column in rows.columns for text in matching_texts(column, pattern)
        )

    def count_case_variants_in(self, texts: Iterable[str]) -> Counter[str]:
        """Count parts of texts that differ from an id by case only."""
        counts = Counter[str]()
        if self.any_case_pattern is not None:
            for text in texts:
                counts.update(self.any_case_pattern.findall(text))
        return Counter({text: n for text, n in counts.items() if text not in self.persons.ids})

    def ids_in_rows(self, table: str, rows: pa.Table, ids: Collection[str]) -> set[str]:
        """Return which of some of the persons' ids occur in rows of a table."""
        return {id_ for id_ in ids if self._for_id(id_).match_rows(table, rows).either.any()}

    def ids_in_payloads(self, texts: Sequence[str], ids: Collection[str]) -> set[str]:
        """Return which of some of the persons' ids occur in payloads, given as texts."""
        if not texts:
            return set()
        return {id_ for id_ in ids if self._for_id(id_).payload_search.match_texts(texts).any()}

    def _for_id(self, id_: str) -> "ErasureScope":
        return ErasureScope(self.persons.for_id(id_), TombstoneMarks(()))

    def holds_marked_ids(self, rows: pa.Table) -> bool:
        """Return whether rows hold ids that are known by the marks in tombstones only."""
        columns = [rows[name] for name in ("trace_id", "feedback_id") if name in rows.column_names]
        if "evidence" in rows.column_names:
            columns += [
                pa.chunked_array([chunk.values.field("feedback_id")])
                for chunk in rows["evidence"].chunks
            ]
        ids = {id_ for column in columns for id_ in pc.unique(column).to_pylist()} - {None}
        return bool(self.marks.match_traces(ids) or self.marks.match_feedback(ids))

    def match_coordinates(self, rows: pa.Table) -> RowFlags:
        """Return which rows have the coordinates of a record to remove."""
        flags = _no_flags(rows)
        for source, offsets in self.coordinates.items():
            of_source = pc.and_(
                pc.equal(rows["_topic"], source.topic),
                pc.equal(rows["_partition"], source.partition),
            )
            at_offset = pc.is_in(rows["_offset"], value_set=pa.array(sorted(offsets), pa.int64()))
            same = pc.and_(pc.and_(of_source, at_offset), _of_item(rows["_index"], source))
            flags |= np.asarray(same).astype(np.bool_)
        return flags


def list_free_text_columns(table: str) -> list[str]:
    """Return the columns of a table that may hold any text."""
    return [column for column in TABLES[table].arrow.names if column not in _ID_COLUMNS]


def list_mentioning_columns(table: str) -> list[str]:
    """Return the columns by which a row can match once more mentioning ids are known."""
    return [column for column in TABLES[table].arrow.names if column in _MENTIONING_COLUMNS]


def collect_coordinates(rows: pa.Table, flags: RowFlags) -> dict[RecordSource, frozenset[int]]:
    """Return the coordinates of the flagged rows."""
    by_source: dict[RecordSource, set[int]] = {}
    some = rows.select(list(COORDINATE_COLUMNS)).filter(pa.array(flags))
    for topic, partition, item, offset in zip(*(c.to_pylist() for c in some.columns), strict=True):
        by_source.setdefault(record_source(topic, partition, item), set()).add(offset)
    return {source: frozenset(offsets) for source, offsets in by_source.items()}


def _texts(ids: Collection[str]) -> pa.Array:
    return pa.array(sorted(ids), pa.string())


def _flags(column: pa.ChunkedArray) -> RowFlags:
    return np.asarray(column).astype(np.bool_)


def _of_item(indexes: pa.ChunkedArray, source: RecordSource) -> pa.ChunkedArray:
    """Return which rows are of whole records, or of the items at a place in them."""
    if isinstance(source, ItemSource):
        return pc.fill_null(pc.equal(indexes, source.item), False)  # noqa: FBT003 - a value
    return pc.is_null(indexes)


def _no_flags(rows: pa.Table) -> RowFlags:
    return np.zeros(len(rows), np.bool_)


def _match_evidence(evidence: pa.ChunkedArray, feedback: Collection[str]) -> RowFlags:
    """Return which label events are based on some feedback or reviews."""
    flags = np.zeros(len(evidence), np.bool_)
    if not feedback:
        return flags
    start = 0
    for chunk in evidence.chunks:
        ids = chunk.values.field("feedback_id")
        counts = np.concatenate([[0], np.cumsum(match_values(pa.chunked_array([ids]), feedback))])
        offsets = np.asarray(chunk.offsets)
        flags[start : start + len(chunk)] = counts[offsets[1:]] > counts[offsets[:-1]]
        start += len(chunk)
    return flags


def _byte_forms(text: str) -> list[bytes]:
    """Return a text as a payload may contain it: in UTF-8, or escaped in JSON.

    A short id is searched for with its surroundings: quotes in JSON, its length in Avro.
    """
    plain = text.encode("utf-8", "surrogatepass")
    escaped = "".join(c if c.isascii() else _escape(c) for c in text).encode()
    forms = [plain, escaped, escaped.lower(), escaped.replace(b"/", b"\\/")]
    if len(plain) >= MIN_WORD_LENGTH:
        return forms
    return [*(b'"%s"' % form for form in forms), bytes([2 * len(plain)]) + plain]


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
