"""Value range: how often a numeric feature lies outside the range of its reference, with a margin.

Source: Wilks, "Determination of sample sizes for setting tolerance limits", Annals of Mathematical Statistics 12
(1941), on how much lies beyond the smallest and the largest of a sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from detectors.base import Row
from detectors.data.numbers import numeric_columns
from detectors.data.rates import UNUSUAL, RateConfig, RateDetector
from detectors.data.windowed import ALL, Bools, Floats, Slots


class ValueRangeConfig(RateConfig):
    """Detects values of numeric features outside the range they had, such as a change of unit or a broken sensor."""

    kind: Literal["value_range"] = "value_range"
    margin: float = Field(
        0.1, ge=0, description="how far the range of the reference is widened, at either end, as a share of its length"
    )


class ValueRange(RateDetector[ValueRangeConfig]):
    """A check costs one comparison per feature. The range of a constant reference is that one value.

    `before` is the share of the reference that would be outside the range of the rest of it, widened in the same way:
    two values at most. `detail` is the range.
    """

    def __init__(self, config: ValueRangeConfig, features: Sequence[str]) -> None:
        self._low, self._high = np.zeros((len(features), 1)), np.zeros((len(features), 1))
        super().__init__(config, features)

    def _columns(self, block: Sequence[Row]) -> tuple[Floats, Bools]:
        return numeric_columns(block, self.features)

    def _learn(self, feature: int, values: Floats) -> None:
        lowest, lower, *_, higher, highest = np.sort(values).tolist()
        self._low[feature], self._high[feature] = self._widened(lowest, highest)
        outside = (lowest < self._widened(lower, highest)[0]) + (highest > self._widened(lowest, higher)[1])
        self._expect(feature, outside, len(values))

    def _widened(self, low: float, high: float) -> tuple[float, float]:
        margin = self.config.margin * high - self.config.margin * low
        return low - margin, high + margin

    def _place(self, values: Floats, usable: Bools, features: slice = ALL) -> Slots:
        outside = (values < self._low[features]) | (values > self._high[features])
        return UNUSUAL * outside.astype(np.int64) + self._firsts()[features]

    def _detail(self, feature: int) -> str | None:
        return f"outside {self._low[feature, 0]:g} to {self._high[feature, 0]:g}"
