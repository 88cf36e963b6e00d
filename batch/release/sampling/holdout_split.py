"""The holdout split: which side of the line a row is on.

Rows that share a conversation or a user are on one side, and so are rows that are linked through
others. The side of a group is a hash of its smallest user id, so a user stays on their side in
every release that uses the same seed, whatever else is drawn; only rows that link two users can
move one of them, and `goldpan release diff` says so.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

from batch.release.sampling.spec import HoldoutRule

HOLDOUT: Final = "holdout"
DEVELOPMENT: Final = "development"

Row = Mapping[str, str | None]


def assign_splits(
    rows: Sequence[Row], rule: HoldoutRule | None, *, known: Sequence[str] = ()
) -> list[str]:
    """Return the side of each row; rows have ``trace_id``, ``session_id`` and ``user_id``.

    ``known`` are the sides of the first rows: they stay there, and with them the rows of their
    groups (see `find_tied_rows`).
    """
    if rule is None:
        return [DEVELOPMENT for _ in rows]
    roots = _roots(rows)
    fixed = dict(zip(roots, known, strict=False))
    return [
        fixed.get(root) or (HOLDOUT if _draw(root, rule.seed) < rule.share else DEVELOPMENT)
        for root in roots
    ]


def find_tied_rows(rows: Sequence[Mapping[str, str | None]], others: Sequence[Row]) -> set[str]:
    """Return the trace ids of ``others`` that would bring ``rows`` of both sides into one group.

    ``rows`` have their side in ``split``; all that are in such a group are returned.
    """
    roots = _roots([*rows, *others])
    found: dict[str, set[str | None]] = defaultdict(set)
    for row, root in zip(rows, roots, strict=False):
        found[root].add(row["split"])
    return {
        str(other["trace_id"])
        for other, root in zip(others, roots[len(rows) :], strict=True)
        if len(found[root]) > 1
    }


def _roots(rows: Sequence[Row]) -> list[str]:
    """Return the smallest key of the group that each row is in."""
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


def _keys(row: Row) -> list[str]:
    """Return what ties a row to others; those of users sort first."""
    user, session = row["user_id"], row["session_id"]
    keys = [f"1:{user}"] if user is not None else []
    keys += [f"2:{session}"] if session is not None else []
    return keys or [f"3:{row['trace_id']}"]


def _draw(key: str, seed: int) -> float:
    digest = blake2b(f"{seed}:{key}".encode(), digest_size=7, person=b"holdout").digest()
    return int.from_bytes(digest, "big") / 2**56
