"""Page-Hinkley: adds up how far errors lie above their mean, and alarms when the sum has climbed too high.

Source: Page, "Continuous inspection schemes", Biometrika 41 (1954); Sebastião and Fernandes, "Supporting the
Page-Hinkley test with empirical mode decomposition for change detection", ISMIS (2017).
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from detectors.base import ConceptDetector, DetectorConfig, Reading, State
from detectors.concept.evidence import Point, split_reading


class PageHinkleyConfig(DetectorConfig):
    """Detects a lasting rise of the mean error; `delta` and `threshold` are in the unit of the error."""

    kind: Literal["page_hinkley"] = "page_hinkley"
    delta: float = Field(0.005, ge=0, description="rise of the mean that is tolerated, in the unit of the error")
    threshold: float = Field(
        50.0, gt=0, description="accumulated excess that raises the alarm, in the unit of the error"
    )
    forgetting: float = Field(
        0.9999, gt=0, le=1, description="factor on the accumulated sum per error; 1 never forgets"
    )
    warmup: int = Field(30, ge=1, description="errors seen before judging")


class PageHinkley(ConceptDetector[PageHinkleyConfig]):
    """O(1) time and memory per error. Errors may have any scale, to which the configuration must fit.

    `statistic` is the climb of the sum above its lowest point, `before` the mean error up to that point, `after` the
    mean since.
    """

    def _forget(self) -> None:
        self._total = 0.0
        self._rise = self._fall = 0.0
        self._lowest, self._highest = math.inf, -math.inf
        self._lowest_at: Point = (0, 0.0)
        self._highest_at: Point = (0, 0.0)

    def _update(self, error: float) -> State:
        config = self.config
        n = self._n = self._n + 1
        total = self._total = self._total + error
        excess = error - total / n
        rise = self._rise = config.forgetting * self._rise + excess - config.delta
        fall = self._fall = config.forgetting * self._fall + excess + config.delta
        if rise < self._lowest:
            self._lowest, self._lowest_at = rise, (n, total)
        if fall > self._highest:
            self._highest, self._highest_at = fall, (n, total)
        if n <= config.warmup:
            return State.WARMUP
        if rise - self._lowest > config.threshold:
            return self._conclude(self._describe(State.DRIFT)._replace(direction="worse"))
        if self._highest - fall > config.threshold:
            better = split_reading(
                State.STABLE,
                self._highest_at,
                (n, total),
                statistic=self._highest - fall,
                threshold=config.threshold,
                direction="better",
            )
            return self._conclude(better)
        return State.STABLE

    def _describe(self, state: State) -> Reading:
        if state is State.WARMUP:
            return Reading(state, current_n=self._n)
        return split_reading(
            state,
            self._lowest_at,
            (self._n, self._total),
            statistic=self._rise - self._lowest,
            threshold=self.config.threshold,
        )
