"""Rows that a generator made: which of those that are offered come into a release, and as what.

They are never taken for production: ``drawn`` is ``synthetic``, ``generator`` names who made them,
they have no weight and no probability, and no estimate counts them. In each stratum they are at
most a share of its rows, so none stands in a stratum that production has no row in. One whose text
is a near-duplicate of a drawn row, or of another synthetic one, stays out. A row that shares a
conversation or a user with drawn rows is on their side of the holdout line; one that would tie both
sides together stays out. Among those that may come a hash with the spec's seed decides.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

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
"""Stands in `_topic` of synthetic rows, with the number of their line in `_offset`."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class SyntheticOffer:
    """What a file offers: rows with the columns of a trace, `label` and `expected_response`.

    ``sha256`` is that of the file; the rows have been through redaction.
    """

    generator: str
    sha256: str
    rows: Sequence[Row]


@dataclass(slots=True, repr=False)
class SyntheticSelection:
    """The rows that come in, with their side, and how many stay out, by why."""

    generator: str
    sha256: str
    offered: int
    rows: list[Row] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    by_stratum: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Return what the manifest says of them."""
        return {
            "generator": self.generator,
            "sha256": self.sha256,
            "offered": self.offered,
            "rows": len(self.rows),
            "by_stratum": dict(sorted(self.by_stratum.items())),
            "left_out": {why: n for why, n in sorted(self.left_out.items()) if n},
        }


def select_synthetic_rows(
    spec: ReleaseSpec, offered: SyntheticOffer, strata: Mapping[str, str], drawn: Sequence[Row]
) -> SyntheticSelection:
    """Choose among the rows that are offered.

    ``strata`` are the texts of their strata by trace id, of those that fit the spec's `where`;
    ``drawn`` the rows of production that are in, with their sides. Raises UsageError if a row
    bears the id of one of these.
    """
    known = {row["trace_id"] for row in drawn}
    if twice := [row["_offset"] for row in offered.rows if row["trace_id"] in known]:
        raise UsageError(
            f"synthetic.file, line {twice[0]}: trace_id: is that of a drawn trace; give synthetic "
            "rows ids of their own"
        )
    taken = SyntheticSelection(offered.generator, offered.sha256, len(offered.rows))
    fitting = [row for row in offered.rows if row["trace_id"] in strata]
    taken.left_out["outside_where"] = len(offered.rows) - len(fitting)
    both = find_tied_rows(drawn, fitting)
    near = _Near(spec, drawn)
    room = _room(spec, drawn)
    chosen: list[Row] = []
    for row in sorted(fitting, key=lambda one: _draw(spec.seed, one["trace_id"])):
        name = stratum_name(stratum_values(strata[row["trace_id"]], spec.strata))
        if row["trace_id"] in both:
            taken.left_out["on_both_sides"] += 1
        elif taken.by_stratum[name] >= room.get(name, 0):
            taken.left_out["over_share"] += 1
        elif near.same_as_another(row):
            taken.left_out["near_duplicates"] += 1
        else:
            taken.by_stratum[name] += 1
            chosen.append({**row, "stratum": name})
    sided = assign_splits([*drawn, *chosen], spec.holdout, known=[row["split"] for row in drawn])
    taken.rows = [
        _released(row, offered.generator, side)
        for row, side in zip(chosen, sided[len(drawn) :], strict=True)
    ]
    return taken


def _released(row: Row, generator: str, side: str) -> Row:
    more = {"drawn": SYNTHETIC, "generator": generator, "split": side}
    return {**row, **more, "near_duplicates": 0, "salt": ""}


def _room(spec: ReleaseSpec, drawn: Sequence[Row]) -> dict[str, int]:
    """Return how many synthetic rows each stratum has room for, by its name."""
    share = 0.0 if spec.synthetic is None else spec.synthetic.max_share
    rows = Counter(row["stratum"] for row in drawn if row["stratum"] is not None)
    # A share such as 0.2 is no binary number: without the last bit a place would be missing.
    return {name: math.floor(n * share / (1 - share) + 1e-9) for name, n in rows.items()}


def _draw(seed: int, trace_id: str) -> str:
    return hashlib.md5(f"{seed}:synthetic:{trace_id}".encode(), usedforsecurity=False).hexdigest()


class _Near:
    """Tells near-duplicates of what is in; nothing is one where the spec does not ask."""

    def __init__(self, spec: ReleaseSpec, drawn: Sequence[Row]) -> None:
        rule = spec.near_duplicates
        self._index = None if rule is None else NearDuplicateIndex(MinHashSketches(rule))
        for row in drawn:
            self.same_as_another(row)

    def same_as_another(self, row: Row) -> bool:
        """Tell whether a row is like one that is in; otherwise it is in from now on."""
        if self._index is None:
            return False
        return self._index.add(row["trace_id"], compared_texts(row)) is not None
