"""Taking several checks at once, by a detector that can tell without going through each what they would find."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

import numpy as np

from detectors.base import Signal, State
from detectors.data.window_config import WindowedConfig
from detectors.data.windowed import (
    DRIFT,
    WARMUP,
    Batch,
    Ints,
    Slots,
    States,
    WindowedDetector,
    news_of,
)

W = TypeVar("W", bound=WindowedConfig)


class ForesightDetector(WindowedDetector[W]):
    """Goes through checks one by one only for features that have something to tell."""

    @abstractmethod
    def _ahead(self) -> int:
        """The checks that `_foresee` may be asked for at once: so many that their rows are no more than `window`."""

    @abstractmethod
    def _foresee(self, going: Slots, coming: Slots, counted: Ints) -> States:
        """The state of each feature at each of several checks, checks by features.

        Row e takes `going[:, e]` out of the windows and puts `coming[:, e]` in; they are the same where there is no
        value. `counted` are the values that will have entered, checks by features: what is said of a feature that is
        not full does not matter.
        """

    def _take_all(self, batch: Batch) -> list[Signal]:
        every, rows = self.config.every, batch.usable.shape[1]
        ahead = every * self._ahead()
        signals: list[Signal] = []
        for start in range(0, rows, ahead):
            end = min(start + ahead, rows)
            take = self._take_one if end - start == every else self._take_several
            signals += take(batch, start, end)
        return signals

    def _take_several(self, batch: Batch, start: int, end: int) -> list[Signal]:
        """Take rows up to the last of several checks. Features with something to tell are followed one by one."""
        self._alarms = [None] * len(self.features)
        every, window = self.config.every, self.config.window
        part = batch.part(start, end)
        entering = part.usable.cumsum(axis=1)
        cells = (self._next[:, np.newaxis] + entering - 1) % window
        going: Slots = np.take_along_axis(self._windows, cells, axis=1)
        counted = (self._entered[:, np.newaxis] + entering[:, every - 1 :: every]).T
        states = self._foresee(going, np.where(part.usable, part.slots, going), counted)
        states[counted < window] = WARMUP
        news = news_of(states, np.concatenate([self._states[np.newaxis], states[:-1]]))
        self._states[:] = states[-1]
        signals: list[Signal] = []
        if news.any():
            for feature in np.flatnonzero(news.any(axis=0)).tolist():
                checks = np.flatnonzero(news[:, feature])
                ends = start + (checks + 1) * every
                signals += self._follow(batch, start, end, feature, ends.tolist(), states[checks, feature])
            signals.sort(key=lambda signal: signal.index)
        self._enter(part)
        return signals

    def _follow(
        self, batch: Batch, start: int, end: int, feature: int, ends: list[int], states: States
    ) -> list[Signal]:
        """Take rows for one feature, which has something to tell where some of them end, and no longer for others."""
        own = np.zeros_like(batch.usable)
        own[feature] = batch.usable[feature]
        alone = batch._replace(usable=own)
        signals: list[Signal] = []
        for upto, state in zip(ends, states.tolist(), strict=True):
            self._enter(alone.part(start, upto))
            signals.append(self._signal(batch, upto, feature, State(state)))
            start = upto
            if state == DRIFT:
                if upto < end:  # there was another check
                    self._alarms[feature] = None
                return signals
        if start < end:
            self._enter(alone.part(start, end))
        batch.usable[feature, :end] = False
        return signals
