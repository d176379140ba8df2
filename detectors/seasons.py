"""Seasons: values compared with what is usual at their hour, so that day and night, or the weekend, are no drift.

Source: the additive seasonal means of classical decomposition (Macaulay, "The Smoothing of Time Series", 1931), with
levels taken from the first periods and kept.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from detectors.local_time import DAY, WEEK, Timezone, hour_of_day, hour_of_week

PRIOR = 3
"""Values by which the level of an hour is drawn to the overall level: an hour that was hardly seen says little."""

_ROUNDING = 1e-9


class SeasonConfig(BaseModel):
    """How what is usual goes round. Values are passed on as if they had come at an average hour."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    period: Literal["day", "week"] = Field(description="what repeats itself: each hour of the day, or of the week")
    timezone: Timezone = "UTC"
    cycles: int = Field(
        4, ge=1, le=60, description="first periods, from which the usual levels are learnt before anything is judged"
    )


class Rounds(ABC):
    """Which values are for learning what is usual, and at which hour each came.

    What is usual is learnt in the first `cycles` periods, counted from the first value by the largest time so far, and
    kept until `reset`. Time may jump or go back: a value counts for the hour of its own time.
    """

    def __init__(self, config: SeasonConfig) -> None:
        self._config = config
        self.hours = 24 if config.period == "day" else 168

    def reset(self) -> None:
        """Forget what is usual, as if newly made."""
        self._begin: float | None = None
        self._latest = -math.inf
        self._learnt = False

    def learns(self, times: Sequence[float]) -> int:
        """How many of the next values, which have these times, are for learning: the others are to be adjusted."""
        if self._learnt:
            return 0
        enough = self._config.cycles * (DAY if self._config.period == "day" else WEEK)
        for index, time in enumerate(times):
            begin = self._begin = time if self._begin is None else self._begin
            self._latest = max(self._latest, time)
            if self._latest - begin >= enough:
                return index
        return len(times)

    def hour(self, time: float) -> int:
        """The hour of a time."""
        of = hour_of_day if self._config.period == "day" else hour_of_week
        return of(time, self._config.timezone)

    def settled_hour(self, time: float) -> int:
        """The hour of a time whose values are no longer learnt from."""
        if not self._learnt:
            self._learnt = True
            self._settle()
        return self.hour(time)

    @abstractmethod
    def _settle(self) -> None:
        """Values are not learnt from any more: make of them what is usual."""


class Season(Rounds):
    """The usual level at each hour of some streams of values, and values adjusted to it.

    Levels are the means of the values that are learnt from; an hour of which there are few is drawn to the overall
    level. Memory is one number per stream and hour (24, or 168).

    What it does to a guarantee: levels are fixed before the first value is passed on, and a reference and a window that
    span whole periods are adjusted alike. Values that were independent around a level that goes round stay so, at one
    level; an hour's level that is a little wrong adds to the spread, not to the false alarms. What is left unadjusted
    is the spread, if that goes round too.
    """

    def __init__(self, config: SeasonConfig, streams: int) -> None:
        super().__init__(config)
        self._streams = streams
        self.reset()

    def reset(self) -> None:
        """Forget the levels, as if newly made."""
        super().reset()
        self._levels = [[0.0] * self.hours for _ in range(self._streams)]
        self._counts = [[0] * self.hours for _ in range(self._streams)]
        self._overall = [0.0] * self._streams
        self._n = [0] * self._streams

    def learn(self, stream: int, value: float, time: float) -> None:
        """Take a value of a stream for its level. One that is not finite is left out."""
        if not math.isfinite(value):
            return
        levels, counts, part = self._levels[stream], self._counts[stream], self.hour(time)
        counts[part] += 1
        self._n[stream] += 1
        # Means are moved by parts of values, as the difference of two could leave the range of a float.
        levels[part] += value / counts[part] - levels[part] / counts[part]
        self._overall[stream] += value / self._n[stream] - self._overall[stream] / self._n[stream]

    def shifts(self, time: float) -> list[float]:
        """What is to be added to a value of each stream: what is usual overall, less what is usual at its hour."""
        hour = self.settled_hour(time)
        return [overall - levels[hour] for overall, levels in zip(self._overall, self._levels, strict=True)]

    def adjusted_error(self, error: float, time: float) -> float:
        """An error in [0, 1] brought to the overall level by a factor: on it, or on what it lacks to 1.

        It stays in [0, 1], and errors whose mean is the usual one of their hour have the overall mean afterwards.
        """
        usual, overall = self._levels[0][self.settled_hour(time)], self._overall[0]
        if overall < usual:
            return error * (overall / usual)
        return error if usual >= 1.0 else 1.0 - (1.0 - error) * ((1.0 - overall) / (1.0 - usual))

    def _settle(self) -> None:
        """Draw what was learnt of each hour to the overall level."""
        for levels, counts, overall in zip(self._levels, self._counts, self._overall, strict=True):
            for hour, n in enumerate(counts):
                apart = levels[hour] - overall
                # What rounding alone sets apart is one level: values that are all the same stay so.
                known = abs(apart) > _ROUNDING * max(abs(overall), abs(levels[hour]))
                levels[hour] = overall + apart * (n / (n + PRIOR)) if known else overall
        self._counts = []
