"""Thresholds of pass, unknown and fail that reviews propose.

The band of unknown is the narrowest for which the share of wrong verdicts on each side is, with the
confidence asked for, at most the target: selection with guaranteed risk (Geifman and El-Yaniv,
NeurIPS 2017), with Clopper and Pearson's upper limit, split over the thresholds that are tried. The
figures are out of fold: of thresholds that were chosen without the reviews they are measured on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np

from judges.agreement.rows import AgreementRow
from judges.weighted_rate import RateEstimate, rate_of_values
from judges.weighted_rows import row_arrays
from labels.binomial_interval import clopper_pearson
from labels.failure_rate import effective_sample_size

TRIED: Final = 12
"""The number of thresholds that are tried on each side."""
FOLDS: Final = 5


@dataclass(frozen=True, slots=True)
class ProposedThresholds:
    """Thresholds for ``decide``, and what they would do.

    A side without a threshold (None) never decides: no cut there keeps to the target. ``passed``
    and ``failed`` are the shares of rows on each side, ``wrong_passes`` and ``wrong_fails`` the
    shares of wrong verdicts there; all four out of fold.
    """

    pass_at_most: float | None
    fail_at_least: float | None
    at_most_wrong: float
    reviews: int
    passed: RateEstimate
    failed: RateEstimate
    wrong_passes: RateEstimate
    wrong_fails: RateEstimate

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        shares = ("passed", "failed", "wrong_passes", "wrong_fails")
        return {
            "pass_at_most": self.pass_at_most,
            "fail_at_least": self.fail_at_least,
            "at_most_wrong": self.at_most_wrong,
            "reviews": self.reviews,
            **{
                name: {"estimate": rate.estimate, "low": rate.low, "high": rate.high}
                for name in shares
                for rate in (getattr(self, name),)
            },
        }


def propose_thresholds(
    rows: Sequence[AgreementRow],
    *,
    at_most_wrong: float = 0.2,
    confidence: float = 0.9,
    folds: int = FOLDS,
) -> ProposedThresholds | None:
    """Return thresholds by reviewed rows with a probability; None without such rows.

    All rows of a cluster are in one fold, by a hash of its name.
    """
    held = [row for row in rows if row.p_fail is not None]
    if not held:
        return None
    cuts = _cuts(held, at_most_wrong, confidence)
    fold_of = [_fold(row, at, folds) for at, row in enumerate(held)]
    sides: list[str] = [""] * len(held)
    for fold in range(folds):
        others = [row for row, its in zip(held, fold_of, strict=True) if its != fold]
        low, high = _cuts(others, at_most_wrong, confidence)
        for at, its in enumerate(fold_of):
            if its == fold:
                sides[at] = _side(held[at], low, high)
    return ProposedThresholds(
        pass_at_most=cuts[0],
        fail_at_least=cuts[1],
        at_most_wrong=at_most_wrong,
        reviews=len(held),
        passed=_share(held, [side == "pass" for side in sides]),
        failed=_share(held, [side == "fail" for side in sides]),
        wrong_passes=_wrong(held, sides, "pass"),
        wrong_fails=_wrong(held, sides, "fail"),
    )


def _cuts(
    rows: Sequence[AgreementRow], target: float, confidence: float
) -> tuple[float | None, float | None]:
    """Return both thresholds; where they would overlap, the middle of the overlap is the cut."""
    values = sorted({_p(row) for row in rows})
    if not values:
        return None, None
    tried = [values[(len(values) - 1) * step // max(1, TRIED - 1)] for step in range(TRIED)]

    def keeps(decided: list[AgreementRow], *, wrong: bool) -> bool:
        return bool(decided) and _limit(decided, confidence, wrong=wrong) <= target

    lows = [cut for cut in tried if keeps([row for row in rows if _p(row) <= cut], wrong=False)]
    highs = [cut for cut in tried if keeps([row for row in rows if _p(row) >= cut], wrong=True)]
    low, high = max(lows, default=None), min(highs, default=None)
    if low is None or high is None or low < high:
        return low, high
    middle = (low + high) / 2
    below = [value for value in values if value <= middle]
    above = [value for value in values if value > middle]
    if not below or not above:
        return (low, None) if not above else (None, high)
    return below[-1], above[0]


def _limit(rows: Sequence[AgreementRow], confidence: float, *, wrong: bool) -> float:
    """Return the upper limit of the share of rows whose ``reviewed_good`` is ``wrong``."""
    weights = [1 / row.probability for row in rows]
    size = effective_sample_size(weights)
    weighed = sum(w for w, row in zip(weights, rows, strict=True) if row.reviewed_good == wrong)
    share = weighed / sum(weights)
    tail = (1 - confidence) / TRIED
    return clopper_pearson(share * size, size, 1 - 2 * tail)[1]


def _side(row: AgreementRow, low: float | None, high: float | None) -> str:
    if low is not None and _p(row) <= low:
        return "pass"
    return "fail" if high is not None and _p(row) >= high else "unknown"


def _share(rows: Sequence[AgreementRow], holds: Sequence[bool]) -> RateEstimate:
    return rate_of_values(row_arrays(row.weighted for row in rows), np.array(holds, float))


def _wrong(rows: Sequence[AgreementRow], sides: Sequence[str], side: str) -> RateEstimate:
    some = [row for row, its in zip(rows, sides, strict=True) if its == side]
    return _share(some, [row.reviewed_good == (side == "fail") for row in some])


def _p(row: AgreementRow) -> float:
    return 0.0 if row.p_fail is None else row.p_fail


def _fold(row: AgreementRow, at: int, folds: int) -> int:
    name = str(at) if row.cluster is None else f"cluster {row.cluster}"
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest()) % folds
