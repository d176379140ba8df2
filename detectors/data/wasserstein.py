"""Wasserstein distance of numeric features from a reference window: how far values would have to be moved, on average.

Source: del Barrio, Giné and Matrán, "Central limit theorems for the Wasserstein distance between the empirical and the
true distributions", Annals of Probability 27 (1999), for what it is if nothing changed; Borell, "The Brunn-Minkowski
inequality in Gauss space", Inventiones Mathematicae 30 (1975), for how rarely that is exceeded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field
from scipy import special

from detectors.base import Profile, Reading, State
from detectors.data.change_point import numbers_changed_since
from detectors.data.numbers import Moments, NumericDetector, change_of, distance_of, moments
from detectors.data.profiles import quantiles
from detectors.data.window_config import WindowedConfig
from detectors.data.windowed import ALL, Bools, Floats, Ints, Slots, States, states_of

_MEAN = math.sqrt(2.0 / math.pi)
"""Of the size of a standard normal variable."""
_ALWAYS, _SOON = 0.4, 2.0
"""By how much the square of a rare distance is beyond that of a difference of means, in units of what the square of the
mean distance is beyond that of one: always, and times one over that square. Fitted to simulated distances.
"""
_FURTHEST = 1e75
"""Values further away, in units of the reference, count as that far, so that squares stay in the range of a float."""


class WassersteinConfig(WindowedConfig):
    """Detects how far numeric features have moved. `min_effect` is in deviations of the reference."""

    kind: Literal["wasserstein"] = "wasserstein"
    min_effect: float = Field(
        0.25, ge=0, description="smallest distance worth an alarm, in standard deviations of the reference"
    )


class _Comparison(NamedTuple):
    """One value per feature, in the feature's own unit."""

    distance: Floats
    usual: Floats  # the mean distance if nothing changed
    deviation: Floats  # of a value, over reference and window
    unit: Floats  # in which distances are told


