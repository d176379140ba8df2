"""Two-sample Kolmogorov-Smirnov test of numeric features against a reference window, all features in one pass.

Source: Smirnov, "Table for estimating the goodness of fit of empirical distributions", Annals of Mathematical
Statistics 19 (1948). Exact with ties, and equal to `scipy.stats.ks_2samp` on the same windows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from scipy import special

from detectors.base import Reading, State
from detectors.calibration.ks import threshold
from detectors.data.change_point import numbers_changed_since
from detectors.data.excess import Excess
from detectors.data.foresight import ForesightDetector
from detectors.data.numbers import NumericDetector, change_of, distance_of, least_move, moments
from detectors.data.profiles import quantiles
from detectors.data.ranks import Ranks
from detectors.data.window_config import WindowedConfig
from detectors.data.windowed import ALL, Bools, Floats, Ints, Slots, States, states_of

_AHEAD = 25
"""Rows whose checks are looked at together: with more, each check costs more; with fewer, there are more of them."""


class KsConfig(WindowedConfig):
    """Detects any change of the distribution of numeric features. The effect is the KS distance, from 0 to 1."""

    kind: Literal["ks"] = "ks"


class KolmogorovSmirnov(ForesightDetector[KsConfig], NumericDetector[KsConfig]):
    """Memory per feature in proportion to `reference` + `window`; a check sorts the windows, once per `every` events.

    A window is kept as slots of the reference (see `Ranks`), so that a check needs no more than their order (see
    `Excess`). Of several checks in one span, only those that could find something are carried out: with each value
    the distance moves by at most 1 / `window`. `statistic` is the KS distance, `threshold` the larger of `min_effect`
    and its critical value by `alpha` or by `run_length` (see `detectors.calibration.ks`), `p_value` that of
    Kolmogorov's limit distribution (an upper bound with ties). `direction` is up or down if the means have moved
    clearly, else wider or narrower if the deviations have; None is a change of shape.
    """

    def __init__(self, config: KsConfig, features: Sequence[str]) -> None:
        n = len(features)
        self._references = np.zeros((n, config.reference))  # in order
        self._derive(config, n)
        super().__init__(config, features)
        self._root = math.sqrt(config.reference * config.window / (config.reference + config.window))
        self._all = config.reference * config.window  # the excess at a distance of 1
        self._threshold = max(self._critical(), config.min_effect)
        self._drift_at = self._least(self._threshold)
        share = self._warning_share
        self._warning_at = (
            self._drift_at if share is None else self._least(max(self._unlikely(share), config.min_effect))
        )

    @property
    def threshold(self) -> float:
        return self._threshold

    def _derive(self, config: KsConfig, n: int) -> None:
        self._ranks = Ranks(n, config.reference)
        self._excess = Excess(n, config.reference, config.window, self._ranks.width)

    def _slots(self) -> int:
        return self._ranks.width - 1

    def _ahead(self) -> int:
        return max(1, _AHEAD // self.config.every)

    def _least(self, critical: float) -> int:
        """The least excess whose distance is `critical` or more."""
        least = math.floor(critical * self._all) - 1
        while least / self._all < critical:
            least += 1
        return least

    def _critical(self) -> float:
        """The distance that is no chance, by what the configuration names."""
        config = self.config
        if config.run_length is None:
            return self._unlikely(self._share)
        sizes = config.reference, config.window, config.every
        return threshold(*sizes, config.run_length, horizon=config.counted_over)

    def _unlikely(self, share: float) -> float:
        """The distance that is reached at one check of one feature with a probability of `share`."""
        return float(special.kolmogi(share)) / self._root

    def _learn(self, feature: int, values: Floats) -> None:
        self._references[feature] = np.sort(values)
        self._learn_again(feature)

    def _learn_again(self, feature: int) -> None:
        points, counts = np.unique(self._references[feature], return_counts=True)
        self._ranks.learn(feature, points)
        self._excess.learn(feature, counts)

    def _place(self, values: Floats, usable: Bools, features: slice = ALL) -> Slots:
        return self._ranks.slots(values, features)

    def _states_of(self, excess: Ints) -> States:
        return states_of(excess >= self._warning_at, excess >= self._drift_at)

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
        known, seen = moments(self._references[feature]), moments(self._values[feature])
        direction, before, after = change_of(state, known, seen, least_move(distance, known, seen))
        return Reading(
            state,
            statistic=distance,
            threshold=self._threshold,
            p_value=float(special.kolmogorov(self._root * distance)),
            before=before,
            after=after,
            direction=direction,
            reference_n=self.config.reference,
            current_n=self.config.window,
        )

    def _explain(self, feature: int, reading: Reading) -> Reading:
        reference, values = self._references[feature], self._arrived(feature, self._values)
        changed_n = numbers_changed_since(reference, values)
        return reading._replace(
            effect=distance_of(reference, values[-changed_n:]),
            changed_n=changed_n,
            known=quantiles(reference),
            seen=quantiles(np.sort(values)),
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
