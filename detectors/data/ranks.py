"""Where values fall among the sorted points of several references, for all of them in one vectorised pass.

A binary search spends its time on guesses of the processor that turn out wrong. Here each reference has a table of
equally wide buckets that says how many points lie below a bucket, and a few branchless steps settle the rest.
"""

from __future__ import annotations

import math

import numpy as np

from detectors.data.windowed import ALL, Floats, Ints

_OUTSIDE = 4
"""Points at either end of a reference that share a bucket, so that a few far away do not make all buckets wide."""
_AT_ONCE = 2000
"""Values looked at together: enough to make up for the calls, and few enough for the caches."""


class Ranks:
    """Ranks of values among the points of `n` references of at most `size` distinct finite points each.

    A reference with j points cuts the line into slots: slot 2i is the gap below its i-th point, slot 2i + 1 the point
    itself, slot 2j the gap above the last. Slots are numbered on over all references, `width` to each. Exact for every
    finite value. The steps taken are the binary logarithm of the most points in any bucket: three or four for a
    common distribution, and never more than a binary search takes.
    """

    def __init__(self, n: int, size: int) -> None:
        self._length = 1 << size.bit_length()  # of a row of points: more than `size`, and room for every step
        self._buckets = 2 * self._length
        self.width = 2 * self._length
        self._points = np.full((n, self._length), np.inf)
        # Points below each bucket; small numbers, as the caches are soon full.
        self._starts = np.zeros((n, self._buckets), dtype=np.min_scalar_type(self._length))
        rows = np.arange(n, dtype=np.intp)[:, np.newaxis]
        self._first_bucket, self._first_point = rows * self._buckets, rows * self._length
        self._low, self._high, self._scale = np.zeros((n, 1)), np.zeros((n, 1)), np.zeros((n, 1))
        self._depth = 1  # steps that settle a rank in the fullest bucket of all references

    def learn(self, reference: int, points: Floats) -> None:
        """Make `points`, distinct and in order, those of a reference."""
        n = len(points)
        self._points[reference, :n] = points
        self._points[reference, n:] = np.inf
        outside = min(_OUTSIDE, (n - 1) // 2)
        low, high = float(points[outside]), float(points[n - 1 - outside])
        scale = (self._buckets - 1) / (high - low) if high > low else 0.0
        if not scale or not math.isfinite(scale):  # one point, or a range beyond that of floats: one bucket
            scale, high = 0.0, low
        self._low[reference], self._high[reference], self._scale[reference] = low, high, scale
        part = slice(reference, reference + 1)
        buckets = self._bucket(points[np.newaxis], part)[0]
        depth = int(np.bincount(buckets).max()).bit_length()
        self._starts[reference] = buckets.searchsorted(np.arange(self._buckets))
        if depth > self._depth:
            self._depth, part = depth, slice(None)
        # No step may lead out of a row; to begin lower does no harm, as the points passed over are smaller anyway.
        np.minimum(self._starts[part], self._length - (1 << self._depth), out=self._starts[part])

    def slots(self, values: Floats, references: slice = ALL) -> Ints:
        """The slot of each of some finite values, `references` by values; anything where none was learnt."""
        n, together = len(values), max(1, _AT_ONCE // values.shape[1])
        if n <= together:
            return self._find(values, references)
        begin = references.start or 0
        found = np.empty(values.shape, dtype=np.intp)
        for start in range(0, n, together):
            end = min(start + together, n)
            found[start:end] = self._find(values[start:end], slice(begin + start, begin + end))
        return found

    def _bucket(self, values: Floats, part: slice) -> Ints:
        """The bucket of each value: a sequence of operations that never reverses the order of two values."""
        low = self._low[part]
        inside = np.maximum(values, low)
        np.minimum(inside, self._high[part], out=inside)
        inside -= low
        inside *= self._scale[part]
        return inside.astype(np.intp)

    def _find(self, values: Floats, part: slice) -> Ints:
        points = self._points.reshape(-1)
        buckets = self._bucket(values, part)
        buckets += self._first_bucket[part]
        ranks = self._starts.reshape(-1).take(buckets) + self._first_point[part]
        for power in range(self._depth - 1, 0, -1):
            step = 1 << power
            ranks += (points[step - 1 :].take(ranks) < values) * step
        ranks += points.take(ranks) < values
        equal = points.take(ranks) == values
        ranks += ranks
        ranks += equal
        return ranks
