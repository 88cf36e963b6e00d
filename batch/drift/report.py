"""Compares two tallies feature by feature: which have drifted, how far, and in what.

A feature has drifted if the difference is there for certain (its p-value, adjusted for all features
that were looked at, is below ``alpha``) *and* matters (its distance is ``least`` or more). With
millions of rows the first alone would be true of anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np

from batch.drift.statistics import (
    ComparedCounts,
    Counts,
    adjust_holm,
    jensen_shannon_distance,
    kolmogorov_distance,
    run_f_test,
)
from batch.drift.tally import (
    LABEL,
    NONE,
    SEGMENT,
    FeatureTally,
    is_numeric,
    middle_of_band,
    rank_of_band,
)
from labels.binomial_interval import clopper_pearson

FREEDOM: Final = 5
"""So many days, less one a period, must be there to know how far days differ by themselves."""

BINS: Final = 10
"""A number is tested over so many bins, which hold about the same number of rows."""

_SHOWN: Final = 20


class ValueShare(NamedTuple):
    """A value, and its share in the reference and in the window."""

    value: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class FailureRate:
    """A share with its 95 % interval, which allows for the dispersion of days."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """What was found of one feature.

    ``rows`` are those of reference and window; ``quantiles`` of a number the median and the 95th
    percentile (to the width of a band, 9 %) of both.
    """

    feature: str
    measure: str
    distance: float
    p: float
    adjusted: float
    dispersion: float
    drifted: bool
    rows: tuple[float, float]
    shares: tuple[ValueShare, ...]
    quantiles: Mapping[str, tuple[float, float]]

    @property
    def largest(self) -> ValueShare:
        """Return the value whose share has changed most."""
        return max(self.shares, key=lambda one: abs(one.after - one.before))


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The answer. ``passed_over`` says why a feature was not compared."""

    reference: str
    window: str
    alpha: float
    least: float
    findings: tuple[FeatureDrift, ...]
    failure_rate: tuple[FailureRate, FailureRate] | None
    passed_over: Mapping[str, str]

    @property
    def drifted(self) -> tuple[str, ...]:
        """Return the features that have drifted."""
        return tuple(one.feature for one in self.findings if one.drifted)

    @property
    def ok(self) -> bool:
        """Return whether something was compared and nothing has drifted."""
        return bool(self.findings) and not self.drifted

    def to_json(self) -> dict[str, Any]:
        """Return the report for machines."""
        found = asdict(self)
        found["findings"] = [
            asdict(one) | {"shares": [share._asdict() for share in one.shares]}
            for one in self.findings
        ]
        return {"ok": self.ok, "drifted": list(self.drifted), **found}


def compare_tallies(  # noqa: PLR0913 - two periods with their names, and two limits
    before: FeatureTally,
    after: FeatureTally,
    *,
    reference: str,
    window: str,
    alpha: float,
    least: float,
    weighed: bool = False,
) -> DriftReport:
    """Compare a window with its reference; ``weighed`` as in `ComparedCounts`."""
    names = sorted({*before.features, *after.features})
    for tally in (before, after):
        for name in names:
            if name.startswith(SEGMENT):
                tally.filled(name)
    looked = {name: _look(name, before, after, weighed) for name in names}
    seen = [one for one in looked.values() if isinstance(one, FeatureDrift)]
    findings = [
        _judged(one, adjusted, alpha, least)
        for one, adjusted in zip(seen, adjust_holm([one.p for one in seen]), strict=True)
    ]
    return DriftReport(
        reference,
        window,
        alpha,
        least,
        tuple(sorted(findings, key=lambda one: (not one.drifted, -one.distance, one.feature))),
        _failures(findings),
        {name: why for name, why in looked.items() if isinstance(why, str)},
    )


