"""DDM: alarms when the error rate has risen well above its lowest point.

Source: Gama, Medas, Castillo and Rodrigues, "Learning with drift detection", SBIA (2004).
"""

from __future__ import annotations

from typing import Literal

from detectors.base import ConceptDetector, Reading, State
from detectors.concept.calibrated import UncalibratedConfig
from detectors.concept.levels import LevelsConfig
from detectors.concept.lowest import LowestRate


class DdmConfig(UncalibratedConfig, LevelsConfig):
    """Detects a sudden rise of an error rate; slow for gradual ones and after a long stable stretch.

    It cannot be told a run length: most of its false alarms come within 1,000 errors, the others hardly ever.
    """

    kind: Literal["ddm"] = "ddm"


class Ddm(ConceptDetector[DdmConfig]):
    """O(1) time per error in [0, 1], and O(log n) memory; of fractions, see `LowestRate`.

    `statistic` is the height above the lowest point in its standard deviations, `before` the rate up to that point,
    `after` the rate since.
    """

    bounded = True

    def __init__(self, config: DdmConfig) -> None:
        self._levels = config.levels
        super().__init__(config)

    def _forget(self) -> None:
        self._rate = LowestRate()

    def _update(self, error: float) -> State:
        self._n += 1
        state = self._rate.add(error, self._levels)
        return self._conclude(self._describe(state)) if state is State.DRIFT else state

    def _describe(self, state: State) -> Reading:
        return self._rate.reading(state, self.config.drift_level)
