"""The share of values that are rejected: says when it has become larger than it may be.

Source: Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", New England
Journal of Statistics in Data Science 2 (2023): a Shiryaev-Roberts sum of e-values against a composite null hypothesis.
"""

from __future__ import annotations

import math
from typing import Final, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from detectors.base import Reading, State
from detectors.settings import DetectorConfig

_RATES: Final = 12
"""Shares that are bet on, from twice the odds of the usual one up to all but one in a hundred."""

_ROOM: Final = 1.5
"""Odds of a share that may come by chance where this one was found, over its own."""

_HIGHEST: Final = 0.99
"""Where so many are rejected usually, nothing more is to be told."""

_ENOUGH: Final = 100
"""Values, of those that are rejected and of those that are not, whose share is known well."""

_FEW: Final = 25.0
"""Rejected values that are to be expected at the usual share while a share is found, at most."""

_DOUBLE: Final = 2.0
"""The least odds against which those of the usual share are held, over these."""


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
    """O(1) memory; takes time for each value that is rejected, none to speak of for others.

    Guarantee: as long as a value is rejected with a probability, given the past, of at most `usual`, `run_length`
    values pass on average, at least, before an alarm. There is nothing to learn, so that it can tell from the first
    value on. After an alarm it finds out what share there is now: from the values until there are 100 rejected and 100
    others, or until as many have come as have 25 rejected among them usually. From then on that is what is usual, with
    room for chance, until the evidence for `usual` against it reaches `run_length`.

    Why: for each share q above the usual p, what is q/p of a rejected value and (1-q)/(1-p) of another is expected to
    be at most 1. So the sum over all earlier moments of the products since then, averaged over some q, grows by at most
    1 with each value on average; it cannot reach `run_length` sooner. `statistic` is that sum, `threshold` the run
    length, `before` the usual share; `current_n` and `after` are of the values since the change and the share among
    them, by the largest likelihood of the share that is bet on with most success.
    """

    def __init__(self, config: RejectedConfig) -> None:
        self.config = config
        self.reset()

    def reset(self) -> None:
        """Forget everything seen, as if newly made."""
        self._arm(self.config.usual, None)

    def _arm(self, usual: float, fall: _Fall | None) -> None:
        """Watch for more than a share that is usual, until it falls."""
        self._after: _Search | _Fall | None = fall
        self._alarm: Reading | None = None
        self._usual = usual
        odds = usual / (1.0 - usual)
        rates = np.geomspace(2.0 * odds, max(99.0, 4.0 * odds), _RATES)
        rates /= 1.0 + rates
        self._gain = rates / usual
        self._decay = (1.0 - rates) / (1.0 - usual)
        self._since = 0  # values since the newest that was rejected
        self._n = 0  # values up to and with that one
        self._sums = np.zeros(_RATES)
        # Of each rate: the largest log-likelihood ratio since any moment, that moment, and how often since.
        self._best = np.zeros(_RATES)
        self._begun = np.zeros(_RATES, dtype=np.int64)
        self._often = np.zeros(_RATES, dtype=np.int64)

    def settle(self) -> None:
        """Find out anew what share there is now; from then on it is what is usual."""
        self._after = _Search(self.config.usual)

    def accepted(self, n: int) -> None:
        """Take `n` values that were not rejected."""
        while self._after is not None and n >= self._after.room:
            room = self._after.room
            n -= room
            self._since += room
            self._after.accepted(room)
            self._turn(self._after)
        if self._after is not None:
            self._after.accepted(n)
        self._since += n

    def rejected(self) -> Reading | None:
        """Take a value that was rejected. The reading if that raises an alarm."""
        if self._after is not None:
            self._after.rejected()
            if self._after.room <= 0:
                self._turn(self._after)
        if self._alarm is not None or self._usual >= _HIGHEST:
            return None
        self._add()
        if self._sums.mean() < self.config.run_length:
            return None
        self._alarm = self._read(State.DRIFT)
        self._after = _Search(self.config.usual)
        return self._alarm

    def _turn(self, after: _Search | _Fall) -> None:
        """Watch for more than what is known to be usual now."""
        usual = self.config.usual
        if isinstance(after, _Fall):
            self._arm(usual, None)
            return
        now = max(usual, min(_with_odds(after.share, _ROOM), _HIGHEST))
        self._arm(now, _Fall(self.config, after.share) if now > usual else None)

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
        """The reading after the last value; that of the alarm until it is known what share there is now."""
        if self._alarm is not None:
            return self._alarm
        return self._read(State.STABLE) if self._n else Reading(State.STABLE)

    def _read(self, state: State) -> Reading:
        rate = int(self._sums.argmax())
        n = self._n - int(self._begun[rate]) + 1
        share = int(self._often[rate]) / n
        drift = state is State.DRIFT
        return Reading(
            state,
            statistic=float(self._sums.mean()),
            threshold=self.config.run_length,
            before=self._usual,
            after=share,
            direction="up" if drift else None,
            current_n=n,
            effect=share - self._usual if drift else None,
            changed_n=n if drift else None,
        )


class _Search:
    """Finds a share. `room` values that are not rejected complete that, whatever comes between them."""

    def __init__(self, usual: float) -> None:
        self._most = math.ceil(_FEW / usual)
        self._rejected = 0
        self._others = 0

    @property
    def room(self) -> int:
        left = self._most - self._rejected - self._others
        return min(left, _ENOUGH - self._others) if self._rejected >= _ENOUGH else left

    def accepted(self, n: int) -> None:
        self._others += n

    def rejected(self) -> None:
        self._rejected += 1

    @property
    def share(self) -> float:
        return self._rejected / (self._rejected + self._others)


class _Fall:
    """The evidence for the usual share against another. `room` values in a row that are not rejected complete it."""

    def __init__(self, config: RejectedConfig, share: float) -> None:
        usual, high = config.usual, max(_with_odds(config.usual, _DOUBLE), min(share, _HIGHEST))
        self._gain, self._loss = math.log((1.0 - usual) / (1.0 - high)), math.log(usual / high)
        self._enough = math.log(config.run_length)
        self._evidence = 0.0  # up to the newest that was rejected
        self._since = 0  # values since then

    @property
    def room(self) -> int:
        return math.ceil((self._enough - self._evidence) / self._gain) - self._since

    def accepted(self, n: int) -> None:
        self._since += n

    def rejected(self) -> None:
        self._evidence = max(0.0, self._evidence + self._since * self._gain + self._loss)
        self._since = 0


def _with_odds(share: float, times: float) -> float:
    """The share of which the odds are so many times those of another."""
    return times * share / (1.0 + (times - 1.0) * share)
