"""E-detector: adds up the evidence for a change at any earlier moment, against every constant mean at once.

Source: Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", New England
Journal of Statistics in Data Science 2 (2023); for a mean that is not known: Wasserman, Ramdas and Balakrishnan,
"Universal inference", PNAS 117 (2020). The prior of Krichevsky and Trofimov, IEEE Trans. Information Theory 27 (1981).
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field

from detectors.base import ConceptDetector, Reading, State
from detectors.calibration.errors import fitted
from detectors.settings import DetectorConfig

Floats: TypeAlias = npt.NDArray[np.float64]

_STEP = 4
"""Errors between two checks. Changes are looked for at checks alone, which costs two or three errors of delay."""

_RATES = 64
"""Rates after a change that are bet on, evenly spread on the scale where all rates are equally hard to tell apart."""

_WARNING = 10.0
"""By how much less often than a warning an alarm may be false."""

_NEAR = 0.06
"""Rates that differ by less, on that scale, are bet on alike; beyond, the less the further, as these show anyhow."""

_FALL = 0.3
"""What is bet on a fall, of what is bet on a rise of the same size."""

_LEAST_SCATTER = 0.01
"""Errors that scatter less, in a hundredth of the variance that 0/1 errors have, are taken to scatter as much."""

_ANGLES = (np.arange(_RATES) + 0.5) * (math.pi / 2.0 / _RATES)
_LOG_ODDS = 2.0 * np.log(np.tan(_ANGLES))
_LOG_NONE = _STEP * 2.0 * np.log(np.cos(_ANGLES))  # the log-likelihood of a step without ones
_ALL = np.ones(_RATES)


def _stakes(usual: float) -> Floats:
    """What is bet at each check on each rate if the usual rate is so much; the number of errors since the last."""
    apart = _ANGLES - math.asin(math.sqrt(usual))
    stakes = np.where(apart > 0.0, 1.0, _FALL) / np.maximum(np.abs(apart), _NEAR)
    staked: Floats = stakes * (_STEP / stakes.sum())
    return staked


def _step(ones: float, weight: float = 1.0) -> tuple[Floats, Floats]:
    """Of a step whose errors add up to `ones`: its length and this sum, and its likelihood at each rate.

    Each error counts for as many as `weight` says.
    """
    return np.array(((_STEP,), (ones,))), np.exp(weight * (ones * _LOG_ODDS + _LOG_NONE))


_WHOLE = {float(ones): _step(ones) for ones in range(_STEP + 1)}
"""The steps of 0/1 errors."""


class EDetectorConfig(DetectorConfig):
    """Detects a lasting rise of the mean error, of any size, with a proven bound on false alarms."""

    kind: Literal["e_detector"] = "e_detector"
    run_length: float = Field(
        100_000.0, ge=10, le=1e12, description="errors that pass on average, at least, before a false alarm"
    )
    warmup: int = Field(100, ge=30, le=100_000, description="errors from which the usual level and range are learnt")
    bound: Literal["proven", "calibrated"] = Field(
        "proven",
        description="whether the run length is a proven lower bound, or what independent errors have; the latter finds "
        "changes sooner",
    )


class EDetector(ConceptDetector[EDetectorConfig]):
    """O(1) time and memory per error. Nothing need be known of the mean, and nothing be tuned.

    Guarantee: as long as the mean given the past does not change, an alarm comes within t errors after the warm-up with
    a probability of at most t / (2 run_length). So its mean run length is at least `run_length`, and early alarms are
    as rare as late ones. Independent errors of one distribution fulfil this, on whatever scale, known or not. So do
    errors of changing distributions that depend on each other, as long as the mean of each, given those before it, is
    one and the same (of 0/1 errors: as they are; of others: clipped as below). Errors that come in clusters do not.
    A warning is false at most ten times as often. Runs are 15 times as long as asked for, and more.

    With the bound `calibrated`, runs of independent errors of one distribution are as long as asked for (0.8 to 1.5
    times, by `scripts/calibrate_errors.py check`), and changes are found sooner. There the E_j are not divided by the
    likelihood of the best rate but by that of the rates before j, averaged over what the errors so far suggest, and an
    error that is not 0 or 1 counts for as many as its spread is smaller than theirs. Early alarms are rarer than late
    ones. Nothing is proven of errors that depend on each other.

    Why: errors are scaled to y in [0, 1], where likelihood(q) = product of q**y (1 - q)**(1 - y). For each moment j
    since the warm-up, E_j is the likelihood before j, averaged over the rates that the warm-up suggests, times that
    since j, averaged over all rates (rises and small changes most), divided by the likelihood of the one rate that is
    best for all. This is at least that of the true mean m, against which (q/m)**y ((1-q)/(1-m))**(1-y), convex in y, is
    expected to be at most 1. So the sum of the E_j up to t (Shiryaev-Roberts) is at most a submartingale with mean t,
    which reaches 2 run_length by then with a probability of at most t / (2 run_length). Both directions are found; to
    start anew after a fall only adds to the run length.

    The range of y is the 10% and 90% quantiles of the warm-up, so that few large errors do not hide the others: 0 and 1
    for 0/1 errors (its extremes where those are equal, and 0 and 1 where all are). Errors outside are clipped to it.
    `statistic` is the sum of the E_j; `before` and `after` are means of clipped errors, `current_n` the number since
    the change, all by the weight of each moment in that sum.
    """

    def __init__(self, config: EDetectorConfig) -> None:
        self._proven = config.bound == "proven"
        self._threshold = 2.0 * config.run_length if self._proven else config.run_length / fitted("e_detector")
        super().__init__(config)

    @property
    def threshold(self) -> float:
        return self._threshold

    def _forget(self) -> None:
        self._waiting: list[float] = []  # for the end of the warm-up, or for the next check
        self._low, self._span = 0.0, 1.0
        self._prior = (0.5, 0.5)  # of a Beta distribution: ones and zeros
        self._squares = 0.0  # of all that was taken
        self._seen = (0.5, 0.5)  # the same after all that was taken
        self._log_prior = 0.0  # the logarithm of the first one's Beta function
        # Per rate: the weight of a change to it, relative to the likelihood of none; the same times the errors since,
        # and times their sum.
        self._bets = np.zeros((3, _RATES))
        self._stakes = _stakes(self._usual)
        self._statistic = 0.0
        self._level = State.WARMUP

    def _update(self, error: float) -> State:
        self._n += 1
        self._waiting.append(float(error))
        if self._level is State.WARMUP:
            if self._n > self.config.warmup:
                self._learn(self._waiting[:-1])
                del self._waiting[:-1]
                self._level = State.STABLE
        elif len(self._waiting) == _STEP:
            ones, squares = self._scaled(self._waiting)
            self._waiting = []
            return self._check(ones, squares)
        return self._level

    def _learn(self, errors: list[float]) -> None:
        """Learn the usual range, and in it the usual level."""
        n, ordered = len(errors), sorted(errors)
        self._low, high = ordered[n // 10], ordered[-1 - n // 10]
        if self._low == high:
            self._low, high = ordered[0], ordered[-1]
        if self._low == high:
            self._low, high = (0.0, 1.0) if 0.0 <= high <= 1.0 else (high - abs(high), high + abs(high))
        self._span = high - self._low
        ones, self._squares = self._scaled(errors)
        self._prior = self._seen = (0.5 + ones, 0.5 + n - ones)
        self._log_prior = _log_beta(self._prior)
        self._stakes = _stakes(self._usual)

    @property
    def _usual(self) -> float:
        """The rate that the warm-up suggests."""
        return self._prior[0] / sum(self._prior)

    def _scaled(self, errors: list[float]) -> tuple[float, float]:
        """The sum of errors on the scale from 0 to 1, and that of their squares."""
        low, span = self._low, self._span
        if not (low == 0.0 and span == 1.0 and min(errors) >= 0.0 and max(errors) <= 1.0):
            errors = [min(max((error - low) / span, 0.0), 1.0) for error in errors]
        return sum(errors), sum([y * y for y in errors])

    def _check(self, ones: float, squares: float) -> State:
        """Take errors whose scaled sum is `ones`, one step of them, and the sum of their squares."""
        a, b = seen = self._seen
        taken = self._seen = (a + ones, b + (_STEP - ones))
        weight = 1.0 if self._proven else self._weight(seen)
        self._squares += squares
        sums, likelihoods = (weight == 1.0 and _WHOLE.get(ones)) or _step(ones, weight)
        log_taken = _log_beta(taken, weight)
        bets = self._bets
        weights = bets[0]
        weights += self._stakes
        bets[1:] += sums * weights
        bets *= likelihoods * math.exp(_log_beta(seen, weight) - log_taken)
        regret = self._best() - (log_taken - self._log_prior) if self._proven else 0.0
        self._statistic = float(weights.dot(_ALL)) * math.exp(-regret)
        if self._statistic * _WARNING < self._threshold:
            self._level = State.STABLE
            return State.STABLE
        reading = self._compare()
        worse = reading.direction == "worse"
        if self._statistic >= self._threshold:
            return self._conclude(reading._replace(state=State.DRIFT if worse else State.STABLE))
        self._level = State.WARNING if worse else State.STABLE
        return self._level

    def _weight(self, seen: tuple[float, float]) -> float:
        """As how many 0/1 errors one counts: by how much less it scatters, on the safe side where few were seen."""
        ones, n = seen[0] - 0.5, seen[0] + seen[1] - 1.0
        if self._squares == ones or ones <= 0.0 or ones >= n:
            return 1.0
        mean = ones / n
        scatter = (self._squares / n - mean * mean) / (mean * (1.0 - mean))
        return 1.0 / min(1.0, max(_LEAST_SCATTER, scatter * (1.0 + math.log(self._threshold) / (2.0 * n))))

    def _best(self) -> float:
        """The log-likelihood of the one rate that fits best to all errors since the warm-up."""
        ones, zeros = self._seen[0] - self._prior[0], self._seen[1] - self._prior[1]
        if ones <= 0.0 or zeros <= 0.0:
            return 0.0
        n = ones + zeros
        return ones * math.log(ones / n) + zeros * math.log(zeros / n)

    def _compare(self) -> Reading:
        """The present, before and after the change as it would have been."""
        ones, n = self._seen[0] - 0.5, self._seen[0] + self._seen[1] - 1.0
        weight, length, new_ones = self._bets.sum(axis=1).tolist()
        current = length / weight if weight else 0.0
        before = (ones - new_ones / weight) / (n - current) if weight else ones / n
        after = new_ones / length if weight else None
        return Reading(
            self._level,
            statistic=self._statistic,
            threshold=self._threshold,
            before=self._low + self._span * before,
            after=None if after is None else self._low + self._span * after,
            direction=None if after is None else "worse" if after > before else "better",
            reference_n=round(n) - round(current),
            current_n=round(current),
            effect=None if after is None else self._span * abs(after - before),
            changed_n=None if after is None else round(current),
        )

    def _describe(self, state: State) -> Reading:
        if state is State.WARMUP or self._n == self.config.warmup + len(self._waiting):
            return Reading(state, current_n=self._n)
        reading = self._compare()
        return reading if state is State.WARNING else reading._replace(direction=None, effect=None, changed_n=None)

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_bets": self._bets.tolist()}
        del state["_stakes"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._bets = np.array(state["_bets"])
        self._stakes = _stakes(self._usual)


def _log_beta(counts: tuple[float, float], weight: float = 1.0) -> float:
    """The logarithm of the Beta function of counts, each of which counts for as many as `weight` says."""
    a, b = weight * counts[0], weight * counts[1]
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
