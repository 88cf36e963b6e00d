"""Compares two tallies feature by feature: what has drifted, how far, and in which values.

A feature has drifted if the difference is significant (its p-value, adjusted for all compared
features, is below ``alpha``) *and* large enough (its distance is at least ``least``). With millions
of rows, the first alone would hold for every feature.
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
    LABEL_FEATURE,
    NO_VALUE,
    SEGMENT_PREFIX,
    FeatureTally,
    is_numeric,
    middle_of_band,
    rank_of_band,
)
from labels.binomial_interval import clopper_pearson

MIN_FREEDOM: Final = 5
"""The least degrees of freedom (days, less one per period) to estimate how days differ."""

DRIFT_BINS: Final = 10
"""The number of bins, of about equally many rows, over which a number is tested."""

_MAX_SHARES: Final = 20


class ValueShare(NamedTuple):
    """A value, and its share in the reference and in the window."""

    value: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class FailureRate:
    """A share with its 95 % interval, which accounts for the dispersion of days."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """The comparison of one feature.

    ``rows`` are those of reference and window. ``quantiles`` of a number are the median and the
    95th percentile of both (to the width of a band, 9 %).
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
        return max(self.shares, key=lambda share: abs(share.after - share.before))


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The result of a comparison. ``passed_over`` says why features were not compared."""

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
        return tuple(finding.feature for finding in self.findings if finding.drifted)

    @property
    def ok(self) -> bool:
        """Return whether something was compared and nothing has drifted."""
        return bool(self.findings) and not self.drifted

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        report = asdict(self)
        report["findings"] = [
            asdict(finding) | {"shares": [share._asdict() for share in finding.shares]}
            for finding in self.findings
        ]
        return {"ok": self.ok, "drifted": list(self.drifted), **report}


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
            if name.startswith(SEGMENT_PREFIX):
                tally.add_missing(name)
    compared = {name: _compare_feature(name, before, after, weighed) for name in names}
    undecided = [finding for finding in compared.values() if isinstance(finding, FeatureDrift)]
    findings = [
        _decide(finding, adjusted, alpha, least)
        for finding, adjusted in zip(
            undecided, adjust_holm([finding.p for finding in undecided]), strict=True
        )
    ]
    return DriftReport(
        reference,
        window,
        alpha,
        least,
        tuple(
            sorted(
                findings,
                key=lambda finding: (not finding.drifted, -finding.distance, finding.feature),
            )
        ),
        _failure_rates(findings),
        {name: reason for name, reason in compared.items() if isinstance(reason, str)},
    )


def _compare_feature(
    name: str,
    before: FeatureTally,
    after: FeatureTally,
    weighed: bool,  # noqa: FBT001
) -> FeatureDrift | str:
    """Return the undecided comparison of a feature, or why it cannot be compared."""
    values = sorted(before.values(name) | after.values(name), key=_sort_key(name))
    counts = ComparedCounts(before.matrix(name, values), after.matrix(name, values), weighed)
    if not len(counts.reference) or not len(counts.window):
        return f"no rows in the {'window' if len(counts.reference) else 'reference'}"
    if counts.freedom < MIN_FREEDOM:
        days = counts.freedom + 1
        return f"too few days with rows: {days} are not enough to estimate how days differ"
    p, q = counts.shares
    numeric = is_numeric(name)
    test = run_f_test(_binned(counts) if numeric else counts)
    return FeatureDrift(
        feature=name,
        measure="kolmogorov" if numeric else "jensen_shannon",
        distance=kolmogorov_distance(p, q) if numeric else jensen_shannon_distance(p, q),
        p=test.p,
        adjusted=1.0,
        dispersion=test.dispersion,
        drifted=False,
        rows=(float(counts.reference.sum()), float(counts.window.sum())),
        shares=_shares(name, values, p, q),
        quantiles=_quantiles(name, values, p, q) if numeric else {},
    )


def _decide(finding: FeatureDrift, adjusted: float, alpha: float, least: float) -> FeatureDrift:
    drifted = adjusted < alpha and finding.distance >= least
    return replace(finding, adjusted=adjusted, drifted=drifted)


def _sort_key(name: str) -> Any:
    return rank_of_band if is_numeric(name) else str


def _binned(counts: ComparedCounts) -> ComparedCounts:
    """Merge neighbouring bands of a number until each bin holds its part of the rows."""
    p, q = counts.shares
    middle = np.cumsum((p + q) / 2) - (p + q) / 4
    bins = np.minimum((middle * DRIFT_BINS).astype(int), DRIFT_BINS - 1)
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    return ComparedCounts(
        np.add.reduceat(counts.reference, starts, axis=1),
        np.add.reduceat(counts.window, starts, axis=1),
        counts.weighed,
    )


def _shares(name: str, values: Sequence[str], p: Counts, q: Counts) -> tuple[ValueShare, ...]:
    """Return the values with the largest shares; of a number, only the share without a value."""
    if is_numeric(name):
        none = values.index(NO_VALUE) if NO_VALUE in values else None
        before, after = (0.0, 0.0) if none is None else (float(p[none]), float(q[none]))
        return (ValueShare(NO_VALUE, before, after),)
    order = np.argsort(-np.maximum(p, q), kind="stable")[:_MAX_SHARES]
    return tuple(ValueShare(values[i], float(p[i]), float(q[i])) for i in order)


def _quantiles(
    name: str, values: Sequence[str], p: Counts, q: Counts
) -> dict[str, tuple[float, float]]:
    banded = [i for i, value in enumerate(values) if value != NO_VALUE]
    middles = [middle_of_band(name, values[i]) for i in banded]
    return {
        label: (_quantile(middles, p[banded], share), _quantile(middles, q[banded], share))
        for label, share in (("median", 0.5), ("p95", 0.95))
        if p[banded].sum() > 0 and q[banded].sum() > 0
    }


def _quantile(middles: Sequence[float], shares: Counts, share: float) -> float:
    cumulated = np.cumsum(shares) / shares.sum()
    return middles[int(np.searchsorted(cumulated, share - 1e-12))]


def _failure_rates(findings: Sequence[FeatureDrift]) -> tuple[FailureRate, FailureRate] | None:
    """Return the share of fail among pass and fail, before and after."""
    for finding in findings:
        if finding.feature == LABEL_FEATURE:
            shares = {share.value: share for share in finding.shares}
            fail, passed = (shares.get(w, ValueShare(w, 0.0, 0.0)) for w in ("fail", "pass"))
            worth = [rows / finding.dispersion for rows in finding.rows]
            before = _rate(fail.before * worth[0], passed.before * worth[0])
            after = _rate(fail.after * worth[1], passed.after * worth[1])
            return None if before is None or after is None else (before, after)
    return None


def _rate(fail: float, passed: float) -> FailureRate | None:
    if fail + passed <= 0:
        return None
    return FailureRate(fail / (fail + passed), *clopper_pearson(fail, fail + passed))
