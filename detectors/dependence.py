"""How much values depend on those before them, from a stream and in bounded memory.

Sources: batch means, Conway, "Some tactical problems in digital simulation", Management Science 10 (1963); the mean
square successive difference, von Neumann, "Distribution of the ratio of the mean square successive difference to the
variance", Annals of Mathematical Statistics 12 (1941).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any, Final

import numpy as np

from detectors.base import Row
from detectors.data.blocks import looked_at
from detectors.data.numbers import numeric_columns
from detectors.data.windowed import Floats

_BLOCK = 512
"""Values in a block: dependence over longer than that is not seen."""

_FEWEST, _MOST = 16, 64
"""Blocks (of features, pairs of them) from which something is said, and those that are remembered."""

_AT_ONCE: Final = 128
"""Rows of features that are looked at together: so few that they can wait for each other."""

_SELDOM: Final = 16
"""Of so many pairs of blocks one is looked at, when there are enough for something to be said."""

_LARGEST: Final = 16
"""Of so many pairs the one whose blocks differ most does not count: the level may have changed there, once."""

_LEFT: Final = 0.72
"""What this leaves of the mean of squares of normal values."""


class Dependence:
    """Memory for 64 blocks, and the values of one that is not complete.

    `factor` is how many of the values say as much of their mean as one independent value would: how many times larger
    the variance of the means of 512 values is than it would be if values were independent. It goes by the differences
    of neighbouring blocks, which a change of level now and then does not enlarge, so that it is rather too small.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self._waiting: list[float] = []
        self._blocks: list[tuple[float, float]] = []  # means of values and of their squares

    def observe(self, values: Sequence[float]) -> None:
        """Take finite values."""
        waiting = self._waiting
        waiting.extend(values)
        while len(waiting) >= _BLOCK:
            block = waiting[:_BLOCK]
            del waiting[:_BLOCK]
            self._blocks = [*self._blocks, (fmean(block), fmean([value * value for value in block]))][-_MOST:]

    @property
    def factor(self) -> float | None:
        """At least 1; None before there are 16 blocks, and for values that are all the same."""
        if len(self._blocks) < _FEWEST:
            return None
        means = [mean for mean, _ in self._blocks]
        variance = fmean([square for _, square in self._blocks]) - fmean(means) ** 2
        if variance <= 0.0:
            return None
        between = fmean([(later - earlier) ** 2 for earlier, later in pairwise(means)]) / 2.0
        return max(1.0, _BLOCK * between / variance)


class FeatureDependence:
    """The same of the numbers among features, looked at now and then: at the first 16 pairs of neighbouring blocks, and
    at one pair of 16 from there on, which costs a small part of what a detector does. Missing values are left out, and
    pairs that miss more than half of a block.

    Memory for 64 pairs of each feature, and for 128 rows. How a stream is cut into spans makes no difference.
    """

    def __init__(self, features: Sequence[str]) -> None:
        self._features = tuple(features)
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        n = len(self._features)
        self._waiting: list[Row] = []
        self._skip = 0  # rows that come before the next that is looked at
        self._seen = 0  # rows of the present pair
        self._pairs = 0
        self._origin = np.zeros(n)  # near to the values of the present pair, so that squares keep their digits
        self._counts, self._sums, self._squares = np.zeros((2, n)), np.zeros((2, n)), np.zeros(n)
        # Of each pair: the squared difference of its means and the variance in it, as for one independent value.
        self._between, self._within = np.full((n, _MOST), np.nan), np.full((n, _MOST), np.nan)

    def observe(self, rows: Sequence[Row]) -> None:
        """Take rows. They must not be changed after they were given."""
        start = 0
        while start < len(rows):
            if self._skip:
                skipped = min(self._skip, len(rows) - start)
                self._skip -= skipped
                start += skipped
                continue
            end = start + _AT_ONCE - len(self._waiting)
            self._waiting += rows[start:end]
            start = end
            if len(self._waiting) == _AT_ONCE:
                with np.errstate(over="ignore", invalid="ignore"):  # of such values nothing is said
                    self._look_at(self._waiting)
                self._waiting = []

    def _look_at(self, rows: Sequence[Row]) -> None:
        values, usable = numeric_columns(rows, self._features)
        n = np.count_nonzero(usable, axis=1)
        if not self._seen:
            self._origin = values.sum(axis=1) / np.maximum(n, 1)
        values -= self._origin[:, np.newaxis]
        values[~usable] = 0.0
        block = self._seen // _BLOCK
        self._counts[block] += n
        self._sums[block] += values.sum(axis=1)
        self._squares += np.square(values).sum(axis=1)
        self._seen += len(rows)
        if self._seen == 2 * _BLOCK:
            self._end_pair()

    def _end_pair(self) -> None:
        counts, sums = np.maximum(self._counts, 1.0), self._sums
        n = counts.sum(axis=0)
        between = (sums[1] / counts[1] - sums[0] / counts[0]) ** 2 / (1.0 / counts).sum(axis=0)
        within = self._squares / n - (sums.sum(axis=0) / n) ** 2
        known = (self._counts.min(axis=0) >= _BLOCK / 2) & np.isfinite(between) & np.isfinite(within)
        place = self._pairs % _MOST
        self._between[:, place] = np.where(known, between, np.nan)
        self._within[:, place] = np.where(known, within, np.nan)
        self._pairs += 1
        self._skip = 0 if self._pairs < _FEWEST else 2 * _BLOCK * (_SELDOM - 1)
        self._seen = 0
        self._counts, self._sums, self._squares = np.zeros_like(counts), np.zeros_like(sums), np.zeros_like(n)

    def factors(self) -> dict[str, float]:
        """The factor of each feature of which there are 16 pairs, and values that are not all the same."""
        if self._pairs < _FEWEST:
            return {}
        pairs = np.count_nonzero(~np.isnan(self._between), axis=1)
        order = self._between.argsort(axis=1)  # those that are not known come last
        counted = np.arange(_MOST) < (pairs - pairs // _LARGEST)[:, np.newaxis]
        between, within = (_mean_of(values, order, counted) for values in (self._between, self._within))
        known = (pairs >= _FEWEST) & (within > 0.0)
        factors = np.maximum(1.0, between[known] / within[known] / _LEFT)
        return dict(zip(np.array(self._features)[known].tolist(), factors.tolist(), strict=True))

    @property
    def largest(self) -> float | None:
        """The largest factor; None if there is none."""
        return max(self.factors().values(), default=None)

    def __getstate__(self) -> dict[str, Any]:
        """Of the rows that wait, only what will be looked at is kept."""
        return {**self.__dict__, "_waiting": looked_at(self._waiting, self._features)}


def _mean_of(values: Floats, order: Any, counted: Any) -> Floats:
    """The mean of those that are counted in this order, by row."""
    ordered = np.take_along_axis(values, order, axis=1)
    means: Floats = np.where(counted, ordered, 0.0).sum(axis=1) / np.maximum(1, counted.sum(axis=1))
    return means
