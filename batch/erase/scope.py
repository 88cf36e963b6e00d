"""Whom an erasure is about, and which rows of each table are to go for it.

A row goes because it is the person's (``own``): it bears the person's id, or the id of one of the
person's traces or feedback. Or because it mentions the person (``mention``): a text in it holds a
pseudonym or an id of the person, or it belongs to a trace that does. One that cannot be edited
without breaking what was promised of it goes as a whole.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch.erase.text_search import MIN_WORD_LENGTH, RowFlags, TextSearch, is_email, matching_texts
from lake.ledger import SourcePartition
from redact.crypto.keys import Keys
from redact.crypto.subjects import (
    PHONE_REGIONS,
    DataSubject,
    event_mark,
    feedback_mark,
    trace_mark,
    user_mark,
)
from schemas.arrow import PROVENANCE, TABLES

_IDS: Final = {"trace_id", "feedback_id", "user_id", "event_date", *PROVENANCE.names}
"""Columns that are compared as a whole: an id that begins like another is another."""

RecordCoordinates = Mapping[SourcePartition, frozenset[int]]


class RowMatches(NamedTuple):
    """Which rows go, one flag a row: as the person's own, or (not those) for a mention."""

    own: RowFlags
    mention: RowFlags

    @property
    def either(self) -> RowFlags:
        """Return which rows go."""
        return self.own | self.mention


@dataclass(frozen=True)
class Persons:
    """The persons of one erasure. ``users`` are what columns of user ids may hold for them.

    ``raw`` are the ids as producers write them, ``tokens`` what stands for them in texts; ``mails``
    those that are e-mail addresses, in small letters, ``phones`` digits of telephone numbers.
    """

    raw: frozenset[str]
    users: frozenset[str]
    tokens: frozenset[str]
    marks: Mapping[str, Sequence[str]]
    mails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    keys: Sequence[Keys] = field(default=(), repr=False)
    scopes: frozenset[str] = frozenset()
    regions: Sequence[str] = PHONE_REGIONS

    @classmethod
    def of(
        cls,
        ids: Collection[str],
        keys: Sequence[Keys],
        scopes: Iterable[str],
        regions: Sequence[str] = PHONE_REGIONS,
    ) -> "Persons":
        """Work out all forms of ids, under all keys and in all scopes.

        ``regions`` are those of the policy in force; rows of before may be of the preset's.
        """
        apps = frozenset(scopes)
        read_as = dict.fromkeys((tuple(regions), PHONE_REGIONS))
        subjects = [DataSubject(one, keys, some) for one in sorted(ids) for some in read_as]
        users = frozenset().union(*(one.identifiers(apps) for one in subjects))
        tokens = frozenset().union(*(one.placeholders(apps) for one in subjects))
        marks: dict[str, set[str]] = {}
        for one in subjects:
            for name, found in one.marks(apps).items():
                marks.setdefault(name, set()).update(found)
        listed = {name: sorted(found) for name, found in marks.items()}
        return cls(
            frozenset(ids),
            users,
            tokens | (users - frozenset(ids)),
            listed,
            frozenset(one.lower() for one in ids if is_email(one)),
            frozenset().union(*(one.dialled() for one in subjects)),
            keys,
            apps,
            regions,
        )

    def only(self, one: str) -> "Persons":
        """Return the person of one of the ids."""
        if one not in self._each:
            self._each[one] = Persons.of([one], self.keys, self.scopes, self.regions)
        return self._each[one]

    @cached_property
    def _each(self) -> "dict[str, Persons]":
        return {}

    def all_named_by(self, marks: Iterable[Mapping[str, Sequence[str]]]) -> bool:
        """Tell whether tombstones with these marks of subjects are about each of them."""
        named = {(name, mark) for one in marks for name in one for mark in one[name]}
        return all(
            any((key.name, user_mark(key, one)) in named for key in self.keys) for one in self.raw
        )

    def among(self, column: pa.Array | pa.ChunkedArray) -> RowFlags:
        """Tell which values of a column of user ids are theirs."""
        found = _among(column, self.users)
        if self.mails:
            found |= _among(pc.utf8_lower(column), self.mails)
        return found

    def named_by(self, marks: Mapping[str, Sequence[str]]) -> bool:
        """Tell whether a tombstone with these marks of subjects is about one of them."""
        return any(not set(self.marks.get(name, ())).isdisjoint(marks[name]) for name in marks)


@dataclass(frozen=True)
class TombstoneMarks:
    """Marks of traces and feedback that tombstones of these persons name, by the key's name.

    ``events`` are marks of the label events that went, out of the log of their table.
    """

    keys: Sequence[Keys]
    traces: Mapping[str, frozenset[str]] = field(default_factory=dict)
    feedback: Mapping[str, frozenset[str]] = field(default_factory=dict)
    events: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def events_among(self, ids: Collection[str]) -> set[str]:
        """Return the ids of label events that are named."""
        return _marked(ids, self.keys, self.events, event_mark)

    def traces_among(self, ids: Collection[str]) -> set[str]:
        """Return the trace ids that are named."""
        return _marked(ids, self.keys, self.traces, trace_mark)

    def feedback_among(self, ids: Collection[str]) -> set[str]:
        """Return the ids of feedback that are named."""
        return _marked(ids, self.keys, self.feedback, feedback_mark)


