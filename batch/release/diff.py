"""How two releases differ: their rows, and what that does to the strata and the labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batch.release.rows import commitments
from batch.release.version import Changes, changes, row_facts

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed from one release to another.

    ``labels`` and ``strata`` count rows by value, before and after.
    """

    changes: Changes
    labels: Mapping[str, tuple[int, int]]
    strata: Mapping[str, tuple[int, int]]

    @property
    def same(self) -> bool:
        """Return whether both hold the same rows, on the same sides."""
        found = self.changes
        return not any((found.added, found.removed, found.relabelled, found.edited, found.moved))


def difference(before: Rows, after: Rows) -> Difference:
    """Compare the rows (JSON values, with salts) of two releases of one name."""
    old, new = (
        row_facts(rows, [row.content for row in commitments(rows)]) for rows in (before, after)
    )
    return Difference(
        changes(old, new), _mix(before, after, "label"), _mix(before, after, "stratum")
    )


def _mix(before: Rows, after: Rows, column: str) -> dict[str, tuple[int, int]]:
    old, new = (Counter(row[column] or "(named)" for row in rows) for rows in (before, after))
    return {value: (old[value], new[value]) for value in sorted(old.keys() | new.keys())}
