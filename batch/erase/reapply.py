"""Reapplies erasures to a lake that was restored from an older backup.

The persons' ids are no longer known, and are not needed. Tombstones hold marks of the persons,
their traces and feedback; receipts hold the coordinates of each removed record. All that a backup
holds about the persons existed when they were erased, so one of these identifies it. The exception
is what retention had already removed; retention will remove it again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pyarrow.compute as pc

from batch.erase.persons import Persons
from batch.erase.receipt import RecordCoordinates, coordinates_in_receipts, read_receipt
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
from schemas.arrow import SPANS_TABLE
from schemas.errors import UsageError

_USER_COLUMNS: Final = {
    "traces": "user_id",
    "feedback": "user_id",
    SPANS_TABLE: "user_id",
    "reviews": "reviewer",
    "answer_reviews": "reviewer",
}
_PSEUDONYM: Final = re.compile(r"[A-Za-z0-9_-]{1,16}:([a-z2-7]{12})")


@dataclass(frozen=True, slots=True)
class ReappliedErasure:
    """The persons to erase again, as found in this lake, and the coordinates of their records."""

    persons: Persons
    coordinates: RecordCoordinates


@dataclass(frozen=True, slots=True)
class MissedErasures:
    """Erasures that a lake lacks, read from their copies.

    ``finished`` are the tombstones that a receipt covers. ``unfinished`` are the numbers of the
    others: their persons are kept out of the lake, but not erased yet. ``coordinates`` are those of
    the removed records.
    """

    copies: ErasureCopies
    tombstones: Sequence[Tombstone]
    finished: Sequence[Tombstone]
    unfinished: Sequence[int]
    coordinates: RecordCoordinates

    @classmethod
    def read(cls, copies: ErasureCopies, keys: Sequence[Keys]) -> "MissedErasures":
        """Read the copies of the erasures that a lake lacks.

        Raises UsageError if a receipt is not signed by one of the keys, or if none of them made the
        marks; FatalError if a tombstone is missing, damaged, or of another lake.
        """
        newer = set(copies.newer())
        missed = [t for t in tombstones.read_tombstones(copies.copy) if t.number in newer]
        receipts = [r for r in _read_receipts(copies, keys) if not newer.isdisjoint(r["erasures"])]
        covered = {number for receipt in receipts for number in receipt["erasures"]}
        names = {key.name for key in keys}
        for tombstone in missed:
            if tombstone.subjects and names.isdisjoint(tombstone.subjects):
                raise UsageError(
                    f"the tombstone {tombstone.number} was made under redaction keys that are not "
                    f"set here ({', '.join(sorted(tombstone.subjects))}), so the erased persons "
                    "cannot be identified: set the keys in GOLDPAN_REDACT__FORMER_KEYS"
                )
        return cls(
            copies,
            missed,
            [tombstone for tombstone in missed if tombstone.number in covered],
            sorted(newer - covered),
            coordinates_in_receipts(receipts),
        )

    @property
    def numbers(self) -> list[int]:
        """Return the numbers of the erasures to apply again."""
        return [tombstone.number for tombstone in self.finished]

    def put_tombstones(self, table_sets: Sequence[TableSet], context: CommitContext) -> None:
        """Put the tombstones into the lake, under their numbers, and fence all tables.

        Raises UsageError if a number is taken, otherwise as `lake.fences.Fence.raise_to`.
        """
        copies = self.copies
        for tombstone in self.tombstones:
            path = f"{tombstone.number}.json"
            step = partial(copies.lake.put_new, path, copies.copy.get(path))
            if not context.retry.call("writing a tombstone", step):
                raise UsageError(f"{path} is another erasure in this lake: restore the lake again")
        newest = max((tombstone.number for tombstone in self.tombstones), default=0)
        for table_set in table_sets:
            for table in table_set.tables.values():
                ERASURE_FENCE.raise_to(table, newest, context)

    def find_persons(
        self, table_sets: Sequence[TableSet], keys: Sequence[Keys], retry: Retry
    ) -> Persons:
        """Find the persons of the finished erasures among the user ids in tables."""
        marks: dict[str, set[str]] = {}
        for tombstone in self.finished:
            for name, key_marks in tombstone.subjects.items():
                marks.setdefault(name, set()).update(key_marks)
        user_ids = set[str]()
        for table_set in table_sets:
            for table in table_set.select(list(_USER_COLUMNS)):
                step = partial(_read_user_ids, table)
                for user_id in retry.call(f"reading table {table.name}", step):
                    if any(user_mark(key, user_id) in marks.get(key.name, ()) for key in keys):
                        user_ids.add(user_id)
        pseudonyms = {user: match[1] for user in user_ids if (match := _PSEUDONYM.fullmatch(user))}
        tokens = {
            form for token in pseudonyms.values() for form in (f"<USER_ID:{token}>", f"#{token}")
        }
        return Persons(
            ids=frozenset(user_ids - pseudonyms.keys()),
            user_ids=frozenset(user_ids),
            tokens=frozenset(tokens | pseudonyms.keys()),
            marks={name: sorted(key_marks) for name, key_marks in marks.items()},
            keys=keys,
        )


def _read_user_ids(table: Table) -> set[str]:
    table.refresh()
    user_ids = set[str]()
    column = _USER_COLUMNS[table.name]
    for batch in table.batches([column]):
        user_ids.update(pc.unique(batch.column(column)).to_pylist())
    return user_ids - {None}


def _read_receipts(copies: ErasureCopies, keys: Sequence[Keys]) -> list[dict[str, Any]]:
    ours, receipts = public_keys(key.receipt for key in keys), []
    for path in sorted(p for p, _ in copies.copy.walk("") if p.endswith(RECEIPT_SUFFIX)):
        content, signed_by = read_receipt(copies.copy.get(path), path)
        if signed_by not in ours:
            raise UsageError(
                f"{path} is not signed by the redaction key or a former one: it belongs to another "
                "lake, it was changed, or GOLDPAN_REDACT__FORMER_KEYS lacks its key"
            )
        receipts.append(content)
    return receipts