@dataclass(frozen=True)
class ErasureScope:
    """All that is known to go. ``traces`` and ``feedback`` are the persons' own ids.

    ``touched`` are the ids of other traces that mention them, ``remarks`` those of such feedback.
    ``places`` are the coordinates of records that go, for tables that know nothing else of them.
    """

    persons: Persons
    marks: TombstoneMarks
    traces: frozenset[str] = frozenset()
    feedback: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    remarks: frozenset[str] = frozenset()
    places: RecordCoordinates = field(default_factory=dict)

    def and_also(self, **more: Collection[str]) -> "ErasureScope":
        """Return the same with more ids."""
        return replace(
            self, **{n: getattr(self, n) | frozenset(found) for n, found in more.items()}
        )

    def at(self, places: RecordCoordinates) -> "ErasureScope":
        """Return the same with more coordinates."""
        both = {s: self.places.get(s, frozenset()) | found for s, found in places.items()}
        return replace(self, places={**self.places, **both})

    @cached_property
    def texts(self) -> TextSearch:
        """Return what is looked for in texts."""
        return TextSearch.of(self.persons.tokens, self.words, self.persons.phones)

    @cached_property
    def in_payloads(self) -> TextSearch:
        """Return what is looked for in a payload that is text."""
        ids = self.persons.raw | self.traces | self.feedback
        return TextSearch.of(self.persons.tokens, self.words, self.persons.phones, ids - self.words)

    @property
    def words(self) -> frozenset[str]:
        """Return the ids that are unlike any ordinary word."""
        ids = self.persons.raw | self.traces | self.feedback
        return frozenset(one for one in ids if len(one) >= MIN_WORD_LENGTH)

    @cached_property
    def in_binary(self) -> TextSearch:
        """Return what is looked for in a payload of which nobody knows where its values end."""
        persons = self.persons
        return TextSearch.inside(persons.tokens | self.words, persons.mails, persons.phones)

    @cached_property
    def payload_forms(self) -> tuple[bytes, ...]:
        """Return how ids may be written in a payload of a binary format."""
        ids = self.persons.raw | self.persons.users | self.traces | self.feedback
        return tuple(sorted({form for one in ids for form in _written(one)}))

    def chosen(self, name: str, rows: pa.Table) -> RowMatches:
        """Tell which rows of a table (traces, feedback, labels, reviews) go."""
        own, mention = _none(rows), _none(rows)
        present = set(rows.column_names)
        if "user_id" in present:
            own |= self.persons.among(rows["user_id"])
        if "reviewer" in present:
            mention |= self.persons.among(rows["reviewer"])
        if "trace_id" in present:
            own |= _among(rows["trace_id"], self.traces)
            mention |= _among(rows["trace_id"], self.touched)
        if "feedback_id" in present:
            own |= _among(rows["feedback_id"], self.feedback)
            mention |= _among(rows["feedback_id"], self.remarks)
        if "evidence" in present:
            mention |= _resting(rows["evidence"], self.feedback | self.remarks)
        free = [c for c in list_free_text_columns(name) if c in present]
        mention |= self.texts.in_rows(rows, free)
        return RowMatches(own, mention & ~own)

    def standing(self, name: str, rows: pa.Table) -> dict[str, RowFlags]:
        """Return which rows go for what stands in which column; together they are `chosen`."""
        present = set(rows.column_names)
        ids = {
            "trace_id": self.traces | self.touched,
            "feedback_id": self.feedback | self.remarks,
        }
        found = {c: _among(rows[c], some) for c, some in ids.items() if c in present}
        for column in present & {"user_id", "reviewer"}:
            found[column] = self.persons.among(rows[column])
        if "evidence" in present:
            found["evidence"] = _resting(rows["evidence"], self.feedback | self.remarks)
        for column in present & set(list_free_text_columns(name)):
            mention = self.texts.in_rows(rows, [column])
            found[column] = found.get(column, _none(rows)) | mention
        return {column: flags for column, flags in sorted(found.items()) if flags.any()}

    @cached_property
    def in_any_case(self) -> re.Pattern[str] | None:
        """Return what finds ids in whatever capitals, None if there are none with letters.

        Addresses are not among them: they are found in any capitals as it is.
        """
        ids = [one for one in sorted(self.persons.raw) if one.lower() not in self.persons.mails]
        cased = [re.escape(one) for one in ids if one.lower() != one.upper() and one in self.words]
        if not cased:
            return None
        return re.compile(f"(?<![A-Za-z0-9])(?:{'|'.join(cased)})(?![A-Za-z0-9])", re.IGNORECASE)

    def other_cases(self, rows: pa.Table) -> Counter[str]:
        """Return how often rows hold what differs from an id by case only, by what they hold."""
        ids = sorted(self.persons.raw & self.words)
        likely = f"(?i:{'|'.join(map(re.escape, ids))})"
        return self.other_cases_in(
            t for column in rows.columns for t in matching_texts(column, likely)
        )

    def other_cases_in(self, texts: Iterable[str]) -> Counter[str]:
        """Return the same of texts."""
        found = Counter[str]()
        if self.in_any_case is not None:
            for text in texts:
                found.update(self.in_any_case.findall(text))
        return Counter({text: n for text, n in found.items() if text not in self.persons.raw})

    def named_by(self, name: str, rows: pa.Table, ids: Collection[str]) -> set[str]:
        """Return which of some of the persons' ids rows of a table name."""
        return {one for one in ids if self._of(one).chosen(name, rows).either.any()}

    def named_in_texts(self, texts: Sequence[str], ids: Collection[str]) -> set[str]:
        """Return which of some of the persons' ids stand in texts of payloads."""
        if not texts:
            return set()
        return {one for one in ids if self._of(one).in_payloads.in_texts(texts).any()}

    def _of(self, one: str) -> "ErasureScope":
        return ErasureScope(self.persons.only(one), TombstoneMarks(()))

    def marked(self, rows: pa.Table) -> bool:
        """Tell whether rows bear ids that tombstones name and nothing else tells any more."""
        columns = [rows[name] for name in ("trace_id", "feedback_id") if name in rows.column_names]
        if "evidence" in rows.column_names:
            columns += [
                pa.chunked_array([chunk.values.field("feedback_id")])
                for chunk in rows["evidence"].chunks
            ]
        ids = {one for column in columns for one in pc.unique(column).to_pylist()} - {None}
        return bool(self.marks.traces_among(ids) or self.marks.feedback_among(ids))

    def in_places(self, rows: pa.Table) -> RowFlags:
        """Tell which rows have the coordinates of a record that goes."""
        found = _none(rows)
        for source, offsets in self.places.items():
            meant = pc.and_(
                pc.equal(rows["_topic"], source.topic),
                pc.equal(rows["_partition"], source.partition),
            )
            named = pc.is_in(rows["_offset"], value_set=pa.array(sorted(offsets), pa.int64()))
            found |= np.asarray(pc.and_(meant, named)).astype(np.bool_)
        return found


