"""Which cells are drawn, what each stands for, and which of two near-duplicates stays.

Strata are taken from the rarest to the commonest. In each, cells are drawn in the order of their
hash, passing over clusters that were drawn before, until it has its rows. So a cluster gives at
most one row, and no stratum is empty as long as a cluster is left for it.

A drawn cell c of stratum h stands for

    weight = A_h / d_h  ·  M_c  ·  Π over rarer strata g that c is in of 1 / (1 - d_g / A_g)

traces: d_h of the A_h cells that were still free were drawn, the cell has M_c traces of which one
was picked, and the product makes up for the cells whose cluster a rarer stratum had taken: each
factor is the inverse of the chance that it was left (so each step keeps the expectation, and the
Horvitz-Thompson total is unbiased; Särndal, Swensson and Wretman 1992, ch. 9 on drawing in phases).
Where a rarer stratum took *all* of its clusters, what else they hold could not be drawn; such
traces are counted as out of reach, and the rest of their stratum speaks for them.

A drawn row whose text is a near-duplicate of one that is in already makes room for another. Its
weight goes to that one if they are of one stratum, or else to the rows of its own stratum.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from batch.release.sampling.allocation import Stratum

NearDuplicateFinder = Callable[[str], str | None]
"""Asks, for a drawn trace, which row that is in already it is a near-duplicate of; None for none,
and from then on the trace is in."""


@dataclass(frozen=True, slots=True)
class SamplingCell:
    """A cell: its stratum and cluster, how many traces it has, and the trace that was picked."""

    stratum: str
    cluster: str
    traces: int
    trace_id: str
    session_id: str | None
    user_id: str | None
    topic: str
    partition: int
    offset: int
    draw: str


class CellSize(NamedTuple):
    """A cell, without the trace that was picked."""

    stratum: str
    cluster: str
    traces: int


def cell_from_row(row: Mapping[str, Any]) -> SamplingCell:
    """Return a row of the query as a cell."""
    return SamplingCell(**{name.removeprefix("_"): value for name, value in row.items()})


@dataclass(slots=True)
class DrawnCell:
    """A cell that was drawn. ``same_as`` is the trace it is a near-duplicate of, None if it is in.

    ``weight`` is what it stands for by the design, ``probability`` the inverse of that.
    """

    cell: SamplingCell
    same_as: str | None
    weight: float = 0.0

    @property
    def probability(self) -> float:
        """Return the probability with which this trace was drawn."""
        return 1 / self.weight


@dataclass(slots=True)
class StratumDraw:
    """What was drawn of one stratum: of ``free`` cells those in ``drawn``; ``wanted`` rows."""

    stratum: Stratum
    wanted: int
    drawn: list[DrawnCell] = field(default_factory=list)
    free: int = 0
    short: bool = False

    @property
    def rows(self) -> int:
        """Return how many rows the stratum has in the release."""
        return sum(1 for one in self.drawn if one.same_as is None)


def draw_strata(
    strata: Sequence[Stratum],
    wanted: Mapping[str, int],
    cells: Mapping[str, Sequence[SamplingCell]],
    taken: set[str],
    near: Callable[[], NearDuplicateFinder],
) -> list[StratumDraw]:
    """Draw from each stratum; ``cells`` are its first ones, in the order of their hash.

    ``taken`` are clusters that are in already; ``near`` begins a comparison anew. A share is
    ``short`` if the cells that were given ran out before it had its rows: give more of them, or
    that is all there is. A stratum of which others left nothing is drawn from before them, for one
    row.
    """
    order = sorted(strata, key=lambda s: (s.cells, s.text))
    limits, first = dict(wanted), set[str]()
    while True:
        shares = _draw_in_order(order, limits, cells, taken, near())
        empty = [s.stratum for s in shares if not s.drawn and cells[s.stratum.text]]
        left_out = [stratum for stratum in empty if stratum.text not in first]
        if not left_out:
            return shares
        first.add(left_out[0].text)
        limits[left_out[0].text] = 1
        order = [left_out[0], *(s for s in order if s is not left_out[0])]


def _draw_in_order(
    order: Sequence[Stratum],
    wanted: Mapping[str, int],
    cells: Mapping[str, Sequence[SamplingCell]],
    taken: set[str],
    near: NearDuplicateFinder,
) -> list[StratumDraw]:
    taken = set(taken)
    shares = []
    for stratum in order:
        share = StratumDraw(stratum, wanted[stratum.text])
        for one in cells[stratum.text]:
            if share.rows == share.wanted:
                break
            if one.cluster not in taken:
                taken.add(one.cluster)
                share.drawn.append(DrawnCell(one, near(one.trace_id)))
        share.short = share.rows < share.wanted
        if share.drawn and not share.rows:
            share.drawn[0].same_as = None  # better a near-duplicate than an empty stratum
        shares.append(share)
    return shares


def assign_weights(
    shares: Sequence[StratumDraw], members: Sequence[CellSize], named: set[str]
) -> dict[str, int]:
    """Give each drawn cell its weight; ``shares`` in the order in which they were drawn.

    ``members`` are all cells of the clusters that were drawn or named, ``named`` the clusters that
    were in before anything was drawn. Returns how many traces of each stratum are out of reach:
    their cluster was named, or belongs to a rarer stratum that was taken whole.
    """
    cells_of: dict[str, dict[str, int]] = {}
    for member in members:
        cells_of.setdefault(member.cluster, {})[member.stratum] = member.traces
    gone: dict[str, int] = {}
    lost: dict[str, int] = {}
    for cluster in named:
        _add(gone, dict.fromkeys(cells_of.get(cluster, {}), 1))
        _add(lost, cells_of.get(cluster, {}))
    left: dict[str, float] = {}
    for share in shares:
        text = share.stratum.text
        share.free = share.stratum.cells - gone.get(text, 0)
        whole = len(share.drawn) == share.free
        for one in share.drawn:
            cells = cells_of[one.cell.cluster]
            # In order: engines give members in any, and a product of floats depends on it.
            stay = math.prod(left.get(other, 1.0) for other in sorted(cells))
            one.weight = share.free / len(share.drawn) * one.cell.traces / stay
            later = {other: traces for other, traces in cells.items() if other not in left}
            _add(gone, dict.fromkeys(later, 1))
            if whole:
                _add(lost, {other: n for other, n in later.items() if other != text})
        left[text] = 1.0 if whole or not share.free else 1 - len(share.drawn) / share.free
    return lost


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for key, number in more.items():
        total[key] = total.get(key, 0) + number
