"""The lowest point of an error rate, and how high above it the rate stands: what DDM and RDDM go by."""

from __future__ import annotations

import math

from detectors.base import Reading, State
from detectors.concept.evidence import split_reading
from detectors.concept.levels import Levels
from detectors.concept.points import ALIKE, APART, Point, Points


class LowestRate:
    """O(1) time per error in [0, 1], and O(log n) memory, for what is told of a change alone.

    A fraction counts as that much of a mistake: the Bernoulli spread reckoned with is an upper bound for any values in
    [0, 1] of the same mean, so fractions can only make it slower, not jumpier. A rate of exactly 0 or 1 has the spread
    of one mistake (or one success) in the values seen, as else the first mistake would be an alarm.
    """

    __slots__ = ("_at", "_lowest", "_n", "_spread", "_total", "_trail", "height")

    def __init__(self) -> None:
        self._n = 0
        self._total = 0.0
        self._lowest = math.inf
        self._spread = math.inf
        self._at: Point = (0, 0.0)
        self._trail = Points(ALIKE)
        self.height = 0.0  # above the lowest point, in its standard deviations

    def add(self, error: float, levels: Levels) -> State:
        """Take one error, and say which level the rate has passed."""
        n = self._n = self._n + 1
        total = self._total = self._total + error
        if not n % APART:
            self._trail.add((n, total))
        if n <= levels.warmup:
            return State.WARMUP
        rate, one = total / n, 1.0 / n
        spread = math.sqrt(max(rate, one) * max(1.0 - rate, one) / n)
        if rate + spread <= self._lowest:
            self._lowest, self._spread, self._at = rate + spread, spread, (n, total)
        low_n, low_total = self._at
        height = self.height = (rate + spread - low_total / low_n) / self._spread
        if height > levels.drift:
            return State.DRIFT
        return State.WARNING if height > levels.warning else State.STABLE

    @property
    def seen(self) -> Point:
        """How many errors there were, and their sum."""
        return self._n, self._total

    def reading(self, state: State, level: float) -> Reading:
        """The height and the level to compare it with, the rate up to the lowest point and the rate since."""
        if state is State.WARMUP:
            return Reading(state, current_n=self._n)
        return split_reading(
            state,
            self._at,
            (self._n, self._total),
            statistic=self.height,
            threshold=level,
            direction="worse" if state >= State.WARNING else None,
            points=self._trail,
        )