def list_free_text_columns(name: str) -> list[str]:
    """Return the columns of a table that may hold any text."""
    return [column for column in TABLES[name].arrow.names if column not in _IDS]


def collect_coordinates(rows: pa.Table, flags: RowFlags) -> dict[SourcePartition, frozenset[int]]:
    """Return the coordinates of the flagged rows."""
    found: dict[SourcePartition, set[int]] = {}
    some = rows.select(["_topic", "_partition", "_offset"]).filter(pa.array(flags))
    for topic, partition, offset in zip(*(c.to_pylist() for c in some.columns), strict=True):
        found.setdefault(SourcePartition(topic, partition), set()).add(offset)
    return {source: frozenset(offsets) for source, offsets in found.items()}


def _marked(
    ids: Collection[str], keys: Sequence[Keys], marks: Mapping[str, frozenset[str]], mark: Any
) -> set[str]:
    known = [(one, marks[one.name]) for one in keys if marks.get(one.name)]
    return {i for i in ids for one, named in known if mark(one, i) in named}


def _none(rows: pa.Table) -> RowFlags:
    return np.zeros(len(rows), np.bool_)


def _among(column: pa.Array | pa.ChunkedArray, values: Collection[str]) -> RowFlags:
    if not values:
        return np.zeros(len(column), np.bool_)
    found = pc.is_in(column, value_set=pa.array(sorted(values), pa.string()))
    return np.asarray(found).astype(np.bool_)


def _resting(evidence: pa.ChunkedArray, feedback: Collection[str]) -> RowFlags:
    """Tell which label events rest on feedback (or reviews) that goes."""
    found = np.zeros(len(evidence), np.bool_)
    if not feedback:
        return found
    start = 0
    for chunk in evidence.chunks:
        ids = chunk.values.field("feedback_id")
        counts = np.concatenate([[0], np.cumsum(_among(pa.chunked_array([ids]), feedback))])
        at = np.asarray(chunk.offsets)
        found[start : start + len(chunk)] = counts[at[1:]] > counts[at[:-1]]
        start += len(chunk)
    return found


def _written(text: str) -> list[bytes]:
    """Return a text as it may stand in a payload: in UTF-8, or escaped in JSON.

    A short id is looked for with what is around it: quotes in JSON, its length in Avro.
    """
    plain = text.encode("utf-8", "surrogatepass")
    escaped = "".join(c if c.isascii() else _escape(c) for c in text).encode()
    forms = [plain, escaped, escaped.lower(), escaped.replace(b"/", b"\\/")]
    if len(plain) >= 6:
        return forms
    return [*(b'"%s"' % form for form in forms), bytes([2 * len(plain)]) + plain]


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
