"""HDDM_W: compares exponentially weighted means before and after the most favourable point, by McDiarmid's inequality.

Source: Frías-Blanco et al., "Online and non-parametric drift detection methods based on Hoeffding's bounds",
IEEE Transactions on Knowledge and Data Engineering 27 (2015), the W-test.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from detectors.base import ConceptDetector, Direction, Reading, State
from detectors.calibration.errors import ByRate, hddm_w_log_confidence, place_of
from detectors.concept.calibrated import WARNING
from detectors.concept.confidence import ConfidenceConfig
from detectors.concept.evidence import with_change
from detectors.concept.points import ALIKE, APART, Points


class HddmWConfig(ConfidenceConfig):
    """Detects a rise of the recent error, large ones soonest, with a bound on false alarms."""

    kind: Literal["hddm_w"] = "hddm_w"
    weight: float = Field(0.05, gt=0, lt=1, description="weight of the newest error in the mean; larger forgets faster")


class _Mean:
    """An exponentially weighted mean and the sum of its squared weights, from which McDiarmid's bound follows."""

    __slots__ = ("n", "squares", "value")

    def __init__(self) -> None:
        self.n = 0
        self.value = 0.0
        self.squares = 1.0

    def add(self, error: float, weight: float) -> None:
        self.n += 1
        if self.n == 1:
            self.value = error
            return
        self.value += weight * (error - self.value)
        self.squares = weight * weight + (1.0 - weight) * (1.0 - weight) * self.squares

    def copy(self) -> _Mean:
        twin = _Mean()
        twin.n, twin.value, twin.squares = self.n, self.value, self.squares
        return twin


class _Side:
    """The most favourable point to see a rise (sign 1) or a fall (sign -1) from, the means up to it and since."""

    __slots__ = ("after", "before", "best", "sign")

    def __init__(self, sign: float) -> None:
        self.sign = sign
        self.best = math.inf
        self.before = _Mean()
        self.after = _Mean()

    def add(self, error: float, weight: float, everything: _Mean, bound: float) -> None:
        if self.sign * everything.value + bound < self.best:
            self.best = self.sign * everything.value + bound
            self.before, self.after = everything.copy(), _Mean()
        else:
            self.after.add(error, weight)

    def change(self) -> float:
        return self.sign * (self.after.value - self.before.value) if self.after.n else 0.0

    def bound(self, log_confidence: float) -> float:
        return math.sqrt((self.before.squares + self.after.squares) * log_confidence / 2.0)


class HddmW(ConceptDetector[HddmWConfig]):
    """O(1) time per error in [0, 1], and O(log n) memory; the bound holds for fractions as well as for 0 and 1.

    `before` and `after` are the weighted means up to the cut point and since it, `statistic` is their difference,
    `p_value` an upper bound. A weighted mean is often lowest long before a rise, so that `changed_n` and `effect` are
    found apart, with errors of equal weight (see `clearest`).
    """

    bounded = True

    def __init__(self, config: HddmWConfig) -> None:
        self._log_drift = math.log(1.0 / config.drift_confidence)
        self._log_warning = math.log(1.0 / config.warning_confidence)
        self._by_rate: tuple[ByRate, ByRate] | None = None  # of these two
        if config.run_length is not None:
            drift = hddm_w_log_confidence(config.run_length, config.weight)
            self._by_rate = drift, hddm_w_log_confidence(config.run_length / WARNING, config.weight)
        super().__init__(config)

    def _forget(self) -> None:
        self._all = _Mean()
        self._rise, self._fall = _Side(1.0), _Side(-1.0)
        self._total = 0.0
        self._trail = Points(ALIKE)

    def _update(self, error: float) -> State:
        n = self._n = self._n + 1
        total = self._total = self._total + error
        if not n % APART:
            self._trail.add((n, total))
        if self._by_rate is not None:
            place, (drift, warning) = place_of(total, n), self._by_rate
            self._log_drift, self._log_warning = drift.at(place), warning.at(place)
        weight, everything = self.config.weight, self._all
        everything.add(error, weight)
        bound = math.sqrt(everything.squares * self._log_drift / 2.0)
        self._rise.add(error, weight, everything, bound)
        self._fall.add(error, weight, everything, bound)
        if n <= self.config.warmup:
            return State.WARMUP
        rise = self._rise.change()
        if rise > self._rise.bound(self._log_warning):
            if rise > self._rise.bound(self._log_drift):
                return self._conclude(self._compare(State.DRIFT, self._rise, "worse"))
            return State.WARNING
        if self._fall.change() > self._fall.bound(self._log_drift):
            return self._conclude(self._compare(State.STABLE, self._fall, "better"))
        return State.STABLE

    def _compare(self, state: State, side: _Side, direction: Direction | None) -> Reading:
        before, after, change = side.before, side.after, side.change()
        reading = Reading(
            state,
            statistic=change,
            threshold=side.bound(self._log_drift),
            p_value=math.exp(-2.0 * change * change / (before.squares + after.squares)) if change > 0.0 else 1.0,
            before=before.value,
            after=after.value if after.n else None,
            direction=direction,
            reference_n=before.n,
            current_n=after.n,
        )
        return with_change(reading, self._trail, (self._n, self._total))

    def _describe(self, state: State) -> Reading:
        if state is State.WARMUP:
            return Reading(state, current_n=self._n)
        return self._compare(state, self._rise, "worse" if state is State.WARNING else None)
