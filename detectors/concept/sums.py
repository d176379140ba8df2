"""What detectors share that add up how far errors lie above what is usual, and below: CUSUM and Page-Hinkley."""

from __future__ import annotations

from typing import TypeVar

from detectors.base import ConceptDetector, DetectorConfig, Direction, Reading, State
from detectors.concept.evidence import split_reading
from detectors.concept.points import ALIKE, Point, Points


class SumsConfig(DetectorConfig):
    """Common to these detectors."""

    threshold: float


C = TypeVar("C", bound=SumsConfig)


class SumsDetector(ConceptDetector[C]):
    """Alarms when the climb of the rising sum passes the threshold; a fall is told by that of the falling one.

    Subclasses keep, of either sum, how far it has climbed and since which point, and a trail of points: a sum often
    begins to climb long before a change, so that `changed_n` and `effect` are found apart (see `clearest`). That takes
    O(log n) memory.
    """

    def _forget(self) -> None:
        self._total = 0.0
        self._rise = self._fall = 0.0
        self._rise_from: Point = (0, 0.0)
        self._fall_from: Point = (0, 0.0)
        self._trail = Points(ALIKE)

    def _judge(self) -> State:
        if self._rise > self.config.threshold:
            return self._conclude(self._compare(State.DRIFT, self._rise_from, self._rise, "worse"))
        if self._fall > self.config.threshold:
            return self._conclude(self._compare(State.STABLE, self._fall_from, self._fall, "better"))
        return State.STABLE

    def _describe(self, state: State) -> Reading:
        if state is State.WARMUP:
            return Reading(state, current_n=self._n)
        return self._compare(state, self._rise_from, self._rise, None)

    def _compare(self, state: State, since: Point, climb: float, direction: Direction | None) -> Reading:
        return split_reading(
            state,
            since,
            (self._n, self._total),
            statistic=climb,
            threshold=self.config.threshold,
            direction=direction,
            points=self._trail,
        )
