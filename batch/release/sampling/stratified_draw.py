"""Draws cells from strata, computes their weights, and drops near-duplicates.

Strata are drawn from the rarest to the most common. In each, cells are drawn in the order of their
hash until it has its rows, skipping clusters that were drawn before. So a cluster gives at most one
row, and no stratum is empty as long as a cluster is left for it.

A drawn cell c of stratum h represents

    weight = A_h / d_h  ·  M_c  ·  Π over rarer strata g that c is in of 1 / (1 - d_g / A_g)

traces: d_h of the A_h cells that were still free were drawn, and the cell has M_c traces, one of
which was picked. The product corrects for the cells whose cluster a rarer stratum had taken: each
factor is the inverse of the chance that it was left. So each step preserves the expectation, and
the Horvitz-Thompson total is unbiased (Särndal, Swensson and Wretman 1992, ch. 9 on drawing in
phases). A trace that a sampler kept with probability p before it was stored (column
``sampling_probability``) represents 1 / p times as many, for the same reason. Where a rarer stratum
took *all* of its clusters, their other cells could not be drawn; such traces are counted as out of
reach, and the rest of their stratum represents them.

A drawn row whose text is a near-duplicate of an included one makes room for another. Its weight is
added to that one if both are of one stratum, or else to the rows of its own stratum.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from batch.release.sampling.allocation import Stratum

LEAST_PROBABILITY: Final = 2.0**-30
"""A trace that was kept with a lower probability counts as if it had this one."""

NearDuplicateFinder = Callable[[str], str | None]
"""Returns the included row that a drawn trace is a near-duplicate of; None includes the trace."""


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
    sampling_probability: float | None = None


class CellSize(NamedTuple):
    """The number of traces of a cell."""

    stratum: str
    cluster: str
    traces: int


@dataclass(slots=True)
class DrawnCell:
    """A cell that was drawn.

    ``same_as`` is the trace that it is a near-duplicate of, None if it is included. ``weight`` is
    the number of stored traces that it represents by the design.
    """

    cell: SamplingCell
    same_as: str | None
    weight: float = 0.0

    @property
    def probability(self) -> float:
        """Return the probability with which this trace was kept and drawn."""
        return self.kept_probability / self.weight

    @property
    def kept_probability(self) -> float:
        """Return the probability with which this trace was kept before it was stored."""
        kept = self.cell.sampling_probability
        return 1.0 if kept is None else max(kept, LEAST_PROBABILITY)

    @property
    def represents(self) -> float:
        """Return how many traces it represents: those that were not kept too."""
        return self.weight / self.kept_probability


@dataclass(slots=True)
class StratumDraw:
    """What was drawn from a stratum, of its ``free`` cells; ``target`` is the number of rows."""

    stratum: Stratum
    target: int
    drawn: list[DrawnCell] = field(default_factory=list)
    free: int = 0
    short: bool = False

    @property
    def rows(self) -> int:
        """Return how many rows the stratum has in the release."""
        return sum(1 for drawn in self.drawn if drawn.same_as is None)


def draw_strata(
    strata: Sequence[Stratum],
    targets: Mapping[str, int],
    cells: Mapping[str, Sequence[SamplingCell]],
    used: set[str],
    new_finder: Callable[[], NearDuplicateFinder],
) -> list[StratumDraw]:
    """Draw from each stratum; ``cells`` are its first cells, in the order of their hash.

    ``used`` are clusters that are already included; ``new_finder`` starts a new comparison. A draw
    is ``short`` if the cells ran out before it had its rows: pass more of them, unless there are no
    more. A stratum that others left empty is drawn before them, for one row.
    """
    order = sorted(strata, key=lambda s: (s.cells, s.text))
    limits, first = dict(targets), set[str]()
    while True:
        draws = _draw_in_order(order, limits, cells, used, new_finder())
        empty = [d.stratum for d in draws if not d.drawn and cells[d.stratum.text]]
        left_out = [stratum for stratum in empty if stratum.text not in first]
        if not left_out:
            return draws
        first.add(left_out[0].text)
        limits[left_out[0].text] = 1
        order = [left_out[0], *(s for s in order if s is not left_out[0])]


def _draw_in_order(
    order: Sequence[Stratum],
    targets: Mapping[str, int],
    cells: Mapping[str, Sequence[SamplingCell]],
    used: set[str],
    find_duplicate: NearDuplicateFinder,
) -> list[StratumDraw]:
    used = set(used)
    draws = []
    for stratum in order:
        draw = StratumDraw(stratum, targets[stratum.text])
        for cell in cells[stratum.text]:
            if draw.rows == draw.target:
                break
            if cell.cluster not in used:
                used.add(cell.cluster)
                draw.drawn.append(DrawnCell(cell, find_duplicate(cell.trace_id)))
        draw.short = draw.rows < draw.target
        if draw.drawn and not draw.rows:
            draw.drawn[0].same_as = None  # better a near-duplicate than an empty stratum
        draws.append(draw)
    return draws


def assign_weights(
    draws: Sequence[StratumDraw], members: Sequence[CellSize], named: set[str]
) -> dict[str, int]:
    """Set ``weight`` of all drawn cells and ``free`` of all draws, which are in drawing order.

    ``members`` are all cells of the clusters that were drawn or named, ``named`` the clusters that
    were included before anything was drawn. Returns how many traces of each stratum are out of
    reach: their cluster was named, or belongs to a rarer stratum that was drawn completely.
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
    for draw in draws:
        text = draw.stratum.text
        draw.free = draw.stratum.cells - gone.get(text, 0)
        complete = len(draw.drawn) == draw.free
        for drawn in draw.drawn:
            cells = cells_of[drawn.cell.cluster]
            # Sorted: engines return members in any order, and a product of floats depends on it.
            stay = math.prod(left.get(other, 1.0) for other in sorted(cells))
            drawn.weight = draw.free / len(draw.drawn) * drawn.cell.traces / stay
            later = {other: traces for other, traces in cells.items() if other not in left}
            _add(gone, dict.fromkeys(later, 1))
            if complete:
                _add(lost, {other: n for other, n in later.items() if other != text})
        left[text] = 1.0 if complete or not draw.free else 1 - len(draw.drawn) / draw.free
    return lost


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for key, count in more.items():
        total[key] = total.get(key, 0) + count
