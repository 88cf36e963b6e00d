"""One-sided bounds of an estimate, and the distance from a bar that they find with known power.

All estimates of a gate have these. ``level`` is the probability that a bound is on the wrong side.
"""

import math
from collections.abc import Callable
from typing import Final, Protocol

POWER: Final = 0.80
"""The probability with which a difference of the printed size is found, at least."""
PLANNED_POWER: Final = 0.85
"""The probability that margins are computed for. The design effect and the share of changed rows
are estimates, and differ away from the bar: what is left of it is `POWER` (measured by
`benchmarks.gate_errors`)."""
_MOST_ROWS: Final = 1e9
_CLOSE: Final = 0.005
_STEPS: Final = 60
_HALVINGS: Final = 60
_DOUBLINGS: Final = 60


class OneSidedBounds(Protocol):
    """An estimate with bounds.

    ``rows`` are those that it is measured on. A bound that the rows cannot set is infinite.
    """

    @property
    def estimate(self) -> float:
        """Return the estimate."""

    @property
    def rows(self) -> int:
        """Return the number of rows that it is measured on."""

    def lower(self, level: float) -> float:
        """Return the bound that the truth is above, but for ``level``."""

    def upper(self, level: float) -> float:
        """Return the bound that the truth is below, but for ``level``."""

    def is_above(self, bar: float, level: float) -> bool:
        """Return whether the lower bound reaches a bar."""

    def is_below(self, bar: float, level: float) -> bool:
        """Return whether the upper bound reaches a bar."""

    def margin_above(self, bar: float, level: float, growth: float = 1.0) -> float:
        """Return how far above a bar the truth must be, so that the lower bound reaches the bar.

        With a probability of `POWER`, on ``growth`` times as many rows; infinite if nowhere.
        """

    def margin_below(self, bar: float, level: float, growth: float = 1.0) -> float:
        """Return how far below a bar the truth must be, so that the upper bound reaches it."""


def rows_missing(rows: int, distance: float, margin: Callable[[float], float]) -> int | None:
    """Return about how many more rows it takes until the margin is no larger than a distance.

    ``margin`` is that on so many times the rows, and falls as the root of them. None if no number
    below a thousand million is enough, as where the estimate lies on the bar.
    """
    if distance <= 0 or rows <= 0:
        return None
    growth = short = 1.0
    for _ in range(_STEPS):
        size = margin(growth)
        if math.isinf(size):
            growth, short = growth * 2, growth
        elif growth == 1.0 and size <= distance:
            return 0
        elif abs(size - distance) <= _CLOSE * distance:
            break
        else:
            wanted = growth * (size / distance) ** 2
            if wanted <= short:  # the margin falls all at once: where all rows say the same
                break
            growth = wanted
        if growth * rows > _MOST_ROWS:
            return None
    return max(1, math.ceil((growth - 1) * rows))


def crossing(holds: Callable[[float], bool], yes: float, no: float) -> float:
    """Return where a condition that holds at ``yes`` ceases to hold on the way to ``no``.

    Either may be infinite, but not both: steps are doubled until it is passed, and the result is
    infinite if it never is.
    """
    if math.isinf(no):
        step = math.copysign(max(abs(yes), 1e-9), no)
        for _ in range(_DOUBLINGS):
            if not holds(yes + step):
                break
            yes, step = yes + step, 2 * step
        else:
            return no
        no = yes + step
    for _ in range(_HALVINGS):
        middle = (yes + no) / 2
        yes, no = (middle, no) if holds(middle) else (yes, middle)
    return yes
