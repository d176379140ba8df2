"""HDDM_A: compares the mean error up to the most favourable point with the whole, by Hoeffding's inequality.

Source: Frías-Blanco et al., "Online and non-parametric drift detection methods based on Hoeffding's bounds",
IEEE Transactions on Knowledge and Data Engineering 27 (2015), the A-test.
"""

from __future__ import annotations

import math
from typing import Literal

from detectors.base import ConceptDetector, Direction, Reading, State
from detectors.calibration.errors import hddm_a_confidence
from detectors.concept.calibrated import WARNING
from detectors.concept.confidence import ConfidenceConfig
from detectors.concept.evidence import split_reading
from detectors.concept.points import ALIKE, APART, Point, Points


class HddmAConfig(ConfidenceConfig):
    """Detects a sudden rise of the mean error, with a bound on false alarms that assumes no distribution."""

    kind: Literal["hddm_a"] = "hddm_a"


class HddmA(ConceptDetector[HddmAConfig]):
    """O(1) time per error in [0, 1], and O(log n) memory; the bound holds for fractions as well as for 0 and 1.

    `statistic` is how far the mean of all errors since the last change lies above the mean up to the cut point
    (`before`), `after` is the mean since the cut point, `p_value` an upper bound. A run length is a lower bound: what
    is held is one false alarm in the first so many errors, at a rate of a half, and fewer at others and later on.
    """

    bounded = True

    def __init__(self, config: HddmAConfig) -> None:
        drift, warning = config.drift_confidence, config.warning_confidence
        if config.run_length is not None:
            drift, warning = hddm_a_confidence(config.run_length), hddm_a_confidence(config.run_length / WARNING)
        self._log_cut = math.log(1.0 / drift)
        self._log_drift = math.log(2.0 / drift)
        self._log_warning = math.log(2.0 / warning)
        super().__init__(config)

    def _forget(self) -> None:
        self._total = 0.0
        self._low, self._high = math.inf, -math.inf
        self._low_at: Point = (0, 0.0)
        self._high_at: Point = (0, 0.0)
        self._trail = Points(ALIKE)

    def _update(self, error: float) -> State:
        n = self._n = self._n + 1
        total = self._total = self._total + error
        if not n % APART:
            self._trail.add((n, total))
        mean, bound = total / n, math.sqrt(self._log_cut / (2.0 * n))
        if mean + bound <= self._low:
            self._low, self._low_at = mean + bound, (n, total)
        if mean - bound >= self._high:
            self._high, self._high_at = mean - bound, (n, total)
        if n <= self.config.warmup:
            return State.WARMUP
        low_n, low_total = self._low_at
        rise, weight = mean - low_total / low_n, self._weight(low_n)
        if rise > 0.0 and rise >= math.sqrt(weight * self._log_warning):
            if rise >= math.sqrt(weight * self._log_drift):
                return self._conclude(self._compare(State.DRIFT, self._low_at, "worse"))
            return State.WARNING
        high_n, high_total = self._high_at
        fall = high_total / high_n - mean
        if fall > 0.0 and fall >= math.sqrt(self._weight(high_n) * self._log_drift):
            return self._conclude(self._compare(State.STABLE, self._high_at, "better"))
        return State.STABLE

    def _weight(self, cut: int) -> float:
        """Half the m of the paper: the bound on the difference is the root of this times the log of the confidence."""
        return (self._n - cut) / (2.0 * cut * self._n)

    def _compare(self, state: State, cut: Point, direction: Direction | None) -> Reading:
        weight = self._weight(cut[0])
        change = self._total / self._n - cut[1] / cut[0]
        difference = -change if direction == "better" else change
        return split_reading(
            state,
            cut,
            (self._n, self._total),
            statistic=difference,
            threshold=math.sqrt(weight * self._log_drift),
            p_value=min(1.0, 2.0 * math.exp(-difference * difference / weight)) if difference > 0.0 else 1.0,
            direction=direction,
            points=self._trail,
        )

    def _describe(self, state: State) -> Reading:
        if state is State.WARMUP:
            return Reading(state, current_n=self._n)
        return self._compare(state, self._low_at, "worse" if state is State.WARNING else None)