def _look(
    name: str,
    before: FeatureTally,
    after: FeatureTally,
    weighed: bool,  # noqa: FBT001
) -> FeatureDrift | str:
    """Return a finding that is not judged yet, or why there is none."""
    values = sorted(before.values(name) | after.values(name), key=_order(name))
    sides = ComparedCounts(before.matrix(name, values), after.matrix(name, values), weighed)
    if not len(sides.reference) or not len(sides.window):
        return f"no rows in the {'window' if len(sides.reference) else 'reference'}"
    if sides.freedom < FREEDOM:
        return f"too few days with rows: {sides.freedom + 1} tell too little of how days differ"
    p, q = sides.shares
    number = is_numeric(name)
    test = run_f_test(_binned(sides) if number else sides)
    return FeatureDrift(
        feature=name,
        measure="kolmogorov" if number else "jensen_shannon",
        distance=kolmogorov_distance(p, q) if number else jensen_shannon_distance(p, q),
        p=test.p,
        adjusted=1.0,
        dispersion=test.dispersion,
        drifted=False,
        rows=(float(sides.reference.sum()), float(sides.window.sum())),
        shares=_shares(name, values, p, q),
        quantiles=_quantiles(name, values, p, q) if number else {},
    )


def _judged(one: FeatureDrift, adjusted: float, alpha: float, least: float) -> FeatureDrift:
    drifted = adjusted < alpha and one.distance >= least
    return replace(one, adjusted=adjusted, drifted=drifted)


def _order(name: str) -> Any:
    return rank_of_band if is_numeric(name) else str


def _binned(sides: ComparedCounts) -> ComparedCounts:
    """Take neighbouring bands of a number together, until each bin holds its part of the rows."""
    p, q = sides.shares
    middle = np.cumsum((p + q) / 2) - (p + q) / 4
    bins = np.minimum((middle * BINS).astype(int), BINS - 1)
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    return ComparedCounts(
        np.add.reduceat(sides.reference, starts, axis=1),
        np.add.reduceat(sides.window, starts, axis=1),
        sides.weighed,
    )


def _shares(name: str, values: Sequence[str], p: Counts, q: Counts) -> tuple[ValueShare, ...]:
    """Return the values with the largest shares; of a number only whether there is one."""
    if is_numeric(name):
        none = values.index(NONE) if NONE in values else None
        before, after = (0.0, 0.0) if none is None else (float(p[none]), float(q[none]))
        return (ValueShare(NONE, before, after),)
    order = np.argsort(-np.maximum(p, q), kind="stable")[:_SHOWN]
    return tuple(ValueShare(values[i], float(p[i]), float(q[i])) for i in order)


def _quantiles(
    name: str, values: Sequence[str], p: Counts, q: Counts
) -> dict[str, tuple[float, float]]:
    some = [i for i, value in enumerate(values) if value != NONE]
    middles = [middle_of_band(name, values[i]) for i in some]
    return {
        told: (_quantile(middles, p[some], share), _quantile(middles, q[some], share))
        for told, share in (("median", 0.5), ("p95", 0.95))
        if p[some].sum() > 0 and q[some].sum() > 0
    }


def _quantile(middles: Sequence[float], shares: Counts, share: float) -> float:
    cumulated = np.cumsum(shares) / shares.sum()
    return middles[int(np.searchsorted(cumulated, share - 1e-12))]


def _failures(findings: Sequence[FeatureDrift]) -> tuple[FailureRate, FailureRate] | None:
    """Return the share of fail among what was decided, before and after."""
    for one in findings:
        if one.feature == LABEL:
            shares = {share.value: share for share in one.shares}
            fail, passed = (shares.get(w, ValueShare(w, 0.0, 0.0)) for w in ("fail", "pass"))
            worth = [rows / one.dispersion for rows in one.rows]
            before = _rate(fail.before * worth[0], passed.before * worth[0])
            after = _rate(fail.after * worth[1], passed.after * worth[1])
            return None if before is None or after is None else (before, after)
    return None


def _rate(fail: float, passed: float) -> FailureRate | None:
    if fail + passed <= 0:
        return None
    return FailureRate(fail / (fail + passed), *clopper_pearson(fail, fail + passed))
