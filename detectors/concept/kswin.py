"""KSWIN: compares the distribution of the newest errors with a random sample of the ones before, by Kolmogorov-Smirnov.

Source: Raab, Heusinger and Schleif, "Reactive soft prototype computing for concept drift streams", Neurocomputing 416
(2020).
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections import deque
from itertools import accumulate, islice
from math import comb, fsum
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from detectors.base import ConceptDetector, Direction, Reading, State
from detectors.calibration.errors import kswin_alpha
from detectors.concept.calibrated import CalibratedConfig
from detectors.concept.evidence import with_change


def equal_samples_p_value(steps: int, size: int) -> float:
    """Exact probability, if nothing changed, of a KS distance of at least `steps / size` between two samples of `size`.

    Gnedenko and Korolyuk (1951). With ties it is an upper bound.
    """
    if steps <= 0:
        return 1.0
    paths = [comb(2 * size, size + reach) for reach in range(steps, size + 1, steps)]
    return min(1.0, 2 * (sum(paths[::2]) - sum(paths[1::2])) / comb(2 * size, size))


def critical_steps(alpha: float, size: int) -> int | None:
    """The smallest number of steps whose p-value is at most `alpha`; None if even the largest distance has more."""
    possible = range(1, size + 1)
    found = bisect_left(possible, True, key=lambda steps: equal_samples_p_value(steps, size) <= alpha)
    return possible[found] if found < size else None


class KswinConfig(CalibratedConfig):
    """Detects any change of the error distribution towards larger errors; fit for errors that are not just 0 and 1."""

    knobs: ClassVar[tuple[str, ...]] = ("alpha",)

    kind: Literal["kswin"] = "kswin"
    alpha: float = Field(0.0001, gt=0, lt=1, description="probability of a false alarm at one check")
    window: int = Field(300, ge=20, le=10_000, description="errors kept, the newest included")
    recent: int = Field(50, ge=10, le=1_000, description="newest errors, compared with a sample as large of the others")
    every: int = Field(
        10, ge=1, le=10_000, description="errors between two checks; 1 is the paper's, at ten times the cost"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the sampling; the same seed gives the same readings")

    @model_validator(mode="after")
    def _can_compare(self) -> Self:
        if self.window < 2 * self.recent:
            raise ValueError(
                f"window: got {self.window}; expected at least 2 x recent = {2 * self.recent}, as the older part must "
                "be as large as the recent one. Raise window or lower recent"
            )
        if self.steps is None:
            least = equal_samples_p_value(self.recent, self.recent)
            if self.run_length is None:
                raise ValueError(
                    f"alpha: got {self.alpha:g}; with recent={self.recent} no p-value is below {least:.2g}: it could "
                    "never alarm. Raise alpha or recent"
                )
            raise ValueError(
                f"run_length: got {self.run_length:,.0f}; with recent={self.recent} and every={self.every} it could "
                "never alarm. Raise recent"
            )
        return self

    @property
    def steps(self) -> int | None:
        """The least KS distance that is an alarm, in steps of 1 / recent; None if there is none."""
        alpha = self.alpha if self.run_length is None else kswin_alpha(self.run_length, self.every)
        return critical_steps(alpha, self.recent)


class Kswin(ConceptDetector[KswinConfig]):
    """O(window) memory; a check sorts two samples of `recent` errors. Errors may have any scale.

    `statistic` is the KS distance at the last check, `before` and `after` the means of the sample and of the newest
    errors. A rejection is an alarm only if the mean rose; if it fell, the detector learns the lower level.
    A change is looked for in the window: `changed_n` is less than `window`.
    """

    def __init__(self, config: KswinConfig) -> None:
        steps = config.steps
        assert steps is not None, "refused by the configuration"
        self._steps = steps
        super().__init__(config)

    def reset(self) -> None:
        """Forget everything seen, as if newly made; the sampling starts from its seed again."""
        self._random = random.Random(self.config.seed)
        super().reset()

    def _forget(self) -> None:
        self._window: deque[float] = deque(maxlen=self.config.window)
        self._compared: tuple[int, float, float] | None = None

    def _update(self, error: float) -> State:
        config = self.config
        self._n += 1
        self._window.append(error)
        if self._n < config.window:
            return State.WARMUP
        if (self._n - config.window) % config.every:
            return State.STABLE
        older = config.window - config.recent
        sample = sorted([self._window[i] for i in self._random.sample(range(older), config.recent)])
        newest = sorted(islice(self._window, older, None))
        steps = _distance_steps(sample, newest)
        before, after = fsum(sample) / config.recent, fsum(newest) / config.recent
        self._compared = steps, before, after
        if steps >= self._steps and after != before:
            if after > before:
                return self._conclude(self._evidence(State.DRIFT, "worse"))
            return self._conclude(self._evidence(State.STABLE, "better"))
        return State.STABLE

    def _evidence(self, state: State, direction: Direction) -> Reading:
        *points, end = enumerate(accumulate(self._window), 1)
        return with_change(self._describe(state)._replace(direction=direction), points, end)

    def _describe(self, state: State) -> Reading:
        if self._compared is None:
            return Reading(state, current_n=self._n)
        size = self.config.recent
        steps, before, after = self._compared
        return Reading(
            state,
            statistic=steps / size,
            threshold=self._steps / size,
            p_value=equal_samples_p_value(steps, size),
            before=before,
            after=after,
            reference_n=size,
            current_n=size,
        )


def _distance_steps(one: list[float], other: list[float]) -> int:
    """The KS distance of two sorted samples of one size, in steps of 1 / size."""
    return max(abs(bisect_right(one, value) - bisect_right(other, value)) for value in set(one).union(other))
