"""CUSUM: adds up how far errors lie above their usual mean and an allowance; the quickest for a rise of known size.

Source: Page, "Continuous inspection schemes", Biometrika 41 (1954); on its optimality, Moustakides, "Optimal stopping
times for detecting changes in distributions", Annals of Statistics 14 (1986).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from detectors.base import State
from detectors.concept.points import APART
from detectors.concept.sums import SumsConfig, SumsDetector


class CusumConfig(SumsConfig):
    """Detects a lasting rise of the mean error by about `shift`, above what it was before the rise."""

    kind: Literal["cusum"] = "cusum"
    shift: float = Field(
        0.1, gt=0, description="rise of the mean to be found soonest, in the unit of the error; half of it is allowed"
    )
    threshold: float = Field(
        20.0, gt=0, description="accumulated excess that raises the alarm, in the unit of the error"
    )
    warmup: int = Field(300, ge=30, description="errors that make up the usual mean before judging")


class Cusum(SumsDetector[CusumConfig]):
    """O(1) time per error, and O(log n) memory. Errors may have any scale, to which the configuration must fit.

    The usual mean is that of all errors up to the point from which the sum has been climbing. Page-Hinkley's mean takes
    in the errors of the climb too, so that it follows them and comes later. `statistic` is the sum, `before` the usual
    mean, `after` the mean since that point.
    """

    def _update(self, error: float) -> State:
        config = self.config
        n = self._n = self._n + 1
        total = self._total = self._total + error
        if not n % APART:
            self._trail.add((n, total))
        if n <= config.warmup:
            self._rise_from = self._fall_from = n, total
            return State.WARMUP
        allowance = config.shift / 2.0
        from_n, from_total = self._rise_from
        self._rise += error - from_total / from_n - allowance
        if self._rise <= 0.0:
            self._rise, self._rise_from = 0.0, (n, total)
        from_n, from_total = self._fall_from
        self._fall += from_total / from_n - error - allowance
        if self._fall <= 0.0:
            self._fall, self._fall_from = 0.0, (n, total)
        return self._judge()
