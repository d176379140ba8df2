"""Two-sample Kolmogorov-Smirnov test of numeric features against a reference window, all features in one pass.

Source: Smirnov, "Table for estimating the goodness of fit of empirical distributions", Annals of Mathematical
Statistics 19 (1948). Exact with ties, and equal to `scipy.stats.ks_2samp` on the same windows.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy import special

from detectors.base import Direction, Reading, Row, State
from detectors.data.windowed import Bools, Floats, Ints, WindowedConfig, WindowedDetector, plain


class KsConfig(WindowedConfig):
    """Detects any change of the distribution of numeric features. The effect is the KS distance, from 0 to 1."""

    kind: Literal["ks"] = "ks"


class KolmogorovSmirnov(WindowedDetector[KsConfig]):
    """Memory per feature in proportion to `reference` + `window`; a check costs the same, once per `every` events.

    The distinct values of a reference cut the line into slots: slot 2j is the gap before the j-th of them, slot 2j+1
    the value itself. The window is a count per slot, kept up to date as values come and go, so that a check is one
    cumulative sum over all features. `statistic` is the KS distance, `threshold` the larger of its critical value and
    `min_effect`, `p_value` that of Kolmogorov's limit distribution (an upper bound with ties). `direction` is up or
    down if the means have moved clearly, else wider or narrower if the deviations have; None is a change of shape.
    """

    def __init__(self, config: KsConfig, features: Sequence[str]) -> None:
        n = len(features)
        self._points = np.full((n, config.reference + 1), np.inf)  # distinct values of the reference, in order
        self._expected = np.ones((n, 2 * config.reference + 1))  # share of the reference up to each slot, times window
        self._means, self._deviations = np.zeros(n), np.zeros(n)
        self._values = np.zeros(n * config.window)
        self._root = math.sqrt(config.reference * config.window / (config.reference + config.window))
        super().__init__(config, features)
        self._drift_at = self._critical(self._share)
        self._warning_at = math.inf if self._warning_share is None else self._critical(self._warning_share)

    def _slots(self) -> int:
        return 2 * self.config.reference + 1

    def _critical(self, share: float) -> float:
        return max(float(special.kolmogi(share)) / self._root, self.config.min_effect)

    def _columns(self, block: Sequence[Row]) -> tuple[Floats, Bools]:
        flat = self._flat(block)
        try:  # an array takes numbers only, where NumPy would read them out of text and pass None as NaN
            values = np.frombuffer(array("d", flat))
        except (TypeError, ValueError, OverflowError):
            values = np.frombuffer(array("d", [_number(value) for value in flat]))
        usable = np.isfinite(values)
        if not usable.all():
            values[~usable] = 0.0
        shape = len(block), len(self.features)
        return np.ascontiguousarray(values.reshape(shape).T), np.ascontiguousarray(usable.reshape(shape).T)

    def _learn(self, feature: int, values: Floats) -> None:
        points, counts = np.unique(values, return_counts=True)
        n = len(points)
        self._points[feature, :n] = points
        self._points[feature, n:] = np.inf
        upto = np.cumsum(counts) / len(values) * self.config.window
        expected = self._expected[feature]
        expected[0] = 0.0
        expected[1 : 2 * n : 2] = upto
        expected[2 : 2 * n + 1 : 2] = upto
        expected[2 * n + 1 :] = self.config.window
        self._means[feature], self._deviations[feature] = _mean_and_deviation(values)

    def _place(self, values: Floats, usable: Bools) -> Ints:
        found = np.empty(values.shape, dtype=np.int64)
        for feature, points in enumerate(self._points):
            found[feature] = points.searchsorted(values[feature])
        offsets = np.arange(len(found), dtype=np.int64)[:, np.newaxis] * self._points.shape[1]
        slots: Ints = 2 * found + (self._points.take(found + offsets) == values)
        return slots

    def _keep(self, cells: Ints, values: Any) -> None:
        self._values[cells] = values

    def _distances(self, features: Ints) -> tuple[Floats, Floats]:
        """How far the window's distribution lies above and below (in value) the reference's, at most."""
        everything = len(features) == len(self.features)
        counts = self._counts if everything else self._counts[features]
        expected = self._expected if everything else self._expected[features]
        excess = expected - counts[:, :-1].cumsum(axis=1, dtype=np.int32)
        return excess.max(axis=1) / self.config.window, -excess.min(axis=1) / self.config.window

    def _judge(self, features: Ints) -> list[State]:
        distance = np.maximum(*self._distances(features))
        if distance.max() < min(self._drift_at, self._warning_at):
            return [State.STABLE] * len(features)
        return [
            State.DRIFT if d >= self._drift_at else State.WARNING if d >= self._warning_at else State.STABLE
            for d in distance.tolist()
        ]

    def _read(self, feature: int, state: State) -> Reading:
        window = self.config.window
        distance = float(np.maximum(*self._distances(np.array([feature])))[0])
        known = float(self._means[feature]), float(self._deviations[feature])
        seen = _mean_and_deviation(self._values[feature * window : (feature + 1) * window])
        stable = state is State.STABLE
        direction, before, after = (None, known[0], seen[0]) if stable else _change(known, seen, distance)
        return Reading(
            state,
            statistic=distance,
            threshold=self._drift_at,
            p_value=float(special.kolmogorov(self._root * distance)),
            before=before,
            after=after,
            direction=direction,
            reference_n=self.config.reference,
            current_n=window,
        )


Moments: TypeAlias = tuple[float, float]
"""Mean and standard deviation."""


def _change(before: Moments, after: Moments, distance: float) -> tuple[Direction | None, float, float]:
    """What a KS distance consists of, and the two numbers that show it.

    Values that merely move are further apart, in deviations, than their KS distance: for a normal distribution 2.5
    times, for the share of ones among zeros and ones at least twice. A smaller move is not what was found.
    """
    (mean, deviation), (new_mean, new_deviation) = before, after
    least = distance * max(deviation, new_deviation)
    if abs(new_mean - mean) > least:
        return ("up" if new_mean > mean else "down"), mean, new_mean
    if abs(new_deviation - deviation) > least:
        return ("wider" if new_deviation > deviation else "narrower"), deviation, new_deviation
    return None, mean, new_mean


def _mean_and_deviation(values: Floats) -> Moments:
    """Mean and deviation, also of values whose sum is beyond the range of a float."""
    mean = float((values / len(values)).sum())
    apart = np.abs(values / 2.0 - mean / 2.0)
    largest = float(apart.max())
    if not largest:
        return mean, 0.0
    return mean, min(2.0 * largest * math.sqrt(float(np.mean((apart / largest) ** 2))), sys.float_info.max)


def _number(value: Any) -> float:
    """The value as a float; NaN if it is no number or beyond the range of a float."""
    number = plain(value)
    try:
        return math.nan if number is None or isinstance(number, str) else float(number)
    except OverflowError:
        return math.nan
