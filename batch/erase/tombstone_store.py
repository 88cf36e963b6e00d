"""The tombstones and receipts of a lake, as an erasure sees them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from batch.erase.scope import Persons, TombstoneMarks
from lake import tombstones
from lake.erasure_copies import RECEIPT_PATTERN, receipt_name
from lake.objects import ObjectStore
from lake.retry import Retry
from lake.tombstones import Tombstone
from redact.crypto.keys import Keys


@dataclass(frozen=True, slots=True)
class TombstoneStore:
    """The folder of tombstones. ``retry`` is how it is asked again when it does not answer."""

    store: ObjectStore
    retry: Retry
    _read: list[Tombstone] = field(default_factory=list)

    def all(self) -> list[Tombstone]:
        """Return all tombstones; FatalError if one is missing or damaged."""
        after = len(self._read)
        more = self.retry.call(
            "reading tombstones", lambda: tombstones.read_tombstones(self.store, after)
        )
        self._read.extend(more)
        return list(self._read)

    def of(self, persons: Persons) -> list[Tombstone]:
        """Return those that are about one of some persons."""
        return [one for one in self.all() if persons.named_by(one.subjects)]

    def receipts(self) -> list[int]:
        """Return the numbers of the erasures that have a receipt."""
        listed = self.retry.call("listing receipts", lambda: [p for p, _ in self.store.walk("")])
        return sorted(int(match[1]) for p in listed if (match := RECEIPT_PATTERN.fullmatch(p)))

    def receipt(self, number: int) -> bytes | None:
        """Return a receipt, None if there is none."""
        path = receipt_name(number)
        return self.retry.call("reading a receipt", lambda: self.store.find(path))

    def file(self, number: int, receipt: bytes) -> bytes:
        """Keep a receipt unless there is one by now; return the one that is there."""
        path = receipt_name(number)
        self.retry.call("writing a receipt", lambda: self.store.put_new(path, receipt))
        return self.receipt(number) or receipt

    def put(
        self,
        persons: Persons,
        until_us: int,
        traces: Mapping[str, Sequence[str]],
        feedback: Mapping[str, Sequence[str]],
    ) -> Tombstone:
        """Write the next tombstone."""

        def make(number: int) -> Tombstone:
            return Tombstone(number, until_us, persons.marks, traces, feedback)

        return self.retry.call(
            "writing a tombstone", lambda: tombstones.put_tombstone(self.store, make)
        )


def collect_tombstone_marks(keys: Sequence[Keys], tombs: Iterable[Tombstone]) -> TombstoneMarks:
    """Return the marks of traces and feedback that tombstones name."""
    traces: dict[str, set[str]] = {}
    feedback: dict[str, set[str]] = {}
    for one in tombs:
        for name, found in one.traces.items():
            traces.setdefault(name, set()).update(found)
        for name, found in one.feedback.items():
            feedback.setdefault(name, set()).update(found)
    return TombstoneMarks(
        keys,
        {name: frozenset(found) for name, found in traces.items()},
        {name: frozenset(found) for name, found in feedback.items()},
    )
