"""Keeps records of erased persons out of the lake, by the marks in tombstones."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from redact.crypto.keys import Keys
from redact.crypto.subjects import feedback_mark, trace_mark, user_mark
from schemas.errors import FatalError
from schemas.record_batches import DecodedBatch, RecordKind

ERASED_RULE: Final = "erased"
"""The name of the rule that drops such records."""
_EVENT_TIME: Final = {
    RecordKind.TRACE: "started_at",
    RecordKind.FEEDBACK: "occurred_at",
    RecordKind.SPAN: "started_at",
}

MarksByKey = Mapping[str, Sequence[str]]


class TombstoneLike(Protocol):
    """The part of a tombstone that the filter uses; see `lake.tombstones.Tombstone`."""

    @property
    def number(self) -> int:
        """Return its number."""

    @property
    def until_us(self) -> int:
        """Return the time (microseconds since 1970, UTC) from which a person's records pass."""

    @property
    def subjects(self) -> MarksByKey:
        """Return the marks of persons, by the name of the key."""

    @property
    def traces(self) -> MarksByKey:
        """Return the marks of traces, by the name of the key."""

    @property
    def feedback(self) -> MarksByKey:
        """Return the marks of feedback, by the name of the key."""


class ErasureFilter:
    """All tombstones of a lake, as a filter for records. False if it keeps nothing out."""

    def __init__(self, tombstones: Iterable[TombstoneLike], keys: Sequence[Keys]) -> None:
        """Take all keys, the current one first.

        Raises:
            FatalError: a tombstone was made under none of the ``keys``, so its records cannot be
                recognised.
        """
        self._keys = keys
        self._users: list[tuple[Keys, dict[str, int]]] = [(key, {}) for key in keys]
        self._traces: list[tuple[Keys, set[str]]] = [(key, set()) for key in keys]
        self._feedback: list[tuple[Keys, set[str]]] = [(key, set()) for key in keys]
        for tombstone in tombstones:
            self._add(tombstone)
        self._users = [pair for pair in self._users if pair[1]]
        self._traces = [pair for pair in self._traces if pair[1]]
        self._feedback = [pair for pair in self._feedback if pair[1]]

    def __bool__(self) -> bool:
        return bool(self._users or self._traces or self._feedback)

    def _add(self, tombstone: TombstoneLike) -> None:
        if (at := self._key_index(tombstone.subjects, tombstone.number)) is not None:
            key, users = self._users[at]
            for mark in tombstone.subjects[key.name]:
                users[mark] = max(tombstone.until_us, users.get(mark, 0))
        for marks, sets in ((tombstone.traces, self._traces), (tombstone.feedback, self._feedback)):
            if (at := self._key_index(marks, tombstone.number)) is not None:
                sets[at][1].update(marks[self._keys[at].name])

    def _key_index(self, marks: MarksByKey, tombstone_number: int) -> int | None:
        """Return the index of the key to use, None if there are no marks."""
        if not any(marks.values()):
            return None
        for at, key in enumerate(self._keys):
            if key.name in marks:
                return at
        made = ", ".join(sorted(marks))
        raise FatalError(
            f"tombstone {tombstone_number} was made under the redaction key {made}, which is not "
            "configured here, so the records to keep out of the lake cannot be recognised. Add "
            "this key to GOLDPAN_REDACT__FORMER_KEYS (a JSON object: key id, key in base64)"
        )

    def without(self, decoded: DecodedBatch[Any]) -> tuple[DecodedBatch[Any], Counter[int]]:
        """Return a batch without the erased records, and their number by partition."""
        name = _EVENT_TIME[decoded.kind]
        erased = []
        for at, record in enumerate(decoded.records):
            at_us = _time(getattr(record, name), decoded.raws[at].timestamp_ms)
            feedback_id = _feedback_id(decoded.kind, record)
            if (
                (record.trace_id and self._is_of_trace(record.trace_id))
                or (record.user_id and self._is_of_user(record.user_id, at_us))
                or (feedback_id and self._is_feedback(feedback_id))
            ):
                erased.append(at)
        if erased and decoded.groups:
            # One span names the person, and the others of its trace say what the person did.
            traces = {decoded.groups[at] for at in erased} - {None}
            erased += [at for at, trace in enumerate(decoded.groups) if trace in traces]
        gone = frozenset(erased)
        rows = [at for at in range(len(decoded)) if at not in gone]
        if len(rows) == len(decoded):
            return decoded, Counter()
        by_partition = Counter(decoded.partitions)
        by_partition.subtract(decoded.partitions[at] for at in rows)
        return decoded.subset(rows), +by_partition

    def _is_of_trace(self, trace_id: str) -> bool:
        return any(trace_mark(key, trace_id) in marks for key, marks in self._traces)

    def _is_of_user(self, user_id: str, at_us: int) -> bool:
        return any(at_us < users.get(user_mark(key, user_id), 0) for key, users in self._users)

    def _is_feedback(self, feedback_id: str) -> bool:
        return any(feedback_mark(key, feedback_id) in marks for key, marks in self._feedback)


def _feedback_id(kind: RecordKind, record: Any) -> str | None:
    """Return the id of a feedback; None for anything else."""
    if kind is RecordKind.SPAN:
        return str(record.span_id) if record.record == "feedback" else None
    return str(record.feedback_id) if kind is RecordKind.FEEDBACK else None


NO_ERASURES: Final = ErasureFilter((), ())


def _time(event_us: int, timestamp_ms: int) -> int:
    """Return the earlier of a record's two times; Kafka's may be missing (-1)."""
    return event_us if timestamp_ms < 0 else min(event_us, timestamp_ms * 1000)
