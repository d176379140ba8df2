"""DDM: alarms when the error rate has risen well above its lowest point.

Source: Gama, Medas, Castillo and Rodrigues, "Learning with drift detection", SBIA (2004).
"""

from __future__ import annotations

from typing import Literal

from detectors.base import ConceptDetector, Reading, State
from detectors.concept.levels import LevelsConfig
from detectors.concept.lowest import LowestRate


class DdmConfig(LevelsConfig):
    """Detects a sudden rise of an error rate; slow for gradual ones and after a long stable stretch."""

    kind: Literal["ddm"] = "ddm"


class Ddm(ConceptDetector[DdmConfig]):
    """O(1) time per error in [0, 1], and O(log n) memory; of fractions, see `LowestRate`.

    `statistic` is the height above the lowest point in its standard deviations, `before` the rate up to that point,
    `after` the rate since.
    """

    bounded = True

    def _forget(self) -> None:
        self._rate = LowestRate()

    def _update(self, error: float) -> State:
        self._n += 1
        state = self._rate.add(error, self.config)
        return self._conclude(self._describe(state)) if state is State.DRIFT else state

    def _describe(self, state: State) -> Reading:
        return self._rate.reading(state, self.config.drift_level)
