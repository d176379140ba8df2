"""How high sums of errors climb when nothing has changed: thresholds of CUSUM and Page-Hinkley for a run length.

What is usual is learnt from the errors (see `detectors.concept.usual`), so that it need not be known and any scale will
do. The account is in four steps.

1. A sum that starts anew at 0. With a known mean, an allowance k and theta the positive number for which
   E exp(theta (error - mean - k)) = 1, a climb of h takes (e^y - 1 - y) / (theta k) errors on average, where
   y = theta (h + 0.6 sd): Siegmund's formula, in which theta is 2k / variance for normal errors. His 1.166 for what
   steps go too far is more than errors of several kinds were seen to.
2. Skewed errors. Theta is that of the two values whose mean, variance and skewness are those of the errors: for 0/1
   errors these are 0 and 1, at whatever rate, and theta is exact.
3. A mean that is not known. If n errors make it up, too low a mean makes sums climb that should not. An allowance
   larger by h / n makes good for that: averaged over means off by a normal error of variance / n, the exponent
   -2 (k + c) h / variance + 2 h^2 / (n variance) is what it would be with a known mean if c = h / n; with less than
   h / k errors, the chance of a mean that is off by more than the allowance counts, and takes sqrt(4 k h / n) in all.
   The variance is not known either, and the threshold is higher by y v / 2n for it, with v that of its squares.
4. A sum that is forgotten (Page-Hinkley's) is an Ornstein-Uhlenbeck process, and so is how far it can climb above its
   lowest point: `errors.json` holds that climb, by Lehoczky's formula. A fall starts the detector anew, by which runs
   are up to twice as long; 1.8 is reckoned with.

`scripts/calibrate_errors.py check` simulates it.

Sources: Siegmund, "Sequential Analysis" (1985); Lehoczky, "Formulas for stopped diffusion processes with stopping times
based on the maximum", Annals of Probability 5 (1977).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from detectors.calibration.errors import fitted
from detectors.calibration.tables import place
from detectors.concept.usual import Usual

_OVERSHOOT = 0.6
"""Of a step over either end of its way, in standard deviations, together: 1.166 for normal errors, less for others."""

_LEAST = 0.05
"""The least allowance, in standard deviations: what is smaller takes a mean of more errors than there are."""

_FAR = 700.0
"""Exponents beyond which the exponential nears the end of the range of a float, and 1 beside it is nothing."""


class Climb(NamedTuple):
    """A threshold of a sum, and what it allows for at each error once the mean is known; in the unit of the error."""

    threshold: float
    allowance: float

    def allowed(self, n: int) -> float:
        """What to allow for at each error if `n` errors make up the mean."""
        needed = self.threshold / self.allowance
        if n > needed:
            return self.allowance + self.threshold / n
        return 2.0 * self.allowance * math.sqrt(needed / n)


def climb(run_length: float, allowance: float, usual: Usual) -> Climb:
    """What gives CUSUM a mean run of `run_length` errors."""
    sd, skew = math.sqrt(usual.variance), usual.third / usual.variance
    allowance = max(allowance, _LEAST * sd)
    theta = exponent(allowance, usual.variance, skew)
    y = _height(run_length * theta * allowance)
    unsure = 1.0 + y * (2.0 + skew * skew / usual.variance) / (2.0 * usual.n)
    return Climb(max(y / theta - _OVERSHOOT * sd, sd) * unsure, allowance)


def exponent(allowance: float, variance: float, skew: float) -> float:
    """Theta: by how much rarer a climb is that is higher by 1, as a logarithm. `skew` is third moment / variance."""
    up = (skew + math.sqrt(skew * skew + 4.0 * variance)) / 2.0
    down = variance / up
    share = down / (up + down)  # of the larger value
    allowance = min(allowance, 0.9 * up)

    def excess(theta: float) -> float:
        apart = theta * (up + down)
        if apart > _FAR:
            return math.log(share + math.exp(-apart)) + apart - theta * (down + allowance)
        return math.log1p(share * math.expm1(apart)) - theta * (down + allowance)

    low = high = allowance / variance
    while excess(high) <= 0.0:
        low, high = high, 2.0 * high
    while excess(low) > 0.0:
        low /= 2.0
    while high - low > 1e-6 * high:
        middle = (low + high) / 2.0
        low, high = (low, middle) if excess(middle) > 0.0 else (middle, high)
    return high


def _height(length: float) -> float:
    """The y for which e^y - 1 - y is `length`."""
    y = math.log1p(length) + 1.0
    for _ in range(60):
        step = (math.expm1(y) - y - length) / math.expm1(y)
        y -= step
        if abs(step) < 1e-9 * y:
            break
    return y


def forgotten_climb(run_length: float, allowance: float, forgetting: float, usual: Usual) -> float:
    """The threshold that gives Page-Hinkley a mean run of `run_length` errors."""
    sd, skew = math.sqrt(usual.variance), usual.third / usual.variance
    theta = exponent(max(allowance, 1e-6 * sd), usual.variance, skew)
    drift = theta * sd / 2.0  # the allowance in standard deviations, if errors were normal
    memory = 1.0 / (1.0 - forgetting) if forgetting < 1.0 else math.inf
    log_length = math.log(run_length) - math.log(memory)
    if log_length < fitted("page_hinkley")["log_lengths"][0]:  # it ends before it forgets
        highest = _height(2.0 * run_length * drift * drift) / (2.0 * drift)
    else:
        highest = math.sqrt(memory) * _climb(drift * math.sqrt(memory), log_length)
    unsure = 1.0 + 1.0 / math.sqrt(usual.n)
    return max(highest - _OVERSHOOT, 1.0) * sd * unsure


def _climb(drift: float, log_length: float) -> float:
    """How high a sum climbs in a run, in units of what scatters in one memory; lengths are in memories."""
    drifts, lengths, climbs = (fitted("page_hinkley")[name] for name in ("drifts", "log_lengths", "climbs"))
    row, upper = place(drifts, drift)
    column, right = place(lengths, log_length)
    between = [climb[column] * (1.0 - right) + climb[column + 1] * right for climb in climbs[row : row + 2]]
    found: float = between[0] * (1.0 - upper) + between[1] * upper
    return found
