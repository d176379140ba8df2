"""How easily concept detectors may alarm to have a run length, if errors are independent and of one distribution.

Each detector has the account that fits it; what is fitted is in `errors.json`, which `scripts/calibrate_errors.py`
makes. Where false alarms depend on the error rate the answer is by rate, and detectors ask for it at the rate that they
have seen. Rates are those of 0/1 errors. Fractions scatter less and make such detectors run longer; those for errors on
any scale learn how far they scatter.

- ADWIN compares the means of two parts at many places. That none of them alarms has the confidence C (its logarithm);
  the run length is e^C C^0.6 up to a factor, if errors are taken to reach as far as their standard deviation and a
  share of their skewness beyond it, instead of as far as 1. The paper's term ln(ln n), for which the user has paid with
  delta, is not needed.
- CUSUM and Page-Hinkley: see `detectors.calibration.climbs`.
- HDDM_A alarms by Hoeffding's inequality, in which 0/1 errors at a rate of a half are the worst: these are what its
  line is fitted to. Others make it run longer, and some of its runs are much longer than the rest, so that the run
  length is a lower bound: what is held is one false alarm in the first so many errors.
- HDDM_W compares an exponentially weighted mean with the lowest that there was. In a run of l lengths of its memory
  this mean moves between the two values that it passes with chances of 1 / l; these are large deviations of a weighted
  sum, by Chernoff's bound.
- KSWIN: the alarms expected are at most the p-value times the number of checks, half of them falls. Distances are
  multiples of 1 / recent, so that the run length can be three times that asked for, and with ties, longer.
- RDDM starts a cycle whenever it forgets, and a cycle has a false alarm if the lowest point in it is so low that the
  true rate is above the level: a random walk crosses a square-root boundary, on either side of which Chernoff's bound
  holds.
- STEPD's window of 0/1 errors is a scan statistic, with Alm's count of clumps. Counts are whole, so that the run length
  can be three times that asked for.

DDM's and EDDM's false alarms come soon after the start or never (of DDM's default at a rate of 0.2: 20% of runs have
one within 1,000 errors, and 27% within 100,000), so that there is no mean run to ask for.

Sources: Alm, "On the distributions of scan statistics of a two-dimensional Poisson process", Advances in Applied
Probability 29 (1997); Siegmund, "Sequential Analysis" (1985).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy import special

from detectors.calibration.renewal import Floats

TABLE = Path(__file__).with_name("errors.json")
"""Written by `scripts/calibrate_errors.py`. A data file, as it is made by a script, not by hand."""

_POINTS = 32
_RATES = np.sin((np.arange(_POINTS) + 0.5) * (math.pi / 2.0 / _POINTS)) ** 2
"""Error rates, evenly spread on the scale where all are equally hard to tell apart."""
_PER_RADIAN = _POINTS * 2.0 / math.pi

_UNSEEN = 4.0
"""Mistakes added to those seen, as a rate that is taken to be lower than it is makes false alarms."""


Place: TypeAlias = tuple[int, float]
"""Of a rate among `_RATES`: the one below it, and the share of the way to the next."""


def place_of(mistakes: float, n: int) -> Place:
    """That of the rate after so many mistakes among `n` errors."""
    rate = min(1.0, (mistakes + _UNSEEN) / (n + _UNSEEN))
    place = math.asin(math.sqrt(rate)) * _PER_RADIAN - 0.5
    index = min(max(int(place), 0), _POINTS - 2)
    return index, min(max(place - index, 0.0), 1.0)


class ByRate(NamedTuple):
    """What depends on the error rate: its values at `_RATES`."""

    values: tuple[float, ...]

    def at(self, place: Place) -> float:
        """The value at a rate."""
        index, part = place
        return self.values[index] * (1.0 - part) + self.values[index + 1] * part


def fitted(name: str) -> Any:
    """What `errors.json` holds for a detector."""
    return _table()[name]


@cache
def _table() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(TABLE.read_text(encoding="ascii"))
    return content


def adwin_confidence(run_length: float) -> float:
    """C: the logarithm of one over the chance of a false alarm at a split."""
    log_length: float = math.log(run_length) - fitted("adwin")["log_length"]
    confidence = max(log_length, 1.0)
    for _ in range(50):
        confidence = max(log_length - 0.6 * math.log(confidence), 1.0)
    return confidence


def adwin_reach(variance: float, third: float) -> float:
    """How far errors of such a variance and third moment are taken to reach."""
    if not (variance > 0.0 and math.isfinite(third)):
        return math.sqrt(max(variance, 0.0))
    skew: float = fitted("adwin")["skew"]
    return math.sqrt(variance) + skew * max(0.0, third / variance)


def hddm_a_confidence(run_length: float) -> float:
    """The bound on the probability of a false alarm."""
    start, slope = fitted("hddm_a")
    return 2.0 * math.exp(-max((math.log(run_length) - start) / slope, 1.0))


@cache
def hddm_w_log_confidence(run_length: float, weight: float) -> ByRate:
    """The logarithm of one over the bound on the probability of a false alarm."""
    log_runs = max(math.log(run_length * weight) + fitted("hddm_w"), 0.5)
    apart = _weighted_mean(weight, log_runs, 1.0) - _weighted_mean(weight, log_runs, -1.0)
    lasting = weight / (2.0 - weight)  # sum of squared weights
    in_a_row = math.log(run_length) / -np.log(_RATES) - 1.0  # ones, right after the lowest mean
    first = lasting + (1.0 - lasting) * (1.0 - weight) ** (2.0 * in_a_row)
    return _by_rate(np.maximum(apart * apart / lasting, 2.0 / (lasting + first)))


def kswin_alpha(run_length: float, every: int) -> float:
    """The p-value of one comparison."""
    return min(2.0 * every / run_length, 0.5)


@cache
def rddm_level(run_length: float, warmup: int, longest: int, newest: int) -> ByRate:
    """The standard deviations above the lowest rate."""
    share = math.log((longest - newest) / run_length) - fitted("rddm")
    n = np.geomspace(warmup, longest, 60)
    step = math.log(longest / warmup) / 59

    def excess(level: Floats) -> Floats:
        off = level[:, np.newaxis] ** 2 / n
        rate = _RATES[:, np.newaxis]
        both = 2.0 * rate + off
        low = (both - np.sqrt(both * both - 4.0 * (1.0 + off) * rate * rate)) / (2.0 * (1.0 + off))
        low = np.minimum(low, rate - level[:, np.newaxis] / n)  # the spread is that of one mistake, at least
        apart = special.rel_entr(low, rate) + special.rel_entr(1.0 - low, 1.0 - rate)
        crossed = np.exp(-n * apart).sum(axis=1) * step * level / (2.0 * math.sqrt(2.0 * math.pi))
        found: Floats = np.log(np.maximum(crossed, 1e-300)) - share
        return found

    return _by_rate(_falling_root(excess, 0.5, 40.0))


@cache
def stepd_height(run_length: float, window: int) -> ByRate:
    """The standard deviations by which the rate of a window is higher, corrected for continuity."""
    target = -math.log(run_length) - fitted("stepd")

    def excess(count: Floats) -> Floats:
        others = window - 1.0
        chance = (
            special.gammaln(others + 1.0)
            - special.gammaln(count)
            - special.gammaln(others - count + 2.0)
            + count * np.log(_RATES)
            + (others - count + 2.0) * np.log1p(-_RATES)
        )
        found: Floats = chance + np.log1p(-window * _RATES / count) - target
        return found

    least = np.minimum(window * _RATES + 1.0, window - 1e-6)
    count = _falling_root(excess, least, np.full(_POINTS, float(window)))
    return _by_rate((count - window * _RATES - 0.5) / np.sqrt(window * _RATES * (1.0 - _RATES)))


def _weighted_mean(weight: float, log_runs: float, side: float) -> Floats:
    """The value that the weighted mean of 0/1 errors passes, on one side, with a chance of e^-log_runs, by rate."""
    together = max(1, round(0.02 / weight))
    ages = np.arange(0.0, 12.0 / weight, together) + (together - 1) / 2.0
    shares = weight * (1.0 - weight) ** ages
    odds = np.log(_RATES / (1.0 - _RATES))[:, np.newaxis]
    none = np.log1p(-_RATES)[:, np.newaxis]

    def mean(tilt: Floats) -> Floats:
        tilted = special.expit(odds + side * tilt[:, np.newaxis] * shares)
        found: Floats = together * (shares * tilted).sum(axis=1)
        return found

    def excess(log_tilt: Floats) -> Floats:
        tilt = np.exp(log_tilt)
        exponents = odds + side * tilt[:, np.newaxis] * shares
        logs = together * (none + np.logaddexp(0.0, exponents)).sum(axis=1)
        found: Floats = log_runs - (side * tilt * mean(tilt) - logs)
        return found

    return mean(np.exp(_falling_root(excess, -10.0, math.log(1e4 / weight))))


def _falling_root(function: Callable[[Floats], Floats], low: Floats | float, high: Floats | float) -> Floats:
    """Where functions that fall are 0, one for each rate; an end where they are not."""
    lower, upper = np.full(_POINTS, low), np.full(_POINTS, high)
    for _ in range(50):
        middle = (lower + upper) / 2.0
        above = function(middle) > 0.0
        lower, upper = np.where(above, middle, lower), np.where(above, upper, middle)
    return upper


def _by_rate(values: Floats) -> ByRate:
    return ByRate(tuple(values.tolist()))
