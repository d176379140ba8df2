"""Two-sample Kolmogorov-Smirnov test of numeric features against a reference window, all features in one pass.

Source: Smirnov, "Table for estimating the goodness of fit of empirical distributions", Annals of Mathematical
Statistics 19 (1948). Exact with ties, and equal to `scipy.stats.ks_2samp` on the same windows.
"""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Sequence
from itertools import starmap
from operator import itemgetter
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy import special

from detectors.base import Direction, Reading, Row, State
from detectors.data.excess import Excess
from detectors.data.ranks import Ranks
from detectors.data.windowed import (
    STABLE,
    Bools,
    Cells,
    Floats,
    Ints,
    Slots,
    States,
    WindowedConfig,
    WindowedDetector,
    plain,
)

_AHEAD = 25
"""Rows whose checks are looked at together: with more, each check costs more; with fewer, there are more of them."""


class KsConfig(WindowedConfig):
    """Detects any change of the distribution of numeric features. The effect is the KS distance, from 0 to 1."""

    kind: Literal["ks"] = "ks"


class KolmogorovSmirnov(WindowedDetector[KsConfig]):
    """Memory per feature in proportion to `reference` + `window`; a check sorts the windows, once per `every` events.

    A window is kept as slots of the reference (see `Ranks`), so that a check needs no more than their order (see
    `Excess`). Of several checks in one span, only those that could find something are carried out: with each value
    the distance moves by at most 1 / `window`. `statistic` is the KS distance, `threshold` the larger of its critical
    value and `min_effect`, `p_value` that of Kolmogorov's limit distribution (an upper bound with ties). `direction` is
    up or down if the means have moved clearly, else wider or narrower if the deviations have; None is a change of
    shape.
    """

    def __init__(self, config: KsConfig, features: Sequence[str]) -> None:
        n = len(features)
        self._references = np.zeros((n, config.reference))  # in order
        self._values = np.zeros((n, config.window))
        self._derive(config, n)
        super().__init__(config, features)
        self._root = math.sqrt(config.reference * config.window / (config.reference + config.window))
        self._all = config.reference * config.window  # the excess at a distance of 1
        self._drift_at = self._least(self._share)
        self._warning_at = self._drift_at if self._warning_share is None else self._least(self._warning_share)

    def _derive(self, config: KsConfig, n: int) -> None:
        self._ranks = Ranks(n, config.reference)
        self._excess = Excess(n, config.reference, config.window, self._ranks.width)

    def _slots(self) -> int:
        return self._ranks.width - 1

    def _ahead(self) -> int:
        return max(1, _AHEAD // self.config.every)

    def _least(self, share: float) -> int:
        """The least excess whose distance is significant at `share`, and an effect worth an alarm."""
        critical = self._critical(share)
        least = math.floor(critical * self._all) - 1
        while least / self._all < critical:
            least += 1
        return least

    def _critical(self, share: float) -> float:
        return max(float(special.kolmogi(share)) / self._root, self.config.min_effect)

    def _columns(self, block: Sequence[Row]) -> tuple[Floats, Bools]:
        values = self._numbers(block).reshape(len(block), len(self.features)).T.copy()
        usable = np.isfinite(values)
        if np.count_nonzero(usable) < usable.size:
            values[~usable] = 0.0
        return values, usable

    def _numbers(self, block: Sequence[Row]) -> Floats:
        """The values of a block, row by row; NaN for what is no number."""
        n, get = len(self.features), itemgetter(*self.features)
        try:  # packing takes numbers only, where NumPy would read them out of text
            if n == 1:
                return np.frombuffer(struct.pack(f"{len(block)}d", *map(get, block)))
            return np.frombuffer(b"".join(starmap(struct.Struct(f"{n}d").pack, map(get, block))))
        except (KeyError, struct.error):
            flat = [row.get(name) for row in block for name in self.features]
            return np.array([value if type(value) is float else _number(value) for value in flat])

    def _learn(self, feature: int, values: Floats) -> None:
        self._references[feature] = np.sort(values)
        self._learn_again(feature)

    def _learn_again(self, feature: int) -> None:
        points, counts = np.unique(self._references[feature], return_counts=True)
        self._ranks.learn(feature, points)
        self._excess.learn(feature, counts)

    def _place(self, values: Floats, usable: Bools) -> Slots:
        return self._ranks.slots(values)

    def _exchange(self, cells: Cells, going: Slots, coming: Slots, values: Floats) -> None:
        self._values[cells] = values

    def _states_of(self, excess: Ints) -> States:
        states: States = (excess >= self._warning_at).view(np.int8)
        states += excess >= self._drift_at
        states += STABLE
        return states

    def _judge(self, features: Ints) -> States:
        everything = len(features) == len(self.features)
        return self._states_of(self._excess.of(self._windows if everything else self._windows[features]))

    def _foresee(self, going: Slots, coming: Slots, counted: Ints) -> States:
        block, window = going.shape[1], self.config.window
        before = self._excess.of(self._windows)
        most = self.config.reference * block  # that it can have moved by in the end
        states = self._states_of(before - most)
        certain = (states == self._states_of(before + most)) & (self._entered >= window)
        foreseen = np.repeat(states[np.newaxis], len(counted), axis=0)
        open_ = np.flatnonzero(~certain & (counted[-1] >= window))
        if len(open_):
            excess = self._excess.during(open_, self._windows[open_], going[open_], coming[open_], self.config.every)
            foreseen[:, open_] = self._states_of(excess)
        return foreseen

    def _read(self, feature: int, state: State) -> Reading:
        excess = int(self._excess.of(self._windows[feature : feature + 1])[0])
        distance = excess / self._all
        known = _mean_and_deviation(self._references[feature])
        seen = _mean_and_deviation(self._values[feature])
        stable = state is State.STABLE
        direction, before, after = (None, known[0], seen[0]) if stable else _change(known, seen, distance)
        return Reading(
            state,
            statistic=distance,
            threshold=self._critical(self._share),
            p_value=float(special.kolmogorov(self._root * distance)),
            before=before,
            after=after,
            direction=direction,
            reference_n=self.config.reference,
            current_n=self.config.window,
        )

    def __getstate__(self) -> dict[str, Any]:
        """What can be made again from the references is left out."""
        return {name: value for name, value in super().__getstate__().items() if name not in {"_ranks", "_excess"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._derive(self.config, len(self.features))
        for feature, learnt in enumerate(self._learnt):
            if learnt:
                self._learn_again(feature)


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
    if value is None:
        return math.nan
    number = plain(value)
    try:
        return math.nan if number is None or isinstance(number, str) else float(number)
    except OverflowError:
        return math.nan
