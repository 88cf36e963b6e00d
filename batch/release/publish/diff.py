"""How two releases differ: their rows, and what that does to the strata and the labels."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batch.release.format.rows import row_commitments
from batch.release.format.version import ChangeLevel, RowChanges, compare_rows, row_fingerprints

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ReleaseDiff:
    """What changed from one release to another.

    ``labels`` and ``strata`` count rows by value, before and after.
    """

    changes: RowChanges
    labels: Mapping[str, tuple[int, int]]
    strata: Mapping[str, tuple[int, int]]

    @property
    def same(self) -> bool:
        """Return whether both hold the same rows, on the same sides."""
        return not self.changes.added and self.changes.level is not ChangeLevel.MAJOR


def diff_releases(before: Rows, after: Rows, erased: Collection[str] = ()) -> ReleaseDiff:
    """Compare the rows (JSON values, with salts) of two releases of one name.

    ``erased`` are the commitments to the content of rows that ``before`` had once.
    """
    old, new = (
        row_fingerprints(rows, [row.content for row in row_commitments(rows)])
        for rows in (before, after)
    )
    return ReleaseDiff(
        compare_rows(old, new, erased), _mix(before, after, "label"), _mix(before, after, "stratum")
    )


def _mix(before: Rows, after: Rows, column: str) -> dict[str, tuple[int, int]]:
    old, new = (Counter(row[column] or "(named)" for row in rows) for rows in (before, after))
    return {value: (old[value], new[value]) for value in sorted(old.keys() | new.keys())}