class Wasserstein(NumericDetector[WassersteinConfig]):
    """Memory per feature in proportion to `reference` + `window`; a check sorts the windows.

    `statistic` is the 1-Wasserstein distance in standard deviations of the reference (of both samples together where
    the reference is constant), `threshold` what it had to reach, `p_value` an upper bound in the limit of large
    samples, for any distribution with a variance: the limit is the size of a Gaussian process, whose mean follows from
    the distribution function and which exceeds it no more often than a normal variable of the values' own deviation.
    `alpha` is that bound. It is far from sharp: where the process is large it is so almost everywhere in one direction,
    so that a distance which is rare enough is as rare as a difference of means of that size. `run_length` is by that.
    Mean and deviation are estimated from reference and window together, so that a few values far away are no alarm.
    Where values are heavy-tailed, as amounts of money often are, `ks` finds changes sooner. `direction` is up or down
    if a move of the mean makes up at least half of the distance, else wider or narrower if a change of the deviation
    does; None is a change of shape.
    """

    def __init__(self, config: WassersteinConfig, features: Sequence[str]) -> None:
        n, sizes = len(features), (config.reference, config.window)
        self._reference_at, self._window_at, self._weights = _pieces(*sizes)
        self._quantiles = np.zeros((n, len(self._weights)))  # of the references, one for each piece
        self._centre, self._scale = np.zeros((n, 1)), np.ones((n, 1))
        self._constant = np.zeros(n, dtype=np.bool_)
        self._spread = np.zeros(n)  # of the references
        self._variance = np.zeros(n)
        self._moments: list[Moments] = [(0.0, 0.0)] * n
        self._profiles: list[Profile] = [{}] * n
        super().__init__(config, features)
        self._root = math.sqrt(config.reference * config.window / sum(sizes))
        self._part = config.window / sum(sizes)

    def _slots(self) -> int:
        return 1

    def _place(self, values: Floats, usable: Bools, features: slice = ALL) -> Slots:
        firsts = np.arange(len(self.features))[features, np.newaxis] * self._width
        return np.broadcast_to(firsts, values.shape)

    def _learn(self, feature: int, values: Floats) -> None:
        mean, deviation = self._moments[feature] = moments(values)
        constant = deviation / 4.0 == 0.0
        self._constant[feature] = constant
        self._centre[feature], self._scale[feature] = mean, 1.0 if constant else deviation
        in_order = np.sort(values)
        self._profiles[feature] = quantiles(in_order)
        ordered = self._scaled(in_order[np.newaxis], np.array([feature]))
        self._quantiles[feature] = ordered[0, self._reference_at]
        self._spread[feature] = _spread(ordered)[0]
        self._variance[feature] = ordered.var()

    def _scaled(self, values: Floats, features: Ints) -> Floats:
        """The distance from the mean of the reference, in its deviations. Quarters, as differences may be too large."""
        with np.errstate(over="ignore"):
            apart = (values / 4.0 - self._centre[features] / 4.0) / (self._scale[features] / 4.0)
        scaled: Floats = np.clip(apart, -_FURTHEST, _FURTHEST)
        return scaled

    def _compare(self, features: Ints) -> _Comparison:
        part = self._part
        ordered = np.sort(self._scaled(self._values[features], features), axis=1)
        distance = np.abs(self._quantiles[features] - ordered[:, self._window_at]) @ self._weights
        usual = _MEAN / self._root * ((1.0 - part) * self._spread[features] + part * _spread(ordered))
        between = part * (1.0 - part) * ordered.mean(axis=1) ** 2
        variance = (1.0 - part) * self._variance[features] + part * ordered.var(axis=1) + between
        deviation = np.sqrt(variance)
        unit = np.where(self._constant[features] & (deviation > 0.0), deviation, 1.0)
        return _Comparison(distance, usual, deviation, unit)

    def _critical(self, compared: _Comparison, share: float) -> Floats:
        """The least distance to act on, in the unit in which it is told."""
        least = self._by_bound(compared, share) if self.config.run_length is None else self._by_run_length(compared)
        critical: Floats = np.maximum(least / compared.unit, self.config.min_effect)
        return critical

    def _by_bound(self, compared: _Comparison, share: float) -> Floats:
        return compared.usual + compared.deviation * (-float(special.ndtri(share)) / self._root)

    def _by_run_length(self, compared: _Comparison) -> Floats:
        square = float(special.chdtri(1, self._chance(1)))
        deviation = np.where(compared.deviation > 0.0, compared.deviation, 1.0)
        beyond = np.maximum((self._root * compared.usual / deviation) ** 2 - _MEAN**2, 0.0)
        return np.asarray(deviation * np.sqrt(square + beyond * (_ALWAYS + _SOON / square)) / self._root)

    def _judge(self, features: Ints) -> States:
        compared = self._compare(features)
        told, moved = compared.distance / compared.unit, compared.distance > 0.0
        alarms = warns = moved & (told >= self._critical(compared, self._share))
        if self._warning_share is not None:
            warns = moved & (told >= self._critical(compared, self._warning_share))
        return states_of(warns, alarms)

    def _read(self, feature: int, state: State) -> Reading:
        compared = self._compare(np.array([feature]))
        distance, usual, deviation, unit = (float(value[0]) for value in compared)
        beyond = self._root * (distance - usual) / deviation if deviation else 0.0
        known, seen = self._moments[feature], moments(self._values[feature])
        least = distance * float(self._scale[feature, 0]) / 2.0
        direction, before, after = change_of(state, known, seen, least)
        return Reading(
            state,
            statistic=distance / unit,
            threshold=float(self._critical(compared, self._share)[0]),
            p_value=float(special.ndtr(-beyond)) if beyond > 0.0 else 1.0,
            before=before,
            after=after,
            direction=direction,
            reference_n=self.config.reference,
            current_n=self.config.window,
        )

    def _explain(self, feature: int, reading: Reading) -> Reading:
        first = self._reference_at.searchsorted(np.arange(self.config.reference))
        reference, values = self._quantiles[feature, first], self._arrived(feature, self._values)
        scaled = self._scaled(values[np.newaxis], np.array([feature]))[0]
        changed_n = numbers_changed_since(reference, scaled)
        return reading._replace(
            effect=distance_of(reference, scaled[-changed_n:]),
            changed_n=changed_n,
            known=self._profiles[feature],
            seen=quantiles(np.sort(values)),
        )


def _pieces(reference: int, window: int) -> tuple[Ints, Ints, Floats]:
    """The stretches of probability over which the quantiles of two samples do not change.

    For each, the position in either sample, in order, and its length.
    """
    ends = np.union1d(np.arange(1, reference + 1) * window, np.arange(1, window + 1) * reference)
    lengths = np.diff(ends, prepend=0) / (reference * window)
    return (ends - 1) // window, (ends - 1) // reference, lengths


def _spread(ordered: Floats) -> Floats:
    """The integral of the root of F (1 - F), where F is the distribution function of each row of values in order."""
    share = np.arange(1, ordered.shape[1]) / ordered.shape[1]
    spread: Floats = np.diff(ordered, axis=1) @ np.sqrt(share * (1.0 - share))
    return spread
