"""Reads and writes what a lake records of erasures: tombstones, receipts, commit notes."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from batch.erase.persons import Persons
from batch.erase.receipt import (
    CommitNote,
    CommitNotes,
    RecordCoordinates,
    coordinates_in_notes,
    event_marks_in_notes,
    label_events_in_notes,
    read_receipt,
)
from lake import tombstones
from lake.erasure_copies import RECEIPT_PATTERN, receipt_name
from lake.objects import ObjectStore
from lake.retry import Retry
from lake.tombstones import Tombstone
from redact.crypto.keys import Keys
from redact.crypto.subjects import event_mark, feedback_mark, trace_mark


@dataclass(frozen=True)
class TombstoneMarks:
    """The marks of traces and feedback in some tombstones, by the name of the key.

    ``events`` are the marks of removed label events, from the log of their table.
    """

    keys: Sequence[Keys]
    traces: Mapping[str, frozenset[str]] = field(default_factory=dict)
    feedback: Mapping[str, frozenset[str]] = field(default_factory=dict)
    events: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def match_events(self, ids: Collection[str]) -> set[str]:
        """Return the ids of label events that have one of the marks."""
        return _match(ids, self.keys, self.events, event_mark)

    def match_traces(self, ids: Collection[str]) -> set[str]:
        """Return the trace ids that have one of the marks."""
        return _match(ids, self.keys, self.traces, trace_mark)

    def match_feedback(self, ids: Collection[str]) -> set[str]:
        """Return the ids of feedback that have one of the marks."""
        return _match(ids, self.keys, self.feedback, feedback_mark)


def collect_tombstone_marks(
    keys: Sequence[Keys], from_tombstones: Iterable[Tombstone]
) -> TombstoneMarks:
    """Return the marks of traces and feedback in tombstones."""
    traces: dict[str, set[str]] = {}
    feedback: dict[str, set[str]] = {}
    for tombstone in from_tombstones:
        for name, marks in tombstone.traces.items():
            traces.setdefault(name, set()).update(marks)
        for name, marks in tombstone.feedback.items():
            feedback.setdefault(name, set()).update(marks)
    return TombstoneMarks(
        keys,
        {name: frozenset(marks) for name, marks in traces.items()},
        {name: frozenset(marks) for name, marks in feedback.items()},
    )


@dataclass(frozen=True, slots=True)
class TombstoneStore:
    """The folder of tombstones and receipts. ``retry`` repeats requests that get no answer."""

    store: ObjectStore
    retry: Retry
    _cached: list[Tombstone] = field(default_factory=list)

    def all(self) -> list[Tombstone]:
        """Return all tombstones; FatalError if one is missing or damaged."""
        after = len(self._cached)
        newer = self.retry.call(
            "reading tombstones", lambda: tombstones.read_tombstones(self.store, after)
        )
        self._cached.extend(newer)
        return list(self._cached)

    def list_receipts(self) -> list[int]:
        """Return the numbers of the erasures that have a receipt."""
        paths = self.retry.call("listing receipts", lambda: [p for p, _ in self.store.walk("")])
        return sorted(int(match[1]) for p in paths if (match := RECEIPT_PATTERN.fullmatch(p)))

    def find_receipt(self, erasure: int) -> bytes | None:
        """Return a receipt, None if there is none."""
        path = receipt_name(erasure)
        return self.retry.call("reading a receipt", lambda: self.store.find(path))

    def put_receipt(self, erasure: int, receipt: bytes) -> bytes:
        """Store a receipt unless there is one by now; return the stored one."""
        path = receipt_name(erasure)
        self.retry.call("writing a receipt", lambda: self.store.put_new(path, receipt))
        return self.find_receipt(erasure) or receipt

    def put_tombstone(
        self,
        persons: Persons,
        until_us: int,
        traces: Mapping[str, Sequence[str]],
        feedback: Mapping[str, Sequence[str]],
    ) -> Tombstone:
        """Write the next tombstone."""

        def make(erasure: int) -> Tombstone:
            return Tombstone(erasure, until_us, persons.marks, traces, feedback)

        return self.retry.call(
            "writing a tombstone", lambda: tombstones.put_tombstone(self.store, make)
        )


@dataclass(frozen=True, slots=True)
class ErasureState:
    """How far the erasure of some persons has come, by what the lake records of it."""

    store: TombstoneStore
    commit_notes: CommitNotes
    persons: Persons
    keys: Sequence[Keys]

    def tombstones(self) -> list[Tombstone]:
        """Return the tombstones that cover one of the persons."""
        return [t for t in self.store.all() if self.persons.any_in(t.subjects)]

    def unfinished(self) -> list[int]:
        """Return the numbers of the persons' tombstones that no receipt covers."""
        numbers = {tombstone.number for tombstone in self.tombstones()}
        for erasure in sorted(numbers):
            data = self.store.find_receipt(erasure)
            if data is not None:
                numbers -= set(read_receipt(data, f"the receipt {erasure}")[0]["erasures"])
        return sorted(numbers)

    def is_finished(self) -> bool:
        """Return whether all of the persons were erased before, completely."""
        subject_marks = [tombstone.subjects for tombstone in self.tombstones()]
        return self.persons.all_in(subject_marks) and not self.unfinished()

    def newest_receipt(self) -> tuple[int, bytes]:
        """Return the number and the bytes of the newest receipt of the persons."""
        receipts = {t.number: self.store.find_receipt(t.number) for t in self.tombstones()}
        erasure = max(erasure for erasure, data in receipts.items() if data)
        return erasure, receipts[erasure] or b""

    def marks(self) -> TombstoneMarks:
        """Return the marks of the persons' traces, feedback and removed label events."""
        own = self.tombstones()
        events = event_marks_in_notes(note.body for note in self.notes(own))
        return replace(collect_tombstone_marks(self.keys, own), events=events)

    def coordinates(self) -> RecordCoordinates:
        """Return the coordinates of the records removed so far."""
        return coordinates_in_notes(note.body for note in self.notes(self.tombstones()))

    def label_events(self) -> frozenset[str]:
        """Return the ids of removed label events that earlier versions wrote into notes."""
        return label_events_in_notes(note.body for note in self.notes(self.tombstones()))

    def versions(self) -> dict[str, int]:
        """Return the version in which the last rows were removed, by table."""
        versions: dict[str, int] = {}
        for note in self.notes(self.tombstones()):
            versions[note.table] = max(note.version, versions.get(note.table, 0))
        return versions

    def notes(self, of_tombstones: Sequence[Tombstone]) -> list[CommitNote]:
        """Return the notes of the commits for some tombstones."""
        return self.store.retry.call(
            "reading the logs", lambda: list(self.commit_notes.read(of_tombstones))
        )


def _match(
    ids: Collection[str],
    keys: Sequence[Keys],
    marks: Mapping[str, frozenset[str]],
    mark_of: Callable[[Keys, str], str],
) -> set[str]:
    usable = [(key, marks[key.name]) for key in keys if marks.get(key.name)]
    return {id_ for id_ in ids for key, key_marks in usable if mark_of(key, id_) in key_marks}
