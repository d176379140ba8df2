"""Hours, days and weeks by the clocks of a place."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from detectors.local_time import HOUR, Period, Periods, hour_of_day, hour_of_week

NEW_YORK = "America/New_York"


def at(month: int, day: int, hour: int) -> float:
    return datetime(2013, month, day, hour, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(("time", "hour"), [(at(1, 15, 14), 9), (at(7, 15, 13), 9)], ids=["winter", "summer"])
def test_an_hour_is_that_on_the_clock_in_summer_too(time: float, hour: int) -> None:
    assert hour_of_day(time, NEW_YORK) == hour


def test_hours_of_the_week_begin_on_monday() -> None:
    assert hour_of_week(at(1, 7, 5), NEW_YORK) == 0
    assert hour_of_week(at(1, 7, 4), NEW_YORK) == 167


@pytest.mark.parametrize(("period", "begun"), [("hour", 168 * 2), ("day", 14), ("week", 2)])
def test_every_period_begins_once(period: Period, begun: int) -> None:
    times = [at(1, 7, 5) - 1 + 60.0 * minute for minute in range(14 * 24 * 60)]
    assert len(Periods(period, NEW_YORK).begins(times)) == begun


def test_a_day_is_an_hour_longer_when_summer_ends() -> None:
    times = [at(11, 1, 4) + HOUR * hour for hour in range(24 * 5)]
    begins = Periods("day", NEW_YORK).begins(times)
    assert [later - earlier for earlier, later in pairwise(begins)] == [24, 25, 24]


def test_times_that_jump_or_go_back_begin_nothing_twice() -> None:
    day = 24 * HOUR
    times = [0.0, day, 0.5 * day, day, 40 * day, 2 * day, 39 * day, 41 * day]
    assert Periods("day", "UTC").begins(times) == [1, 4, 7]


def test_where_periods_begin_does_not_depend_on_how_times_are_cut() -> None:
    times = [HOUR / 3 * math.sqrt(n) * n for n in range(200)]
    whole, cut = Periods("day", "UTC"), Periods("day", "UTC")
    found = [start + begin for start in range(0, 200, 7) for begin in cut.begins(times[start : start + 7])]
    assert found == whole.begins(times)


def test_instants_beyond_the_calendar_have_an_hour_too() -> None:
    assert hour_of_day(1e18, NEW_YORK) == 1e18 % (24 * HOUR) // HOUR
