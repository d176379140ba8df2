"""New categories: how often a categorical feature has a value that its reference has never seen.

Source: Good, "The population frequencies of species and the estimation of population parameters", Biometrika 40 (1953),
for how often that is usual: as often as a value occurs once in the reference.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from detectors.base import Reading, Row
from detectors.data.categories import category_columns
from detectors.data.profiles import OTHER, shares
from detectors.data.rates import UNUSUAL, RateConfig, RateDetector
from detectors.data.windowed import ALL, Bools, Cells, Slots
from detectors.settings import Seasonal


class NewCategoryConfig(RateConfig):
    """Detects that a categorical feature takes on values that its reference never had."""

    seasonal: ClassVar[Seasonal] = None

    kind: Literal["new_category"] = "new_category"


class NewCategory(RateDetector[NewCategoryConfig]):
    """Memory per feature in proportion to `reference` + `window`.

    Where every category is frequent a new one is an alarm from a share of `min_effect` on. Where there are always new
    ones, as among names or numbers of customers, only as many more are as chance does not explain: `before` is the
    share of the reference that would be new to the rest of it. With categories that occurred twice that share is less
    certain than one of so many values (Good's variance); it counts as one of fewer then. `detail` is the most frequent
    of the new categories, and profiles are of new ones only.
    """

    def __init__(self, config: NewCategoryConfig, features: Sequence[str]) -> None:
        self._known: list[dict[Any, int]] = [{} for _ in features]  # how often each was in the reference
        self._new = np.full((len(features), config.window), None, dtype=np.object_)
        super().__init__(config, features)

    def _columns(self, block: Sequence[Row]) -> tuple[npt.NDArray[np.object_], Bools]:
        return category_columns(block, self.features)

    def _learn(self, feature: int, values: npt.NDArray[np.object_]) -> None:
        counts = self._known[feature] = dict(Counter(values.tolist()))
        n, often = len(values), Counter(counts.values())
        binomial = (often[1] + 1) * (n - often[1] + 1) / n
        out_of = math.ceil(n * binomial / (binomial + 2 * often[2]))
        self._expect(feature, math.ceil(often[1] * out_of / n), out_of)

    def _place(self, values: npt.NDArray[np.object_], usable: Bools, features: slice = ALL) -> Slots:
        columns = zip(self._known[features], values, strict=True)
        new = [[value not in known for value in column] for known, column in columns]
        return UNUSUAL * np.array(new, dtype=np.int64) + self._firsts()[features]

    def _exchange(self, cells: Cells, going: Slots, coming: Slots, values: npt.NDArray[np.object_]) -> None:
        super()._exchange(cells, going, coming, values)
        new = values.copy()
        new[coming % self._width != UNUSUAL] = None
        self._new[cells] = new

    def _start(self, feature: int) -> None:
        super()._start(feature)
        self._known[feature] = {}
        self._new[feature] = None

    def _found(self, feature: int) -> Counter[str]:
        """How often each new category is in the window."""
        return Counter(str(value) for value in self._new[feature] if value is not None)

    def _detail(self, feature: int) -> str | None:
        found = self._found(feature)
        return found.most_common(1)[0][0] if found else None

    def _explain(self, feature: int, reading: Reading) -> Reading:
        found = self._found(feature)
        found[OTHER] += self.config.window - found.total()
        known, seen = shares(Counter({OTHER: self.config.reference}), found)
        return super()._explain(feature, reading)._replace(known=known, seen=seen)
