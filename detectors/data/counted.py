"""A window that is known by how many of its values fall into each slot."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from detectors.data.change_point import changed_since
from detectors.data.window_config import WindowedConfig
from detectors.data.windowed import Cells, Ints, Slots, WindowedDetector

W = TypeVar("W", bound=WindowedConfig)

_ONE = np.int32(1)  # of the counts' own type: `ufunc.at` is 25 times slower when it has to convert


class CountedDetector(WindowedDetector[W]):
    """Keeps `_counts`, features by slots: how many values of the window are in each, cells without a value last."""

    def __init__(self, config: W, features: Sequence[str], slots: int) -> None:
        self._counts = np.zeros((len(features), slots + 1), dtype=np.int32)
        super().__init__(config, features)

    def _slots(self) -> int:
        return int(self._counts.shape[1]) - 1

    @abstractmethod
    def _reference_counts(self, feature: int) -> Ints:
        """How many values of the reference of a full feature are in each slot."""

    def _since_change(self, feature: int) -> tuple[int, Ints]:
        """How many values of a full feature there are since a change most probably began, in all and in each slot."""
        slots = self._arrived(feature, self._windows) - feature * self._width
        n = changed_since(self._reference_counts(feature), slots)
        return n, np.bincount(slots[-n:], minlength=self._width - 1)

    def _firsts(self) -> Ints:
        """The first slot of each feature, as a column."""
        return np.arange(0, self._counts.size, self._width)[:, np.newaxis]

    def _exchange(self, cells: Cells, going: Slots, coming: Slots, values: npt.NDArray[Any]) -> None:
        super()._exchange(cells, going, coming, values)
        counts = self._counts.reshape(-1)
        np.subtract.at(counts, going.reshape(-1), _ONE)
        np.add.at(counts, coming.reshape(-1), _ONE)

    def _start(self, feature: int) -> None:
        super()._start(feature)
        self._counts[feature] = 0
        self._counts[feature, -1] = self.config.window
