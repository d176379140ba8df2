"""DDM: alarms when the error rate has risen well above its lowest point.

Source: Gama, Medas, Castillo and Rodrigues, "Learning with drift detection", SBIA (2004).
"""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from detectors.base import ConceptDetector, DetectorConfig, Reading, State
from detectors.concept.evidence import Point, split_reading


class DdmConfig(DetectorConfig):
    """Detects a sudden rise of an error rate; slow for gradual ones and after a long stable stretch."""

    kind: Literal["ddm"] = "ddm"
    warning_level: float = Field(2.0, gt=0, description="standard deviations above the lowest rate that warn")
    drift_level: float = Field(3.0, gt=0, description="standard deviations above the lowest rate that alarm")
    warmup: int = Field(100, ge=30, description="errors seen before judging")

    @model_validator(mode="after")
    def _warns_first(self) -> Self:
        if self.warning_level >= self.drift_level:
            raise ValueError(
                f"warning_level: got {self.warning_level:g}; expected less than drift_level={self.drift_level:g}. "
                "Lower warning_level or raise drift_level"
            )
        return self


class Ddm(ConceptDetector[DdmConfig]):
    """O(1) time and memory per error in [0, 1].

    A fraction counts as that much of a mistake: the Bernoulli spread that DDM reckons with is an upper bound for any
    values in [0, 1] of the same mean, so fractions can only make it slower, not jumpier. A rate of exactly 0 or 1 has
    the spread of one mistake (or one success) in the values seen, as else the first mistake would be an alarm.

    `statistic` is the height above the lowest point in its standard deviations, `before` the rate up to that point,
    `after` the rate since.
    """

    bounded = True

    def _forget(self) -> None:
        self._total = 0.0
        self._lowest = math.inf
        self._lowest_spread = math.inf
        self._lowest_at: Point = (0, 0.0)
        self._height = 0.0

    def _update(self, error: float) -> State:
        n = self._n = self._n + 1
        total = self._total = self._total + error
        if n <= self.config.warmup:
            return State.WARMUP
        rate, one = total / n, 1.0 / n
        spread = math.sqrt(max(rate, one) * max(1.0 - rate, one) / n)
        if rate + spread <= self._lowest:
            self._lowest, self._lowest_spread, self._lowest_at = rate + spread, spread, (n, total)
        low_n, low_total = self._lowest_at
        height = self._height = (rate + spread - low_total / low_n) / self._lowest_spread
        if height > self.config.drift_level:
            return self._conclude(self._describe(State.DRIFT)._replace(direction="worse"))
        return State.WARNING if height > self.config.warning_level else State.STABLE

    def _describe(self, state: State) -> Reading:
        if state is State.WARMUP:
            return Reading(state, current_n=self._n)
        return split_reading(
            state,
            self._lowest_at,
            (self._n, self._total),
            statistic=self._height,
            threshold=self.config.drift_level,
            direction="worse" if state is State.WARNING else None,
        )
