"""Tombstones: marks of erased persons, which keep their records out of the lake.

A tombstone is the object ``<lake>/erasures/<n>.json``, n = 1, 2, … without a gap, written once. It
holds keyed fingerprints only (marks, `redact.crypto.subjects`), so it names nobody.

Each table has the fence ``#erasures`` (`lake.fences`): the number of the newest tombstone in force
there. Code that commits rows has loaded tombstones up to some number *before* reading what the rows
are made of, and its commit is rejected if the fence has passed that number. An erasure is then

1. a tombstone, written under the next number;
2. the fence: ``#erasures`` is raised to it in every table, also in those of staged replays. From
   here on a writer that does not know the tombstone cannot commit;
3. a scan for rows, and their removal. If it found any, all is repeated from 1 with what it found:
   rows derived from others (labels, promoted rows of a replay) may have been read before they were
   removed. An erasure has ended when a scan *that follows a fence* finds nothing.

| dies after | what is then known | what happens |
|---|---|---|
| 1 | a tombstone that no table has | workers that start keep its persons out; the erasure continues with 2 |
| 2, some tables | the others accept commits of writers that have not read the tombstone | the erasure fences the rest before it scans |
| 3 | rows are left | it scans again |
"""  # noqa: E501 - a table

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lake.erasure_copies import ERASURES_FOLDER, TOMBSTONE_PATTERN
from lake.location import LakeLocation
from lake.objects import ObjectStore
from schemas.errors import FatalError

TOMBSTONE_FORMAT: Final = 1

KeyedMarks = Mapping[str, Sequence[str]]
"""Marks by the name of the key that they were made with."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The marks of records that are kept out of the lake, each under every key of its time.

    A record of one of ``subjects`` is kept out if its time in Kafka or its event time is before
    ``until_us`` (microseconds since 1970, UTC): later records of the same person are new data.
    Records of ``traces`` and the ``feedback`` are kept out permanently. All tombstones are in force
    together; for the same subject the latest time counts.
    """

    number: int
    until_us: int
    subjects: KeyedMarks = field(default_factory=dict)
    traces: KeyedMarks = field(default_factory=dict)
    feedback: KeyedMarks = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return the object's content: the same tombstone gives the same bytes."""
        body = {
            "format": TOMBSTONE_FORMAT,
            "number": self.number,
            "until_us": self.until_us,
            "subjects": _listed(self.subjects),
            "traces": _listed(self.traces),
            "feedback": _listed(self.feedback),
        }
        return (json.dumps(body, indent=1, sort_keys=True) + "\n").encode()


def open_tombstones(location: LakeLocation) -> ObjectStore:
    """Return the folder of a lake's tombstones."""
    return location.files(ERASURES_FOLDER)


def newest_tombstone(store: ObjectStore) -> int:
    """Return the number of the newest tombstone, 0 if there is none; one listing."""
    matches = (TOMBSTONE_PATTERN.fullmatch(path) for path, _ in store.walk(""))
    return max((int(match[1]) for match in matches if match), default=0)


def read_tombstones(store: ObjectStore, after: int = 0) -> list[Tombstone]:
    """Return the tombstones with numbers above ``after``, in order.

    Raises FatalError if one is missing or damaged: then it is not known what must be kept out.
    """
    return [_read(store, number) for number in range(after + 1, newest_tombstone(store) + 1)]


def put_tombstone(store: ObjectStore, make: Callable[[int], Tombstone]) -> Tombstone:
    """Write a tombstone under the next number, and return it; safe if others do the same.

    ``make`` returns the tombstone of a number.
    """
    while True:
        tombstone = make(newest_tombstone(store) + 1)
        if store.put_new(f"{tombstone.number}.json", tombstone.to_json()):
            return tombstone


def _read(store: ObjectStore, number: int) -> Tombstone:
    where = f"{ERASURES_FOLDER}/{number}.json"
    data = store.find(f"{number}.json")
    if data is None:
        raise FatalError(
            f"{where} is missing: tombstones are never removed, or erased persons would come back. "
            "Restore it from a copy of the lake"
        )
    try:
        body = json.loads(data)
        if body["format"] != TOMBSTONE_FORMAT:
            raise FatalError(
                f"{where} has format {body['format']}, this program reads {TOMBSTONE_FORMAT}: use "
                "the version of goldpan that wrote it, or a newer one"
            )
        tombstone = Tombstone(
            number=int(body["number"]),
            until_us=int(body["until_us"]),
            subjects=_marks(body["subjects"]),
            traces=_marks(body["traces"]),
            feedback=_marks(body["feedback"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FatalError(
            f"{where} cannot be read ({type(error).__name__}): restore it from a copy of the lake"
        ) from None
    if tombstone.number != number:
        raise FatalError(f"{where} holds tombstone {tombstone.number}: restore the right file")
    return tombstone


def _listed(marks: KeyedMarks) -> dict[str, list[str]]:
    return {name: sorted(set(values)) for name, values in marks.items()}


def _marks(body: Any) -> dict[str, tuple[str, ...]]:
    return {str(name): tuple(map(str, values)) for name, values in body.items()}
