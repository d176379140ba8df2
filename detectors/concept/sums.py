"""What detectors share that add up how far errors lie above what is usual, and below: CUSUM and Page-Hinkley."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar, TypeVar

from detectors.base import ConceptDetector, Direction, Reading, State
from detectors.concept.calibrated import CalibratedConfig
from detectors.concept.evidence import split_reading
from detectors.concept.points import ALIKE, Point, Points
from detectors.concept.usual import Moments, Usual


class SumsConfig(CalibratedConfig):
    """Common to these detectors."""

    knobs: ClassVar[tuple[str, ...]] = ("threshold",)

    threshold: float
    warmup: int


C = TypeVar("C", bound=SumsConfig)


class SumsDetector(ConceptDetector[C]):
    """Alarms when the climb of the rising sum passes the threshold; a fall is told by that of the falling one.

    Subclasses keep, of either sum, how far it has climbed and since which point, and a trail of points: a sum often
    begins to climb long before a change, so that `changed_n` and `effect` are found apart (see `clearest`). That takes
    O(log n) memory. With a run length they `_learn`, and work out their threshold in `_calibrate`; it is infinite as
    long as all errors are the same.
    """

    def _forget(self) -> None:
        self._total = 0.0
        self._rise = self._fall = 0.0
        self._rise_from: Point = (0, 0.0)
        self._fall_from: Point = (0, 0.0)
        self._trail = Points(ALIKE)
        self._moments = Moments()
        self._threshold = self.config.threshold if self.config.run_length is None else math.inf
        self._due = self.config.warmup + 1

    @abstractmethod
    def _calibrate(self, run_length: float, usual: Usual) -> None:
        """Set what has to be set for a run length."""

    def _learn(self, climbing: bool) -> None:
        """Calibrate anew whenever there are 2% more errors, but not while it climbs: those may be of a new level."""
        run_length = self.config.run_length
        if run_length is None or self._n < self._due or (climbing and self._threshold < math.inf):
            return
        usual = self._moments.usual()
        if usual is not None:
            self._calibrate(run_length, usual)
            self._due = self._n + 1 + self._n // 50

    def _judge(self) -> State:
        if self._rise > self._threshold:
            return self._conclude(self._compare(State.DRIFT, self._rise_from, self._rise, "worse"))
        if self._fall > self._threshold:
            return self._conclude(self._compare(State.STABLE, self._fall_from, self._fall, "better"))
        return State.STABLE

    def _describe(self, state: State) -> Reading:
        if state is State.WARMUP:
            return Reading(state, current_n=self._n)
        return self._compare(state, self._rise_from, self._rise, None)

    def _compare(self, state: State, since: Point, climb: float, direction: Direction | None) -> Reading:
        reading = split_reading(
            state,
            since,
            (self._n, self._total),
            statistic=climb,
            threshold=self._threshold,
            direction=direction,
            points=self._trail,
        )
        return reading if self._threshold < math.inf else reading._replace(threshold=None)
