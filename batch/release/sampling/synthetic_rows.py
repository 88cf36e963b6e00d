"""Selects the synthetic rows that are added to a release.

They are never counted as production: ``drawn`` is ``synthetic``, ``generator`` names their
generator, they have no weight and no probability, and no estimate includes them. In each stratum
they are at most a share of its rows, so a stratum without rows from production has none. A row
whose text is a near-duplicate of a drawn row, or of another synthetic row, is left out. A row that
shares a conversation or a user with drawn rows is on their side of the holdout line; a row that
would link both sides is left out. A hash with the spec's seed decides among the others.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from batch.release.format.manifest import SyntheticRowFacts
from batch.release.format.rows import DrawnRow, SyntheticRow, TraceFields
from batch.release.sampling.columns import stratum_name, stratum_values
from batch.release.sampling.holdout_split import assign_splits, find_tied_rows
from batch.release.sampling.near_duplicates import (
    MinHashSketches,
    NearDuplicateIndex,
    compared_texts,
)
from batch.release.sampling.spec import ReleaseSpec
from schemas.errors import UsageError

SYNTHETIC: Final = "synthetic"
SYNTHETIC_TOPIC: Final = "#synthetic"
"""The `_topic` of synthetic rows; their `_offset` is the number of their line."""


@dataclass(frozen=True, slots=True, repr=False)
class SyntheticOffer:
    """The rows of a file, after redaction. ``sha256`` is the hash of the file."""

    generator: str
    sha256: str
    rows: Sequence[SyntheticRow]


@dataclass(slots=True, repr=False)
class SyntheticSelection:
    """The rows that are added, with their split, and how many are left out, by reason."""

    generator: str
    sha256: str
    offered: int
    rows: list[Mapping[str, object]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    by_stratum: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> SyntheticRowFacts:
        """Return the entry of the manifest."""
        return {
            "generator": self.generator,
            "sha256": self.sha256,
            "offered": self.offered,
            "rows": len(self.rows),
            "by_stratum": dict(sorted(self.by_stratum.items())),
            "left_out": {reason: n for reason, n in sorted(self.left_out.items()) if n},
        }


def select_synthetic_rows(
    spec: ReleaseSpec,
    offer: SyntheticOffer,
    strata: Mapping[str, str],
    drawn: Sequence[DrawnRow],
) -> SyntheticSelection:
    """Select among the rows of an offer.

    ``strata`` has the texts of their strata by trace id, for those that meet the spec's `where`;
    ``drawn`` are the rows from production, with their splits. Raises UsageError if a row has the id
    of one of these.
    """
    drawn_ids = {row["trace_id"] for row in drawn}
    if taken := [row["_offset"] for row in offer.rows if row["trace_id"] in drawn_ids]:
        raise UsageError(
            f"synthetic.file, line {taken[0]}: trace_id: is the id of a drawn trace; give "
            "synthetic rows ids of their own"
        )
    selection = SyntheticSelection(offer.generator, offer.sha256, len(offer.rows))
    fitting = [row for row in offer.rows if row["trace_id"] in strata]
    selection.left_out["outside_where"] = len(offer.rows) - len(fitting)
    tied = find_tied_rows(drawn, fitting)
    included = _IncludedTexts(spec, drawn)
    capacity = _capacity(spec, drawn)
    chosen: list[tuple[SyntheticRow, str]] = []
    for row in sorted(fitting, key=lambda row: _hash(spec.seed, row["trace_id"])):
        name = stratum_name(stratum_values(strata[row["trace_id"]], spec.strata))
        if row["trace_id"] in tied:
            selection.left_out["on_both_sides"] += 1
        elif selection.by_stratum[name] >= capacity.get(name, 0):
            selection.left_out["over_share"] += 1
        elif included.has_similar(row):
            selection.left_out["near_duplicates"] += 1
        else:
            selection.by_stratum[name] += 1
            chosen.append((row, name))
    splits = assign_splits(
        [*drawn, *(row for row, _ in chosen)],
        spec.holdout,
        fixed=[row["split"] for row in drawn],
    )
    selection.rows = [
        {
            **row,
            "stratum": name,
            "drawn": SYNTHETIC,
            "generator": offer.generator,
            "split": split,
            "near_duplicates": 0,
            "salt": "",
        }
        for (row, name), split in zip(chosen, splits[len(drawn) :], strict=True)
    ]
    return selection


def _capacity(spec: ReleaseSpec, drawn: Sequence[DrawnRow]) -> dict[str, int]:
    """Return how many synthetic rows each stratum may get, by its name."""
    share = 0.0 if spec.synthetic is None else spec.synthetic.max_share
    rows = Counter(row["stratum"] for row in drawn if row["stratum"] is not None)
    # A share such as 0.2 is not a binary number: without the last term a row could be missing.
    return {name: math.floor(n * share / (1 - share) + 1e-9) for name, n in rows.items()}


def _hash(seed: int, trace_id: str) -> str:
    return hashlib.md5(f"{seed}:synthetic:{trace_id}".encode(), usedforsecurity=False).hexdigest()


class _IncludedTexts:
    """Finds near-duplicates of included rows; none if the spec has no rule for them."""

    def __init__(self, spec: ReleaseSpec, drawn: Sequence[DrawnRow]) -> None:
        rule = spec.near_duplicates
        self._index = None if rule is None else NearDuplicateIndex(MinHashSketches(rule))
        for row in drawn:
            self.has_similar(row)

    def has_similar(self, row: TraceFields) -> bool:
        """Return whether a row is similar to an included one; otherwise include it."""
        if self._index is None:
            return False
        return self._index.add(row["trace_id"], compared_texts(row)) is not None
