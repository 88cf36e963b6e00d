"""The persons to erase, with every form in which a lake may hold their ids."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch.erase.text_search import RowFlags, is_email
from redact.crypto.keys import Keys
from redact.crypto.subjects import PHONE_REGIONS, DataSubject, user_mark


@dataclass(frozen=True)
class Persons:
    """The persons of one erasure.

    ``ids`` are as producers send them, ``user_ids`` what columns of user ids may hold for them,
    ``tokens`` what replaces them in texts. ``emails`` are the ids that are e-mail addresses, in
    lower case, ``phones`` the digits of those that are telephone numbers. ``marks`` are keyed
    fingerprints, by the name of the key.
    """

    ids: frozenset[str]
    user_ids: frozenset[str]
    tokens: frozenset[str]
    marks: Mapping[str, Sequence[str]]
    emails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    keys: Sequence[Keys] = field(default=(), repr=False)
    apps: frozenset[str] = frozenset()
    regions: Sequence[str] = PHONE_REGIONS

    @classmethod
    def of(
        cls,
        ids: Collection[str],
        keys: Sequence[Keys],
        apps: Iterable[str],
        regions: Sequence[str] = PHONE_REGIONS,
    ) -> "Persons":
        """Derive all forms of ids, under all keys and in all apps.

        ``regions`` are those of the policy in force. Older rows may have been written under the
        default regions, so these are tried too.
        """
        scopes = frozenset(apps)
        region_sets = dict.fromkeys((tuple(regions), PHONE_REGIONS))
        subjects = [
            DataSubject(id_, keys, regions_) for id_ in sorted(ids) for regions_ in region_sets
        ]
        user_ids = frozenset().union(*(subject.identifiers(scopes) for subject in subjects))
        tokens = frozenset().union(*(subject.placeholders(scopes) for subject in subjects))
        marks: dict[str, set[str]] = {}
        for subject in subjects:
            for name, key_marks in subject.marks(scopes).items():
                marks.setdefault(name, set()).update(key_marks)
        return cls(
            frozenset(ids),
            user_ids,
            tokens | (user_ids - frozenset(ids)),
            {name: sorted(key_marks) for name, key_marks in marks.items()},
            frozenset(id_.lower() for id_ in ids if is_email(id_)),
            frozenset().union(*(subject.dialled() for subject in subjects)),
            keys,
            scopes,
            regions,
        )

    def for_id(self, id_: str) -> "Persons":
        """Return the person with one of the ids."""
        if id_ not in self._by_id:
            self._by_id[id_] = Persons.of([id_], self.keys, self.apps, self.regions)
        return self._by_id[id_]

    @cached_property
    def _by_id(self) -> "dict[str, Persons]":
        return {}

    def all_in(self, subject_marks: Iterable[Mapping[str, Sequence[str]]]) -> bool:
        """Return whether the tombstones with these subject marks cover each of the persons."""
        named = {(name, mark) for marks in subject_marks for name in marks for mark in marks[name]}
        return all(
            any((key.name, user_mark(key, id_)) in named for key in self.keys) for id_ in self.ids
        )

    def any_in(self, subject_marks: Mapping[str, Sequence[str]]) -> bool:
        """Return whether the tombstone with these subject marks covers one of the persons."""
        return any(
            not set(self.marks.get(name, ())).isdisjoint(subject_marks[name])
            for name in subject_marks
        )

    def match_user_ids(self, column: pa.Array | pa.ChunkedArray) -> RowFlags:
        """Return which values of a column of user ids are theirs."""
        flags = match_values(column, self.user_ids)
        if self.emails:
            flags |= match_values(pc.utf8_lower(column), self.emails)
        return flags


def match_values(column: pa.Array | pa.ChunkedArray, values: Collection[str]) -> RowFlags:
    """Return which values of a text column are among some values."""
    if not values:
        return np.zeros(len(column), np.bool_)
    hits = pc.is_in(column, value_set=pa.array(sorted(values), pa.string()))
    return np.asarray(hits).astype(np.bool_)
