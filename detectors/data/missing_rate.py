"""Missing rate: how often a feature, numeric or categorical, has no usable value, against a reference window.

Source: Fisher, "On the interpretation of chi-squared from contingency tables, and the calculation of P", Journal of
the Royal Statistical Society 85 (1922), for the exact test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from detectors.base import Row
from detectors.data.categories import category, flat_values
from detectors.data.rates import UNUSUAL, RateConfig, RateDetector
from detectors.data.windowed import ALL, Bools, Slots
from detectors.settings import Seasonal

_NEVER_NAN = frozenset((str, int, bool, type(None)))


class MissingRateConfig(RateConfig):
    """Detects that a feature, numeric or categorical, is missing more often than usual, or less often."""

    seasonal: ClassVar[Seasonal] = "gaps"

    kind: Literal["missing_rate"] = "missing_rate"
    features: tuple[str, ...] | None = Field(
        None, min_length=1, description="features to watch; all, of either type, if absent"
    )


class MissingRate(RateDetector[MissingRateConfig]):
    """Every event counts, with a value or without: `reference` and `window` are events here.

    A value is missing if the row lacks it, if it is None, NaN or infinite, and if it is neither number nor text. The
    test is exact: its false-alarm probability at one check is at most `alpha`, however rare missing values are.
    """

    both_sides: ClassVar[bool] = True

    def _columns(self, block: Sequence[Row]) -> tuple[npt.NDArray[np.bool_], Bools]:
        flat = flat_values(block, self.features)
        if not _NEVER_NAN.issuperset(map(type, flat)):
            flat = [_usable(value) for value in flat]
        missing = np.fromiter((value is None for value in flat), dtype=np.bool_, count=len(flat))
        missing = np.ascontiguousarray(missing.reshape(len(block), len(self.features)).T)
        return missing, np.ones_like(missing)

    def _learn(self, feature: int, values: npt.NDArray[np.bool_]) -> None:
        self._expect(feature, int(np.count_nonzero(values)), len(values))

    def _place(self, values: npt.NDArray[np.bool_], usable: Bools, features: slice = ALL) -> Slots:
        return UNUSUAL * values.astype(np.int64) + self._firsts()[features]

    def _detail(self, feature: int) -> str | None:
        return None


def _usable(value: Any) -> Any:
    """The value, or None if it is missing; the type that most values have is decided on without a call."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    return category(value)
