"""CUSUM: adds up how far errors lie above their usual mean and an allowance; the quickest for a rise of known size.

Source: Page, "Continuous inspection schemes", Biometrika 41 (1954); on its optimality, Moustakides, "Optimal stopping
times for detecting changes in distributions", Annals of Statistics 14 (1986).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from detectors.base import State
from detectors.calibration.climbs import Climb, climb
from detectors.concept.points import APART
from detectors.concept.sums import SumsConfig, SumsDetector
from detectors.concept.usual import Usual


class CusumConfig(SumsConfig):
    """Detects a lasting rise of the mean error by about `shift`, above what it was before the rise."""

    kind: Literal["cusum"] = "cusum"
    shift: float = Field(
        0.1, gt=0, description="rise of the mean to be found soonest, in the unit of the error; half of it is allowed"
    )
    threshold: float = Field(
        20.0, gt=0, description="accumulated excess that raises the alarm, in the unit of the error"
    )
    warmup: int = Field(300, ge=30, le=1_000_000, description="errors that make up the usual mean before judging")


class Cusum(SumsDetector[CusumConfig]):
    """O(1) time per error, and O(log n) memory. Errors may have any scale, to which `shift` must fit, and `threshold`.

    With a run length the threshold is worked out from how far errors scatter and to which side, and more is allowed for
    while few errors make up the usual mean (see `detectors.calibration.climbs`). For independent errors, 0/1 or not, of
    any scale: runs are 0.8 to 1.5 times as long as stated (over 10,000). Large single errors (a tail heavier than an
    exponential one) make them shorter.

    The usual mean is that of all errors up to the point from which the sum has been climbing. Page-Hinkley's mean takes
    in the errors of the climb too, so that it follows them and comes later. `statistic` is the sum, `before` the usual
    mean, `after` the mean since that point.
    """

    def _forget(self) -> None:
        super()._forget()
        self._climb = Climb(self._threshold, self.config.shift / 2.0)

    def _calibrate(self, run_length: float, usual: Usual) -> None:
        self._climb = climb(run_length, self.config.shift / 2.0, usual)
        self._threshold = self._climb.threshold

    def _update(self, error: float) -> State:
        n = self._n = self._n + 1
        total = self._total = self._total + error
        if not n % APART:
            self._trail.add((n, total))
        if self.config.run_length is not None:
            self._moments.add(error)
        if n <= self.config.warmup:
            self._rise_from = self._fall_from = n, total
            return State.WARMUP
        from_n, from_total = self._rise_from
        self._rise += error - from_total / from_n - self._allowed(from_n)
        if self._rise <= 0.0:
            self._rise, self._rise_from = 0.0, (n, total)
        from_n, from_total = self._fall_from
        self._fall += from_total / from_n - error - self._allowed(from_n)
        if self._fall <= 0.0:
            self._fall, self._fall_from = 0.0, (n, total)
        self._learn(climbing=self._rise > 0.0)
        return self._judge()

    def _allowed(self, n: int) -> float:
        if self.config.run_length is None:
            return self._climb.allowance
        return self._climb.allowed(n)
