"""Compares two releases of one name: their rows, labels and strata."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from batch.release.format.commitments import row_commitments
from batch.release.format.rows import ReleaseRow
from batch.release.format.version import ChangeLevel


class RowFingerprint(NamedTuple):
    """What decides whether a row has changed: the commitment to its content, label and split."""

    content: str
    label: str
    split: str


@dataclass(frozen=True, slots=True)
class RowChanges:
    """How the rows of two releases differ, by trace id.

    Rows in ``edited`` have the same label. ``erased`` counts rows that the first release once had
    and that can no longer be identified.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    relabelled: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    same: int = 0
    erased: int = 0

    @property
    def level(self) -> ChangeLevel:
        """Return the level of the changes to the rows alone; NONE if they are the same."""
        if self.removed or self.relabelled or self.edited or self.moved or self.erased:
            return ChangeLevel.MAJOR
        return ChangeLevel.MINOR if self.added else ChangeLevel.NONE

    def counts(self) -> dict[str, int]:
        """Return the number of rows by kind of change."""
        return {
            "added": len(self.added),
            "removed": len(self.removed),
            "relabelled": len(self.relabelled),
            "edited": len(self.edited),
            "moved": len(self.moved),
            "erased": self.erased,
            "same": self.same,
        }


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
        """Return whether both hold the same rows, with the same splits."""
        return not self.changes.added and self.changes.level is not ChangeLevel.MAJOR


def diff_releases(
    before: Sequence[ReleaseRow], after: Sequence[ReleaseRow], erased: Collection[str] = ()
) -> ReleaseDiff:
    """Compare the rows (with salts) of two releases of one name.

    ``erased`` are the commitments to the content of rows that ``before`` once had.
    """
    old, new = (
        row_fingerprints(rows, [row.content for row in row_commitments(rows)])
        for rows in (before, after)
    )
    return ReleaseDiff(
        compare_rows(old, new, erased),
        _counts_by(before, after, "label"),
        _counts_by(before, after, "stratum"),
    )


def compare_rows(
    before: Mapping[str, RowFingerprint],
    after: Mapping[str, RowFingerprint],
    erased: Collection[str] = (),
) -> RowChanges:
    """Compare the rows of two releases of one name, by trace id.

    ``erased`` are the commitments (`Commitment.content`) of rows that ``before`` once had.
    """
    both = sorted(before.keys() & after.keys())
    changed = [t for t in both if before[t].content != after[t].content]
    relabelled = [t for t in changed if before[t].label != after[t].label]
    unchanged = [t for t in both if before[t].content == after[t].content]
    return RowChanges(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        relabelled=tuple(relabelled),
        edited=tuple(t for t in changed if t not in set(relabelled)),
        moved=tuple(t for t in unchanged if before[t].split != after[t].split),
        same=sum(1 for t in unchanged if before[t].split == after[t].split),
        erased=len(set(erased) - {row.content for row in after.values()}),
    )


def row_fingerprints(
    rows: Sequence[ReleaseRow], contents: Sequence[str]
) -> dict[str, RowFingerprint]:
    """Return the fingerprints of rows by trace id; ``contents`` are their commitments."""
    return {
        row["trace_id"]: RowFingerprint(content, row["label"], row["split"])
        for row, content in zip(rows, contents, strict=True)
    }


def _counts_by(
    before: Sequence[ReleaseRow], after: Sequence[ReleaseRow], column: Literal["label", "stratum"]
) -> dict[str, tuple[int, int]]:
    old, new = (Counter(row[column] or "(named)" for row in rows) for rows in (before, after))
    return {value: (old[value], new[value]) for value in sorted(old.keys() | new.keys())}
