"""EDDM: alarms when mistakes follow each other at shorter distances than they used to.

Source: Baena-García et al., "Early drift detection method", workshop on knowledge discovery from data streams (2006).
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from detectors.base import ConceptDetector, Reading, State
from detectors.concept.calibrated import UncalibratedConfig
from detectors.concept.evidence import split_reading
from detectors.concept.points import ALIKE, APART, Point, Points


class EddmConfig(UncalibratedConfig):
    """Detects a slow rise of an error rate early, at the price of more false alarms than the other detectors.

    The paper's levels are 0.95 and 0.9; the ones here give far fewer false alarms at a steady error rate. It cannot be
    told a run length: its false alarms come within some hundred mistakes, or never.
    """

    knobs: ClassVar[tuple[str, ...]] = ("drift_level", "warning_level")

    kind: Literal["eddm"] = "eddm"
    warning_level: float = Field(0.9, gt=0, lt=1, description="share of the largest distance below which it warns")
    drift_level: float = Field(0.8, gt=0, lt=1, description="share of the largest distance below which it alarms")
    warmup: int = Field(30, ge=30, le=1_000_000, description="mistakes (not errors of any size) seen before judging")
    mistake: float = Field(0.5, gt=0, le=1, description="smallest error that counts as a mistake")

    @model_validator(mode="after")
    def _warns_first(self) -> Self:
        if self.warning_level <= self.drift_level:
            raise ValueError(
                f"warning_level: got {self.warning_level:g}; expected more than drift_level={self.drift_level:g}. "
                "Raise warning_level or lower drift_level"
            )
        return self


class Eddm(ConceptDetector[EddmConfig]):
    """O(1) time per error in [0, 1], of which those of at least `mistake` are mistakes and the rest not.

    Memory is O(log n), for what is told of a change alone.

    `statistic` is the distance between mistakes (mean plus two standard deviations) as a share of the largest it has
    been; an alarm is a value below `threshold`. `before` is the rate of mistakes up to that largest distance, `after`
    the rate from there to the newest mistake. Distances that vary less but did not shrink on average are no alarm,
    unlike in the paper: the error rate has not risen then.
    """

    bounded = True

    def _forget(self) -> None:
        self._mistakes = 0
        self._last_mistake = 0
        self._mean = 0.0
        self._squares = 0.0
        self._largest = 0.0
        self._largest_mean = 0.0
        self._largest_at: Point = (0, 0.0)
        self._trail = Points(ALIKE)
        self._share = 1.0
        self._zone = State.WARMUP

    def _update(self, error: float) -> State:
        n = self._n = self._n + 1
        mistake = error >= self.config.mistake
        mistakes = self._mistakes = self._mistakes + mistake
        if not n % APART:
            self._trail.add((n, float(mistakes)))
        if not mistake:
            return self._zone
        distance = n - self._last_mistake
        self._last_mistake = n
        off = distance - self._mean
        mean = self._mean = self._mean + off / mistakes
        self._squares += off * (distance - mean)
        reach = mean + 2.0 * math.sqrt(self._squares / max(mistakes - 1, 1))
        if n > self.config.warmup and reach > self._largest:
            self._largest, self._largest_mean, self._largest_at = reach, mean, (n, float(mistakes))
        if mistakes <= self.config.warmup:
            return State.WARMUP
        share = self._share = reach / self._largest
        self._zone = State.STABLE
        if mean < self._largest_mean and share < self.config.warning_level:
            if share < self.config.drift_level:
                return self._conclude(self._describe(State.DRIFT))
            self._zone = State.WARNING
        return self._zone

    def _describe(self, state: State) -> Reading:
        if state is State.WARMUP:
            return Reading(state, current_n=self._n)
        return split_reading(
            state,
            self._largest_at,
            (self._last_mistake, float(self._mistakes)),
            statistic=self._share,
            threshold=self.config.drift_level,
            direction="worse" if state >= State.WARNING else None,
            points=self._trail,
        )
