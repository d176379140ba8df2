"""What the clocks on the wall show at an instant: days, weeks and hours as people live them, summer time included."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

HOUR = 3600.0
DAY = 24 * HOUR
WEEK = 7 * DAY

_QUARTER = 900.0
"""Seconds. Clocks are changed, and differ between places, by whole quarters of an hour."""

_MONDAY = 3 * DAY
"""The epoch was a Thursday: so much of its week had passed."""


def _known(name: str) -> str:
    """Raises ValueError for a zone that this machine's database does not have."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('expected a time zone such as "UTC" or "America/New_York"') from None
    return name


Timezone = Annotated[
    str, AfterValidator(_known), Field(description="zone whose clocks say when a day begins, such as America/New_York")
]


Period: TypeAlias = Literal["hour", "day", "week"]
"""A stretch of time by the clock: weeks begin on Mondays."""

_SECONDS: dict[Period, float] = {"hour": HOUR, "day": DAY, "week": WEEK}


class Periods:
    """Where in a stream of times a new hour, day or week begins, by the largest time so far: times may jump or go back,
    but what has begun has begun.
    """

    def __init__(self, period: Period, timezone: str) -> None:
        self._seconds = _SECONDS[period]
        self._timezone = timezone
        self.reset()

    def reset(self) -> None:
        """Forget the times seen."""
        self._newest = -math.inf
        self._settled_until = -math.inf  # no period begins before

    def begins(self, times: Sequence[float]) -> list[int]:
        """The positions at which one begins, but for the first of all."""
        found = []
        for index, time in enumerate(times):
            if time < self._settled_until:
                continue
            self._settled_until = (time // _QUARTER + 1.0) * _QUARTER
            number = (local(time, self._timezone) + _MONDAY) // self._seconds
            if number > self._newest:
                if self._newest > -math.inf:
                    found.append(index)
                self._newest = number
        return found


def local(time: float, timezone: str) -> float:
    """An instant (seconds since the epoch) as the seconds that a clock in the zone would have counted."""
    return time + _offset(math.floor(time / _QUARTER), timezone)


def hour_of_day(time: float, timezone: str) -> int:
    """0 to 23."""
    return int(local(time, timezone) % DAY // HOUR)


def hour_of_week(time: float, timezone: str) -> int:
    """0 (from Monday midnight) to 167."""
    return int((local(time, timezone) + _MONDAY) % WEEK // HOUR)


@lru_cache(maxsize=4096)
def _offset(quarter: int, timezone: str) -> float:
    """Seconds by which clocks in the zone are ahead of UTC; 0 at instants beyond the calendar."""
    try:
        offset = datetime.fromtimestamp(quarter * _QUARTER, UTC).astimezone(ZoneInfo(timezone)).utcoffset()
    except (OverflowError, ValueError, OSError):
        return 0.0
    return 0.0 if offset is None else offset.total_seconds()
