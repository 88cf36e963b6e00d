"""Tombstones: who was erased from a lake, and the fence that keeps them out of its tables.

A tombstone is the object ``<lake>/erasures/<n>.json``, n = 1, 2, … without a gap, written once. It
holds marks only (keyed fingerprints, `redact.crypto.subjects`), so it names nobody.

Each table bears the application transaction ``#erasures``: the number of the newest tombstone in
force there. Whoever commits rows has loaded tombstones up to some number, *before* reading what the
rows are made of, and commits with ``erasure_guard(number)``: FencedError if the table's number has gone
past it. An erasure is then

1. a tombstone, put with the next number;
2. the fence: ``#erasures`` is raised to it in every table, those of staged replays too. From here
   on nobody can commit who does not know the tombstone;
3. a look for rows, and their removal. If there were any, again from 1, with what was found: rows
   derived from others (labels, promoted rows of a replay) may have been read before they went.
   An erasure has reached its end when a look *that follows a fence* finds nothing.

How the number is raised so that no commit slips past: `lake.fences`.

| dies after | what is then known | what happens |
|---|---|---|
| 1 | a tombstone that no table bears | workers that start keep its persons out; the erasure goes on from 2 |
| 2, some tables | the others take commits of those who have not read the tombstone | the erasure fences the rest before it looks |
| 3 | rows are left | it looks again |
"""  # noqa: E501 - a table

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lake.commit import Ceiling
from lake.erasure_copies import ERASURES_FOLDER
from lake.fences import raise_fence
from lake.location import LakeLocation
from lake.objects import ObjectStore
from lake.retry import Retry
from lake.tables import Table
from schemas.errors import FatalError

ERASURES_APP: Final = "#erasures"
TOMBSTONE_FORMAT: Final = 1
_FILE: Final = re.compile(r"([1-9][0-9]{0,8})\.json")

KeyedMarks = Mapping[str, Sequence[str]]
"""Marks by the name of the key that they were made with."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Who and what is kept out of the lake. Each of the marks is there under every key of its time.

    A record of one of ``subjects`` is kept out if its time in Kafka or its event time is before
    ``until_us`` (microseconds since 1970, UTC): a person who comes back later is new data. Records
    of ``traces`` and the ``feedback`` are kept out for good. All tombstones are in force together;
    of the same subject the latest time counts.
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


def erasure_guard(number: int) -> Ceiling:
    """Return the condition of a commit by one who has applied the tombstones up to ``number``."""
    return Ceiling(ERASURES_APP, number)


def newest_tombstone(store: ObjectStore) -> int:
    """Return the number of the newest tombstone, 0 if there is none; one listing."""
    found = (_FILE.fullmatch(path) for path, _ in store.walk(""))
    return max((int(match[1]) for match in found if match), default=0)


def read_tombstones(store: ObjectStore, after: int = 0) -> list[Tombstone]:
    """Return the tombstones with numbers above ``after``, in order.

    Raises FatalError if one is missing or damaged: nobody can tell then who must be kept out.
    """
    return [_read(store, number) for number in range(after + 1, newest_tombstone(store) + 1)]


def put_tombstone(store: ObjectStore, make: Callable[[int], Tombstone]) -> Tombstone:
    """Write a tombstone under the next number, whoever else does the same; return it.

    ``make`` gives it for a number.
    """
    while True:
        wanted = make(newest_tombstone(store) + 1)
        if store.put_new(f"{wanted.number}.json", wanted.to_json()):
            return wanted


def raise_erasure_fence(
    table: Table, number: int, *, retry: Retry, now_ms: Callable[[], int]
) -> bool:
    """Raise ``#erasures`` of a table to ``number``; return False if it was there already.

    Afterwards the handle of the table stands at a version that bears it. Raises RetryableError if
    told to stop, FatalError if the lake did not answer in time: then it is not known whether the
    table is fenced, and this may be called again.
    """

    def attempt() -> bool:
        table.refresh()
        if (table.number(ERASURES_APP) or 0) >= number:
            return False
        raise_fence(table, ERASURES_APP, number, name=ERASURES_FOLDER, now_ms=now_ms())
        return True

    return retry.call(f"fencing table {table.name}", attempt)


def _read(store: ObjectStore, number: int) -> Tombstone:
    where = f"{ERASURES_FOLDER}/{number}.json"
    data = store.find(f"{number}.json")
    if data is None:
        raise FatalError(
            f"{where} is missing: tombstones are never removed, or erased persons would come back. "
            "Put it back from a copy of the lake"
        )
    try:
        body = json.loads(data)
        if body["format"] != TOMBSTONE_FORMAT:
            raise FatalError(
                f"{where} has format {body['format']}, this program reads {TOMBSTONE_FORMAT}: use the "
                "version of goldpan that wrote it, or a newer one"
            )
        found = Tombstone(
            number=int(body["number"]),
            until_us=int(body["until_us"]),
            subjects=_marks(body["subjects"]),
            traces=_marks(body["traces"]),
            feedback=_marks(body["feedback"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FatalError(
            f"{where} cannot be read ({type(error).__name__}): put it back from a copy of the lake"
        ) from None
    if found.number != number:
        raise FatalError(f"{where} holds tombstone {found.number}: put the right file back")
    return found


def _listed(marks: KeyedMarks) -> dict[str, list[str]]:
    return {name: sorted(set(found)) for name, found in marks.items()}


def _marks(body: Any) -> dict[str, tuple[str, ...]]:
    return {str(name): tuple(map(str, found)) for name, found in body.items()}
