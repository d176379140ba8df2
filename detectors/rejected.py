"""The share of values that are rejected: says when it has become larger than it may be.

Source: Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", New England
Journal of Statistics in Data Science 2 (2023): a Shiryaev-Roberts sum of e-values against a composite null hypothesis.
"""

from __future__ import annotations

import math
from typing import Final, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from detectors.base import DetectorConfig, Reading, State

_RATES: Final = 12
"""Shares that are bet on, from twice the odds of the usual one up to all but one in a hundred."""

_FALLEN: Final = math.log(1000.0)
"""Evidence for a share clearly below the usual one that ends an alarm."""

_CLEARLY: Final = 0.25
"""That share, of the usual one."""


class RejectedConfig(DetectorConfig):
    """Detects that more values are rejected than is usual, with a proven bound on false alarms."""

    kind: Literal["rejected"] = "rejected"
    usual: float = Field(0.01, ge=1e-6, le=0.5, description="share that may be rejected without an alarm")
    run_length: float = Field(
        1e6, ge=10, le=1e12, description="values that pass on average, at least, before a false alarm"
    )

    @model_validator(mode="after")
    def _has_no_features(self) -> Self:
        if self.segments is not None:
            raise ValueError("segments: what was rejected has no features to tell segments by. Remove it")
        return self


class RejectedShare:
    """O(1) memory; takes time for each value that is rejected, none for others.

    Guarantee: as long as a value is rejected with a probability, given the past, of at most `usual`, `run_length`
    values pass on average, at least, before an alarm. There is nothing to learn, so that it can tell from the first
    value on. It speaks once: after an alarm it is silent until the share has clearly fallen below the usual one.

    Why: for each share q above the usual p, what is q/p of a rejected value and (1-q)/(1-p) of another is expected to
    be at most 1. So the sum over all earlier moments of the products since then, averaged over some q, grows by at most
    1 with each value on average; it cannot reach `run_length` sooner. `statistic` is that sum, `threshold` the run
    length, `before` the usual share; `current_n` and `after` are of the values since the change and the share among
    them, by the largest likelihood of the share that is bet on with most success.
    """

    def __init__(self, config: RejectedConfig) -> None:
        self.config = config
        odds = config.usual / (1.0 - config.usual)
        rates = np.geomspace(2.0 * odds, max(99.0, 4.0 * odds), _RATES)
        rates /= 1.0 + rates
        self._gain = rates / config.usual
        self._decay = (1.0 - rates) / (1.0 - config.usual)
        low = _CLEARLY * config.usual
        self._log_fall = math.log((1.0 - low) / (1.0 - config.usual))
        self.reset()

    def reset(self) -> None:
        """Forget everything seen, as if newly made."""
        self._alarm: Reading | None = None
        self._fallen = 0.0  # since an alarm, evidence for a share clearly below the usual one
        self._arm()

    def _arm(self) -> None:
        self._since = 0  # values since the newest that was rejected
        self._n = 0  # values up to and with that one
        self._sums = np.zeros(_RATES)
        # Of each rate: the largest log-likelihood ratio since any moment, that moment, and how often since.
        self._best = np.zeros(_RATES)
        self._begun = np.zeros(_RATES, dtype=np.int64)
        self._often = np.zeros(_RATES, dtype=np.int64)

    def accepted(self, n: int) -> None:
        """Take `n` values that were not rejected."""
        self._since += n

    def rejected(self) -> Reading | None:
        """Take a value that was rejected. The reading if that raises an alarm."""
        if self._alarm is not None:
            needed = self._needed
            if self._since < needed:
                self._fallen = max(0.0, self._fallen + self._since * self._log_fall + math.log(_CLEARLY))
                self._since = 0
                return None
            rest = self._since - needed
            self.reset()
            self._since = rest
        self._add()
        self._alarm = self._read(State.DRIFT) if self._sums.mean() >= self.config.run_length else None
        return self._alarm

    @property
    def _needed(self) -> int:
        """Accepted values in a row that end the alarm."""
        return math.ceil((_FALLEN - self._fallen) / self._log_fall)

    def _add(self) -> None:
        waited, decay = self._since, self._decay
        self._n += waited + 1
        self._since = 0
        past = decay**waited
        self._sums = (self._sums * past + decay * (1.0 - past) / (1.0 - decay) + 1.0) * self._gain
        self._best += waited * np.log(decay)
        anew = self._best <= 0.0
        self._best[anew] = 0.0
        self._begun[anew] = self._n
        self._often[anew] = 0
        self._best += np.log(self._gain)
        self._often += 1

    @property
    def reading(self) -> Reading:
        """The reading after the last value; that of the alarm as long as it lasts."""
        if self._alarm is not None and self._since < self._needed:
            return self._alarm
        return Reading(State.STABLE) if self._alarm is not None or self._n == 0 else self._read(State.STABLE)

    def _read(self, state: State) -> Reading:
        rate = int(self._sums.argmax())
        n = self._n - int(self._begun[rate]) + 1
        share = int(self._often[rate]) / n
        drift = state is State.DRIFT
        return Reading(
            state,
            statistic=float(self._sums.mean()),
            threshold=self.config.run_length,
            before=self.config.usual,
            after=share,
            direction="up" if drift else None,
            current_n=n,
            effect=share - self.config.usual if drift else None,
            changed_n=n if drift else None,
        )
