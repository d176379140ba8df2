"""How rare an alarm must be at one check for a run length, of statistics that are chi-squared if nothing changed.

For a statistic that compares a window of m values with a reference of n and has chi-squared's distribution with f
degrees of freedom over both, as Pearson's, the stability index and the Jensen-Shannon divergence have in the limit of
large samples.

1. A given reference. What the window adds and what the reference is off by are normal in f dimensions, so that with a
   given reference the statistic is n / (n + m) of noncentral chi-squared, whose noncentrality is m / n of a central
   one. References are followed as a quadrature over the root of that.
2. A sliding window, and renewal: see `detectors.calibration.renewal`. With r the root of noncentral chi-squared, v is
   its hazard, and the pull is what its density falls off by, -(ln density)': for a central one r - (f - 1) / r, which
   is Aldous' sum over the sphere for f independent processes. For low levels, where the density hardly falls, there
   are more clumps than that, by a share of order 1 / (v p), which is fitted.

`scripts/calibrate_windows.py check` simulates it. Runs of `psi`, `jensen_shannon`, `wasserstein`, `chi_squared` and
`multivariate` are 0.84 to 1.4 times as long as stated on values that are normal, for run lengths of 20 to 10,000
windows, windows from a tenth of the reference to twice as large, and checks of every value to every window; up to three
times as long where values are heavy-tailed, discrete, or few for what is made of them. Longer runs are not simulated:
step 2 is the better the rarer alarms are.

Sources: Patnaik, "The non-central chi-squared and F-distributions and their applications", Biometrika 36 (1949), for
step 1; Aldous, "Probability Approximations via the Poisson Clumping Heuristic" (1989), for step 2.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy import special

from detectors.calibration.renewal import (
    RARE,
    Floats,
    checked,
    mean_run,
    possible,
    rates,
)

_POINTS = 48
"""Classes of references."""
_FURTHEST = 6.5
"""How far off references are followed, in deviations: beyond are 1e-10 of them."""
_MORE = 1.5
"""By how much v p is larger for low levels: fitted to simulated alarms."""


@lru_cache(maxsize=10_000)
def chance(
    reference: int, window: int, every: int, freedom: int, run_length: float, *, horizon: float = math.inf
) -> float:
    """The chance of an alarm at one check, over all references, with which the run length is `run_length` values.

    With a `horizon`, alarms over as many values of a new feature are in the ratio asked for. Raises ValueError as
    `run_length_of` does, and for run lengths outside 1e3 to 1e12.
    """
    sizes = checked(reference, window, every, horizon)
    possible(run_length)
    low, high = 0.0, freedom + 2000.0
    while high - low > 1e-6 * high:
        middle = (low + high) / 2.0
        if run_length_of(*sizes, freedom, middle, horizon=horizon) < run_length:
            low = middle
        else:
            high = middle
    return float(special.chdtrc(freedom, high))


def run_length_of(
    reference: int, window: int, every: int, freedom: int, level: float, *, horizon: float = math.inf
) -> float:
    """The values of a feature that pass on average before the statistic reaches `level` though nothing changed.

    Counted from the first full window. Over a finite `horizon`, in values, it is that over the false alarms expected in
    as many values of a new feature. Raises ValueError for sizes that `WindowedConfig` refuses too.
    """
    sizes = checked(reference, window, every, horizon)
    weights, off = _references(freedom)
    chances, squares = _given(freedom, window / reference * off, level * (1.0 + window / reference))
    return mean_run(weights, rates(chances, squares, sizes), horizon)


@lru_cache(maxsize=100)
def _references(freedom: int) -> tuple[Floats, Floats]:
    """Classes of references: their shares, and how far off they are, a value of chi-squared."""
    centre = math.sqrt(freedom - 0.5)
    low = max(0.0, centre - _FURTHEST)
    points, weights = np.polynomial.legendre.leggauss(_POINTS)
    roots = low + (points + 1.0) / 2.0 * (centre + _FURTHEST - low)
    logs = (freedom - 1.0) * np.log(roots) - roots * roots / 2.0
    shares = weights * np.exp(logs - logs.max())
    return shares / shares.sum(), roots * roots


def _given(freedom: int, apart: Floats, level: float) -> tuple[Floats, Floats]:
    """The chance that noncentral chi-squared reaches `level`, and v p there, by its noncentrality.

    As a mixture of central ones, by a Poisson number of pairs of further degrees of freedom.
    """
    half = float(apart.max()) / 2.0
    likeliest = (half + math.sqrt(half * level) if level > 0.0 else half) + 1.0
    pairs = np.arange(math.ceil(likeliest + 12.0 * math.sqrt(likeliest) + 20.0))[:, np.newaxis]
    shares = np.exp(special.xlogy(pairs, apart / 2.0) - apart / 2.0 - special.gammaln(pairs + 1.0))
    freedoms = freedom + 2.0 * pairs
    halves = freedoms / 2.0
    densities = shares * np.exp(
        special.xlogy(halves - 1.0, level / 2.0) - level / 2.0 - special.gammaln(halves) - math.log(2.0)
    )
    chances = np.clip((shares * special.chdtrc(freedoms, level)).sum(axis=0), RARE, 1.0 - 1e-6)
    density = np.maximum(densities.sum(axis=0), RARE)
    slope = (densities * ((halves - 1.0) / level - 0.5)).sum(axis=0)
    root = math.sqrt(level)
    hazard = 2.0 * root * density / chances
    pull = -(1.0 / root + 2.0 * root * slope / density)
    return chances, hazard * np.maximum(pull, 0.0) + _MORE
