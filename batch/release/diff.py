"""How two releases differ: their rows, and what that does to the strata and the labels."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batch.release.rows import commitments
from batch.release.version import Changes, Level, changes, row_facts

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
        return not self.changes.added and self.changes.level is not Level.MAJOR


def difference(before: Rows, after: Rows, erased: Collection[str] = ()) -> Difference:
    """Compare the rows (JSON values, with salts) of two releases of one name.

    ``erased`` are the commitments to the content of rows that ``before`` had once.
    """
    old, new = (
        row_facts(rows, [row.content for row in commitments(rows)]) for rows in (before, after)
    )
    return Difference(
        changes(old, new, erased), _mix(before, after, "label"), _mix(before, after, "stratum")
    )


def _mix(before: Rows, after: Rows, column: str) -> dict[str, tuple[int, int]]:
    old, new = (Counter(row[column] or "(named)" for row in rows) for rows in (before, after))
    return {value: (old[value], new[value]) for value in sorted(old.keys() | new.keys())}
