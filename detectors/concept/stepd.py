"""STEPD: compares the rate of the newest errors with the rate of all before them, by a test of equal proportions.

Source: Nishida and Yamauchi, "Detecting concept drift using statistical testing", Discovery Science, LNCS 4755 (2007).
"""

from __future__ import annotations

import math
from collections import deque
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator
from scipy import special

from detectors.base import ConceptDetector, Direction, Reading, State
from detectors.calibration.errors import ByRate, place_of, stepd_height
from detectors.concept.calibrated import WARNING, CalibratedConfig
from detectors.concept.evidence import split_reading
from detectors.concept.points import ALIKE, APART, Points


class StepdConfig(CalibratedConfig):
    """Detects a sudden rise of an error rate by comparing the newest errors with the rest.

    The paper's alphas are 0.003 and 0.05, and its window is 30; the ones here give far fewer false alarms at a steady
    error rate.
    """

    knobs: ClassVar[tuple[str, ...]] = ("alpha", "warning_alpha")

    kind: Literal["stepd"] = "stepd"
    alpha: float = Field(1e-5, gt=0, lt=1, description="p-value, of one comparison, below which it alarms")
    warning_alpha: float = Field(1e-3, gt=0, lt=1, description="p-value below which it warns")
    window: int = Field(60, ge=30, le=10_000, description="newest errors, compared with all since the last change")
    warmup: int = Field(120, ge=60, le=1_000_000, description="errors seen before judging")

    @model_validator(mode="after")
    def _can_compare(self) -> Self:
        if self.warning_alpha <= self.alpha:
            raise ValueError(
                f"warning_alpha: got {self.warning_alpha:g}; expected more than alpha={self.alpha:g}. Raise "
                "warning_alpha or lower alpha"
            )
        if self.warmup < 2 * self.window:
            raise ValueError(
                f"warmup: got {self.warmup}; expected at least 2 x window = {2 * self.window}, as there must be as "
                "many errors to compare with. Raise warmup or lower window"
            )
        return self


class Stepd(ConceptDetector[StepdConfig]):
    """O(1) time per error in [0, 1], and memory for `window` of them and O(log n).

    A fraction counts as that much of a mistake: the Bernoulli spread is an upper bound for any values in [0, 1] of the
    same mean, so fractions can only make it slower, not jumpier. `statistic` is the difference of the two rates, less a
    correction for continuity, in standard deviations; `p_value` is two-sided and of this comparison alone, of which
    there is one at each error. `before` and `after` are the two rates.
    """

    bounded = True

    def __init__(self, config: StepdConfig) -> None:
        self._drift_at = _height(config.alpha)
        self._warning_at = _height(config.warning_alpha)
        self._by_rate: tuple[ByRate, ByRate] | None = None  # of these two
        if config.run_length is not None:
            drift = stepd_height(config.run_length, config.window)
            self._by_rate = drift, stepd_height(config.run_length / WARNING, config.window)
        super().__init__(config)

    def _forget(self) -> None:
        self._newest: deque[float] = deque(maxlen=self.config.window)
        self._older_total = self._newest_total = 0.0
        self._trail = Points(ALIKE)

    def _update(self, error: float) -> State:
        self._n += 1
        if len(self._newest) == self.config.window:
            oldest = self._newest[0]
            self._older_total += oldest
            self._newest_total -= oldest
        self._newest.append(error)
        self._newest_total += error
        if not self._n % APART:
            self._trail.add((self._n, self._older_total + self._newest_total))
        if self._n <= self.config.warmup:
            return State.WARMUP
        if self._by_rate is not None:
            place, (drift, warning) = place_of(self._older_total + self._newest_total, self._n), self._by_rate
            self._drift_at, self._warning_at = drift.at(place), warning.at(place)
        change, height = self._compare()
        if height <= self._warning_at:
            return State.STABLE
        if height <= self._drift_at:
            return State.WARNING if change > 0.0 else State.STABLE
        if change > 0.0:
            return self._conclude(self._evidence(State.DRIFT, "worse"))
        return self._conclude(self._evidence(State.STABLE, "better"))

    def _compare(self) -> tuple[float, float]:
        """The rise of the rate, and the size of it in standard deviations, corrected for continuity."""
        n, window = self._n, self.config.window
        older = n - window
        change = self._newest_total / window - self._older_total / older
        rate, unit = (self._older_total + self._newest_total) / n, 1.0 / older + 1.0 / window
        variance = rate * (1.0 - rate) * unit
        return change, max(0.0, abs(change) - unit / 2.0) / math.sqrt(variance) if variance > 0.0 else 0.0

    def _evidence(self, state: State, direction: Direction | None) -> Reading:
        height = self._compare()[1]
        return split_reading(
            state,
            (self._n - self.config.window, self._older_total),
            (self._n, self._older_total + self._newest_total),
            statistic=height,
            threshold=self._drift_at,
            p_value=math.erfc(height / math.sqrt(2.0)),
            direction=direction,
            points=self._trail,
        )

    def _describe(self, state: State) -> Reading:
        if state is State.WARMUP:
            return Reading(state, current_n=self._n)
        return self._evidence(state, "worse" if state is State.WARNING else None)


def _height(alpha: float) -> float:
    """The standard deviations that a normal value exceeds, in either direction, with probability `alpha`."""
    return -float(special.ndtri(alpha / 2.0))
