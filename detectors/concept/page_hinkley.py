"""Page-Hinkley: adds up how far errors lie above their mean, and alarms when the sum has climbed too high.

Source: Page, "Continuous inspection schemes", Biometrika 41 (1954); Sebastião and Fernandes, "Supporting the
Page-Hinkley test with empirical mode decomposition for change detection", ISMIS (2017).
"""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from detectors.base import State
from detectors.calibration.climbs import forgotten_climb
from detectors.concept.points import APART
from detectors.concept.sums import SumsConfig, SumsDetector
from detectors.concept.usual import Usual

_LEAST_FORGETTING = 0.99
"""With less the sum remembers fewer than a hundred errors."""


class PageHinkleyConfig(SumsConfig):
    """Detects a lasting rise of the mean error; `delta` and `threshold` are in the unit of the error."""

    kind: Literal["page_hinkley"] = "page_hinkley"
    delta: float = Field(0.005, ge=0, description="rise of the mean that is tolerated, in the unit of the error")
    threshold: float = Field(
        50.0, gt=0, description="accumulated excess that raises the alarm, in the unit of the error"
    )
    forgetting: float = Field(
        0.9999, gt=0, le=1, description="factor on the accumulated sum per error; 1 never forgets"
    )
    warmup: int = Field(30, ge=1, le=1_000_000, description="errors seen before judging")

    @model_validator(mode="after")
    def _remembers(self) -> Self:
        if self.run_length is not None and self.forgetting < _LEAST_FORGETTING:
            raise ValueError(
                f"forgetting: got {self.forgetting:g} along with run_length={self.run_length:,.0f}; expected at least "
                f"{_LEAST_FORGETTING:g}, as the sum is too short-lived to be calibrated. Raise it, or give threshold "
                "instead of run_length"
            )
        return self


class PageHinkley(SumsDetector[PageHinkleyConfig]):
    """O(1) time per error, and O(log n) memory. Errors may have any scale, to which the configuration must fit.

    `statistic` is the climb of the sum above its lowest point, `before` the mean error up to that point, `after` the
    mean since.
    """

    def _forget(self) -> None:
        super()._forget()
        self._rising = self._falling = 0.0
        self._lowest, self._highest = math.inf, -math.inf

    def _calibrate(self, run_length: float, usual: Usual) -> None:
        config = self.config
        self._threshold = forgotten_climb(run_length, config.delta, config.forgetting, usual)

    def _update(self, error: float) -> State:
        config = self.config
        n = self._n = self._n + 1
        total = self._total = self._total + error
        if not n % APART:
            self._trail.add((n, total))
        excess = error - total / n
        rising = self._rising = config.forgetting * self._rising + excess - config.delta
        falling = self._falling = config.forgetting * self._falling + excess + config.delta
        if rising < self._lowest:
            self._lowest, self._rise_from = rising, (n, total)
        if falling > self._highest:
            self._highest, self._fall_from = falling, (n, total)
        self._rise, self._fall = rising - self._lowest, self._highest - falling
        if config.run_length is not None:
            self._moments.add(error)
        if n <= config.warmup:
            return State.WARMUP
        self._learn(climbing=False)
        return self._judge()
