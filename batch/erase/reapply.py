"""Erasures that are applied again, to a lake that was put back from a backup from before them.

Nobody knows the persons' ids any more, and nobody needs to: tombstones hold marks of the persons,
their traces and feedback, and receipts the place of each record that went. What a backup holds of
them was there when they were erased, and so is known by one of these; or retention had taken it
before, and retention takes it again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pyarrow.compute as pc

from batch.erase import receipt
from batch.erase.removal import coordinates_in_receipts
from batch.erase.scope import Persons, RecordCoordinates
from batch.erase.table_set import TableSet
from lake import tombstones
from lake.erasure_copies import RECEIPT_SUFFIX, ErasureCopies
from lake.fences import ERASURE_FENCE
from lake.retry import Retry
from lake.table_commit import CommitContext
from lake.tables import Table
from lake.tombstones import Tombstone
from redact.crypto.keys import Keys
from redact.crypto.signing import public_keys
from redact.crypto.subjects import user_mark
from schemas.errors import UsageError

_USERS: Final = {"traces": "user_id", "feedback": "user_id", "reviews": "reviewer"}
_PSEUDONYM: Final = re.compile(r"[A-Za-z0-9_-]{1,16}:([a-z2-7]{12})")


@dataclass(frozen=True, slots=True)
class ReappliedErasure:
    """What is known of persons who were erased: who they are here, and where their records lay."""

    persons: Persons
    records: RecordCoordinates


@dataclass(frozen=True, slots=True)
class MissedErasures:
    """Erasures that a lake has missed. ``done`` are the tombstones that a receipt speaks of.

    ``open`` are the numbers of the others: their persons are kept out, and not yet erased.
    ``records`` are the places of the records that went.
    """

    copies: ErasureCopies
    tombs: Sequence[Tombstone]
    done: Sequence[Tombstone]
    open: Sequence[int]
    records: RecordCoordinates

    @classmethod
    def read(cls, copies: ErasureCopies, keys: Sequence[Keys]) -> "MissedErasures":
        """Read the copies of what a lake has missed.

        Raises UsageError if a receipt is not signed by one of the keys, or if marks are under none
        of them, FatalError if a tombstone is missing or damaged, or of another lake.
        """
        newer = set(copies.newer())
        tombs = [one for one in tombstones.read_tombstones(copies.kept) if one.number in newer]
        said = [one for one in _receipts(copies, keys) if not newer.isdisjoint(one["erasures"])]
        done = {number for one in said for number in one["erasures"]}
        names = {one.name for one in keys}
        for one in tombs:
            if one.subjects and names.isdisjoint(one.subjects):
                raise UsageError(
                    f"the tombstone {one.number} was made under redaction keys that are not set "
                    f"here ({', '.join(sorted(one.subjects))}): set them in "
                    "GOLDPAN_REDACT__FORMER_KEYS, or nobody can tell who was erased"
                )
        return cls(
            copies,
            tombs,
            [one for one in tombs if one.number in done],
            sorted(newer - done),
            coordinates_in_receipts(said),
        )

    @property
    def numbers(self) -> list[int]:
        """Return the numbers of those that are applied again."""
        return [one.number for one in self.done]

    def put(self, places: Sequence[TableSet], context: CommitContext) -> None:
        """Put the tombstones into the lake, under their numbers, and fence all tables.

        Raises UsageError if a number is taken, otherwise as `lake.fences.Fence.raise_to`.
        """
        copies = self.copies
        for one in self.tombs:
            path = f"{one.number}.json"
            step = partial(copies.there.put_new, path, copies.kept.get(path))
            if not context.retry.call("writing a tombstone", step):
                raise UsageError(f"{path} is another erasure in this lake: put the lake back again")
        newest = max((one.number for one in self.tombs), default=0)
        for place in places:
            for table in place.tables.values():
                ERASURE_FENCE.raise_to(table, newest, context)

    def persons(self, places: Sequence[TableSet], keys: Sequence[Keys], retry: Retry) -> Persons:
        """Find the persons of whom ``done`` speaks, among the user ids that tables hold."""
        marks: dict[str, set[str]] = {}
        for one in self.done:
            for name, found in one.subjects.items():
                marks.setdefault(name, set()).update(found)
        users = set[str]()
        for place in places:
            for table in place.named(list(_USERS)):
                for user in retry.call(f"reading table {table.name}", partial(_users, table)):
                    if any(user_mark(key, user) in marks.get(key.name, ()) for key in keys):
                        users.add(user)
        made = {user: match[1] for user in users if (match := _PSEUDONYM.fullmatch(user))}
        tokens = {form for t in made.values() for form in (f"<USER_ID:{t}>", f"#{t}")}
        return Persons(
            raw=frozenset(users - made.keys()),
            users=frozenset(users),
            tokens=frozenset(tokens | made.keys()),
            marks={name: sorted(found) for name, found in marks.items()},
            keys=keys,
        )


def _users(table: Table) -> set[str]:
    table.refresh()
    found = set[str]()
    column = _USERS[table.name]
    for batch in table.batches([column]):
        found.update(pc.unique(batch.column(column)).to_pylist())
    return found - {None}


def _receipts(copies: ErasureCopies, keys: Sequence[Keys]) -> list[dict[str, Any]]:
    ours, found = public_keys(one.receipt for one in keys), []
    for path in sorted(path for path, _ in copies.kept.walk("") if path.endswith(RECEIPT_SUFFIX)):
        said, signed_by = receipt.read_receipt(copies.kept.get(path), path)
        if signed_by not in ours:
            raise UsageError(
                f"{path} is not signed by the redaction key, nor by a former one: it is another "
                "lake's, it was changed, or GOLDPAN_REDACT__FORMER_KEYS lacks its key"
            )
        found.append(said)
    return found
