"""ADWIN: looks for a point in all errors since the last change at which their mean differs before and after.

Source: Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing", SIAM SDM (2007).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from detectors.base import ConceptDetector, Reading, Signal, State
from detectors.calibration.errors import adwin_confidence, adwin_reach
from detectors.concept.calibrated import CalibratedConfig
from detectors.concept.evidence import with_change
from detectors.concept.points import Points


class AdwinConfig(CalibratedConfig):
    """Detects a rise of the mean error, sudden or gradual, without a window length to choose."""

    knobs: ClassVar[tuple[str, ...]] = ("delta",)

    kind: Literal["adwin"] = "adwin"
    delta: float = Field(
        0.002, gt=0, lt=1, description="probability of a false alarm at one check; smaller is stricter"
    )
    clock: int = Field(
        32, ge=1, le=10_000, description="errors between two checks; 1 finds changes soonest, at more cost"
    )
    min_window: int = Field(
        8, ge=1, le=10_000, description="resolution: the fewest errors that are told apart as a part"
    )
    max_buckets: int = Field(5, ge=2, le=100, description="parts of one length before two are merged; more is finer")
    warmup: int = Field(30, ge=2, le=1_000_000, description="errors seen before judging")

    @model_validator(mode="after")
    def _both_parts_fit(self) -> Self:
        if self.warmup < 2 * self.min_window:
            raise ValueError(
                f"warmup: got {self.warmup}; two parts of min_window={self.min_window} need a warmup of at least "
                f"{2 * self.min_window}. Raise warmup or lower min_window"
            )
        return self


class Adwin(ConceptDetector[AdwinConfig]):
    """Amortised O(1) time and O(log n) memory per error. Errors may have any scale.

    With `min_window` 1 it alarms at the very error at which River's ADWIN does. River drops one part at a time and
    keeps no trace of the comparison that failed; here a change makes the window start anew, as every detector of this
    package does, so that the borders between parts are all there is to keep and the strongest split itself is the
    evidence: `statistic` is the difference of the means `before` and `after` it, `threshold` the paper's epsilon_cut.
    With a run length epsilon_cut is calibrated to it (see `detectors.calibration.errors`), for errors of any scale.
    """

    def __init__(self, config: AdwinConfig) -> None:
        self._calibrated = None if config.run_length is None else adwin_confidence(config.run_length)
        super().__init__(config)

    def _forget(self) -> None:
        self._origin = 0.0  # the first error; sums of distances from it keep their precision on a large offset
        self._total = 0.0
        self._squares = 0.0
        self._cubes = 0.0
        self._borders = Points(self.config.max_buckets)  # between parts of min_window errors or more

    def _update(self, error: float) -> State:
        if self._n == 0:
            self._origin = error
        distance = error - self._origin
        self._total += distance
        square = distance * distance
        self._squares += square
        self._cubes += square * distance
        self._n += 1
        return self._settle()

    def observe(self, errors: Sequence[float]) -> list[Signal]:
        """As the base class says, in runs of errors at whose ends alone there is something to settle."""
        errors = self._checked(errors)
        clock, shortest = self.config.clock, self.config.min_window
        signals: list[Signal] = []
        done, rest = 0, iter(errors)
        while done < len(errors):
            n, origin, total, squares, cubes = self._n, self._origin, self._total, self._squares, self._cubes
            if n == 0:
                origin = self._origin = errors[done]
            run = min(len(errors) - done, shortest - n % shortest, clock - n % clock)
            for error in islice(rest, run):
                distance = error - origin
                total += distance
                square = distance * distance
                squares += square
                cubes += square * distance
            self._n, self._total, self._squares, self._cubes = n + run, total, squares, cubes
            self._state = self._settle()
            done += run
            if self._state is State.DRIFT:
                signals.append(Signal(done - 1, self.reading))
        return signals

    def _settle(self) -> State:
        """Do what is due after the newest error, and return the state after it."""
        n, config = self._n, self.config
        if n % config.min_window == 0:
            self._borders.add((n, self._total))
        if n <= config.warmup:
            return State.WARMUP
        return self._compare() if n % config.clock == 0 else State.STABLE

    def _compare(self) -> State:
        """Compare the means before and after every border."""
        n, total, shortest = self._n, self._total, self.config.min_window
        variance = max(0.0, self._squares / n - (total / n) ** 2)
        confidence, furthest = self._confidence(variance)
        spread, reach = 2.0 * variance * confidence, 2.0 / 3.0 * confidence * furthest
        least = math.sqrt(spread * 4.0 / n) + reach * 4.0 / n  # epsilon_cut of two halves, the smallest of all
        strongest, best, epsilon = 1.0, (0, 0.0), 0.0
        for before_n, before_total in self._borders:
            after_n = n - before_n
            if after_n < shortest:
                break
            change = (total - before_total) / after_n - before_total / before_n
            if -least <= change <= least:
                continue
            m = 1.0 / before_n + 1.0 / after_n
            cut = math.sqrt(spread * m) + reach * m
            if abs(change) > strongest * cut:
                strongest, best, epsilon = abs(change) / cut, (before_n, before_total), cut
        if epsilon == 0.0:
            return State.STABLE
        before, after = best[1] / best[0], (total - best[1]) / (n - best[0])
        worse = after > before
        reading = Reading(
            State.DRIFT if worse else State.STABLE,
            statistic=abs(after - before),
            threshold=epsilon,
            before=self._origin + before,
            after=self._origin + after,
            direction="worse" if worse else "better",
            reference_n=best[0],
            current_n=n - best[0],
        )
        return self._conclude(with_change(reading, (best,), (n, total)))

    def _confidence(self, variance: float) -> tuple[float, float]:
        """The logarithm of the chance of no false alarm at a split, and how far errors reach.

        In the paper the first comes from delta and the second is 1. With a run length they are calibrated to it, and to
        the spread and skewness of the errors.
        """
        if self._calibrated is None:
            return math.log(2.0 * math.log(self._n) / self.config.delta), 1.0
        mean = self._total / self._n
        third = self._cubes / self._n - mean * (3.0 * variance + mean * mean)
        return self._calibrated, adwin_reach(variance, third)

    def _describe(self, state: State) -> Reading:
        return Reading(state, after=self._origin + self._total / self._n if self._n else None, current_n=self._n)
