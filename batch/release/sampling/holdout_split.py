"""The holdout split: assigns rows to development or holdout, related rows to the same side.

Rows that share a conversation or a user are on one side, and so are rows linked through others. The
side of a group is a hash of its smallest user id, so a user stays on one side in every release with
the same seed, whatever else is drawn. Only rows that link two users can move one of them, and
`goldpan release diff` reports that.
"""

from collections import defaultdict
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypedDict

from batch.release.format.rows import DEVELOPMENT, HOLDOUT
from batch.release.sampling.spec import HoldoutRule


class GroupFields(TypedDict):
    """The columns that decide which rows belong together."""

    trace_id: str
    session_id: str | None
    user_id: str | None


class SplitFields(GroupFields):
    """The same columns, and the side of the row."""

    split: str


def assign_splits(
    rows: Sequence[GroupFields], rule: HoldoutRule | None, *, fixed: Sequence[str] = ()
) -> list[str]:
    """Return the side of each row.

    ``fixed`` are the sides of the first rows: these keep them, and the rows of their groups get the
    same (see `find_tied_rows`).
    """
    if rule is None:
        return [DEVELOPMENT for _ in rows]
    roots = group_roots(rows)
    sides = dict(zip(roots, fixed, strict=False))
    return [
        sides.get(root) or (HOLDOUT if _hash_share(root, rule.seed) < rule.share else DEVELOPMENT)
        for root in roots
    ]


def find_tied_rows(rows: Sequence[SplitFields], candidates: Sequence[GroupFields]) -> set[str]:
    """Return the trace ids of ``candidates`` that would join ``rows`` of both sides in one group.

    All of ``candidates`` that are in such a group are returned.
    """
    roots = group_roots([*rows, *candidates])
    sides: dict[str, set[str]] = defaultdict(set)
    for row, root in zip(rows, roots, strict=False):
        sides[root].add(row["split"])
    return {
        row["trace_id"]
        for row, root in zip(candidates, roots[len(rows) :], strict=True)
        if len(sides[root]) > 1
    }


def group_roots(rows: Sequence[GroupFields]) -> list[str]:
    """Return the smallest key of the group of each row."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for row in rows:
        first, *others = _keys(row)
        for other in others:
            low, high = sorted((root(first), root(other)))
            parent[high] = low  # the smallest key of a group is its root
    return [root(_keys(row)[0]) for row in rows]


def _keys(row: GroupFields) -> list[str]:
    """Return the keys that link a row to others; those of users sort first."""
    user, session = row["user_id"], row["session_id"]
    keys = [f"1:{user}"] if user is not None else []
    keys += [f"2:{session}"] if session is not None else []
    return keys or [f"3:{row['trace_id']}"]


def _hash_share(key: str, seed: int) -> float:
    """Return the hash of a key as a number from 0 to 1."""
    digest = blake2b(f"{seed}:{key}".encode(), digest_size=7, person=b"holdout").digest()
    return int.from_bytes(digest, "big") / 2**56
