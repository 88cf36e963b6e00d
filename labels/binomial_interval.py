"""Exact binomial intervals from the incomplete beta function, for fractional sample sizes too."""

import math

_STEPS = 300
_TINY = 1e-300
_LOG_TINY = -600.0
_HALVINGS = 120
_PRECISION = 1e-15


def beta_cdf(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b).

    Continued fraction by the modified Lentz method: DLMF 8.17.22; Press et al., Numerical Recipes,
    6.4.
    """
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_cdf(1 - x, b, a)
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    return math.exp(log_front) * _fraction(x, a, b) / a


def beta_quantile(share: float, a: float, b: float) -> float:
    """Return the x at which ``beta_cdf(x, a, b)`` is ``share``.

    Newton's steps from the mean, replaced by a bisection wherever they leave the bracket.
    """
    low, high, x = 0.0, 1.0, a / (a + b)
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    for _ in range(_HALVINGS):
        error = beta_cdf(x, a, b) - share
        low, high = (x, high) if error < 0 else (low, x)
        log_density = (a - 1) * math.log(x) + (b - 1) * math.log1p(-x) - log_beta
        density = math.exp(log_density) if log_density > _LOG_TINY else 0.0
        following = x - error / density if density > 0 else low
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - x) <= _PRECISION * x:
            return following
        x = following
        if not 0 < x < 1:
            break
    return x


def clopper_pearson(yes: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval for a share, of ``yes`` out of ``n`` (Clopper and Pearson, 1934).

    Its coverage is at least ``confidence``. With a fractional ``n`` it is the interval of Korn and
    Graubard (Survey Methodology 24, 1998) on an effective sample size.
    """
    tail = (1 - confidence) / 2
    low = 0.0 if yes <= 0 else beta_quantile(tail, yes, n - yes + 1)
    high = 1.0 if yes >= n else beta_quantile(1 - tail, yes + 1, n - yes)
    return low, high


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _nonzero(1 + term * d)
            c = _nonzero(1 + term / c)
            result *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return result


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
