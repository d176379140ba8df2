"""How large a sum over bins is that a window reaches with a given chance, without taking samples for large.

In the limit of large samples an index of how the counts of a window over k bins differ from those of a reference has
chi-squared's distribution. Far out, where rare alarms are, that takes many values in each bin. Where the bins are
quantiles of a reference of n values, what is known is exact: the shares of the bins have Dirichlet's distribution, and
so the counts of a window are independent negative binomial ones, on condition of their sum, whatever the values'
distribution. The generating function of a sum over bins under that condition is a coefficient of a product, and its
tail is that of the saddlepoint.

Where ties make bins unequal, the critical value of equal bins is used: what few values there are in a small bin count
for less than in the limit.

Sources: Wilks, "Mathematical Statistics" (1962), chapter 8, on the shares between order statistics; Lugannani and Rice,
"Saddle point approximation for the distribution of the sum of independent random variables", Advances in Applied
Probability 12 (1980).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from scipy import special

from detectors.calibration.renewal import Floats

Term: TypeAlias = Callable[[Floats, Floats], Floats]
"""What a bin adds to the index, from its shares in reference and window."""

_LARGEST = 2000
"""Larger samples are taken to be of this size, the smaller of both, and of proportion: the limit is near."""
_FURTHER = 10
"""A sample that is larger than the other by more is taken to be larger by this: it is hardly off the truth."""
_NEGLIGIBLE = 1e-2
"""Counts that are rarer, beside the likeliest, than the index is by this are left out: they spoil the saddlepoint."""
_LEAST = 0.5
"""Of the limit: what is less is no saddlepoint."""
_STEP = 1e-3
"""Of the tilt, to differentiate by, in units of the index in the limit."""
_STEPS = 60


class _Sum:
    """The logarithm of the generating function of the index, by the tilt in units of its limit."""

    def __init__(self, reference: float, window: int, bins: int, added: float, term: Term, rare: float) -> None:
        self._bins, self._window = bins, window
        counts = np.arange(window + 1.0)
        shape, share = reference / bins, window / (window + reference)
        logs = special.gammaln(counts + shape) - special.gammaln(counts + 1.0) + counts * math.log(share)
        logs -= logs.max()
        likely = logs > math.log(rare)
        self._counts, self._logs = counts[likely], logs[likely]
        seen = (self._counts + added) / (window + added * bins)
        known = np.full(len(seen), (reference / bins + added) / (reference + added * bins))
        self._terms = term(known, seen) / (1.0 / reference + 1.0 / window)
        self._length = 1 << (2 * window).bit_length()
        self._lean = 0.0  # by which counts are weighted for their mean to be that of a bin
        self._zero = self._log(0.0)

    def at(self, tilt: float) -> float:
        return self._log(tilt) - self._zero

    def _log(self, tilt: float) -> float:
        logs = self._logs + tilt * self._terms
        mean = self._window / self._bins
        for _ in range(_STEPS):
            leaning = logs + self._lean * self._counts
            most = float(leaning.max())
            weights = np.exp(leaning - most)
            total = float(weights.sum())
            apart = mean - float(weights @ self._counts) / total
            if abs(apart) < 0.01 * math.sqrt(mean):
                break
            spread = float(weights @ (self._counts - mean) ** 2) / total - apart * apart
            self._lean += float(np.clip(apart / max(spread, 1e-3), -1.0, 1.0))
        weights /= total
        product = np.fft.rfft(weights, self._length) ** self._bins
        power = self._window - self._bins * self._counts[0]  # whose coefficient alone is wanted
        turns = np.exp(2j * math.pi * power / self._length * np.arange(len(product)))
        parts = (product * turns).real
        coefficient = (2.0 * parts.sum() - parts[0] - parts[-1]) / self._length
        if not coefficient > 0.0:
            return math.nan
        return self._bins * (math.log(total) + most) + math.log(coefficient) - self._lean * self._window


@lru_cache(maxsize=1000)
def critical(reference: int, window: int, bins: int, added: float, term: Term, share: float) -> float:
    """The index that a window reaches with a chance of `share`, of so many equal bins to each of which `added` is added
    in both samples. Where no index is as rare as that, it is that of the limit, which is out of reach.
    """
    smaller = max(1.0, min(reference, window) / _LARGEST)
    known, seen = min(reference, _FURTHER * window) / smaller, min(window, _FURTHER * reference) / smaller
    index = _Sum(known, round(seen), bins, added, term, share * _NEGLIGIBLE)
    low = high = 0.05
    while _tail(index, high)[0] > share:
        low, high = high, 1.1 * high
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        if high - low < 3e-4 * high:
            break
        low, high = (middle, high) if _tail(index, middle)[0] > share else (low, middle)
    value, limit = _tail(index, high)[1], float(special.chdtri(bins - 1, share))
    return (value if value > _LEAST * limit else limit) * (1.0 / reference + 1.0 / window)


def _tail(index: _Sum, tilt: float) -> tuple[float, float]:
    """The chance that goes with a tilt, and the value that it is of, in units of the index in the limit."""
    before, here, after = (index.at(tilt + step) for step in (-_STEP, 0.0, _STEP))
    value = (after - before) / (2.0 * _STEP)
    curve = (after - 2.0 * here + before) / _STEP**2
    if not curve > 0.0:
        return 0.0, value
    root = math.sqrt(max(2.0 * (tilt * value - here), 1e-12))
    height = math.exp(-root * root / 2.0) / math.sqrt(2.0 * math.pi)
    return float(special.ndtr(-root)) + height * (1.0 / (tilt * math.sqrt(curve)) - 1.0 / root), value
