"""Shares of categories, and of missing values, that go round are no drift."""

from __future__ import annotations

import math
import pickle
import random
from collections import Counter
from typing import Any

import pytest
from pydantic import TypeAdapter

from detectors.base import Row, State, Value
from detectors.local_time import DAY
from detectors.registry import DataConfig
from detectors.row_seasons import GapsOfRows, SharesOfRows
from detectors.seasons import SeasonConfig
from detectors.watch import FeatureWatch, watch_features

PER_DAY = 240
CYCLES = 10
DAILY = {"period": "day", "cycles": CYCLES}


def watched(kind: str, **options: Any) -> FeatureWatch:
    adapter: TypeAdapter[Any] = TypeAdapter(DataConfig)
    sizes = {"kind": kind, "reference": 960, "window": 80, "every": 20, "run_length": 1e6}
    watch = watch_features(adapter.validate_python({**sizes, **options}), [], ["x"])
    assert isinstance(watch, FeatureWatch)
    return watch


def days(first: int, end: int) -> list[float]:
    return [DAY / PER_DAY * index for index in range(first * PER_DAY, end * PER_DAY)]


def rows_of(kind: str, times: list[float], *, seed: int = 1, rise: float = 0.0) -> list[Row]:
    """Of one value, or of gaps, a share of 0.1 at noon and of 0.5 at midnight."""
    rng = random.Random(seed)
    what: Value = None if kind == "missing_rate" else "a"
    shares = [rise + 0.3 + 0.2 * math.cos(2 * math.pi * time / DAY) for time in times]
    return [{"x": what if rng.random() < share else rng.choice("bc")} for share in shares]


def alarms(watch: FeatureWatch, rows: list[Row], times: list[float]) -> list[int]:
    return [signal.index for signal in watch.observe(rows, times) if signal.reading.state is State.DRIFT]


@pytest.mark.parametrize("kind", ["chi_squared", "missing_rate"])
def test_shares_that_go_round_alarm_a_detector_and_with_a_season_they_do_not(kind: str) -> None:
    times = days(0, 80)
    rows = rows_of(kind, times)

    assert len(alarms(watched(kind), rows, times)) > 5
    assert alarms(watched(kind, season=DAILY), rows, times) == []


@pytest.mark.parametrize("kind", ["chi_squared", "missing_rate"])
def test_a_share_that_rises_at_every_hour_is_found_in_spite_of_the_season(kind: str) -> None:
    watch = watched(kind, season=DAILY)
    before, after = days(0, 30), days(30, 35)
    assert alarms(watch, rows_of(kind, before), before) == []

    found = alarms(watch, rows_of(kind, after, seed=2, rise=0.25), after)

    assert found
    assert found[0] < 2 * PER_DAY


def test_categories_have_the_overall_shares_at_every_hour_once_they_are_adjusted() -> None:
    season = SharesOfRows(SeasonConfig(period="day", cycles=60), ["x"])
    times = days(0, 120)
    rows = rows_of("chi_squared", times)
    first = season.learns(times)
    for row, time in zip(rows[:first], times[:first], strict=True):
        season.learn_row(row, time)
    usual = Counter(row["x"] for row in rows[:first])

    by_hour = [Counter[Value]() for _ in range(24)]
    changed = 0
    for row, time in zip(rows[first:], times[first:], strict=True):
        adjusted = season.adjusted_row(row, time)["x"]
        by_hour[season.hour(time)][adjusted] += 1
        changed += adjusted != row["x"]

    for counts in by_hour:
        for value, n in usual.items():
            assert counts[value] / counts.total() == pytest.approx(n / usual.total(), abs=0.09)
    assert changed / (len(times) - first) == pytest.approx(0.4 / math.pi, abs=0.02), "no more than must be"


def test_what_was_never_met_while_shares_were_learnt_and_what_is_missing_stay_as_they_are() -> None:
    season = SharesOfRows(SeasonConfig(period="day", cycles=1), ["x"])
    season.learn_row({"x": "a"}, 0.0)
    season.learn_row({"x": None}, 0.0)
    season.learn_row({"x": math.nan}, 0.0)
    season.learn_row({"x": "b"}, DAY / 2)

    assert [season.adjusted_row({"x": value}, 0.0)["x"] for value in ("new", None, math.inf)] == ["new", None, None]
    assert season.adjusted_row({}, 0.0) == {"x": None}


def test_of_a_value_a_season_of_gaps_tells_only_whether_it_is_there() -> None:
    season = GapsOfRows(SeasonConfig(period="day", cycles=1), ["x", "y"])
    for hour in range(24):
        season.learn_row({"x": 1.0, "y": None}, 3600.0 * hour)

    assert season.adjusted_row({"x": "secret", "y": math.nan}, 0.0) == {"x": "there", "y": None}


def test_categories_beyond_those_that_are_told_apart_take_no_memory() -> None:
    season = SharesOfRows(SeasonConfig(period="week", cycles=1), ["x"])
    sizes = []
    for n in range(30_000):
        season.learn_row({"x": f"user {n}"}, 0.0)
        if n in (2_000, 29_999):
            sizes.append(len(pickle.dumps(season)))

    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("kind", ["chi_squared", "missing_rate"])
@pytest.mark.parametrize("cut", [0, 1000, CYCLES * PER_DAY, 4001])
def test_a_watch_pickled_and_cut_at_any_moment_goes_on_identically(kind: str, cut: int) -> None:
    times = days(0, 30)
    rows = rows_of(kind, times[: 25 * PER_DAY]) + rows_of(kind, times[25 * PER_DAY :], rise=0.3)
    whole, watch = watched(kind, season=DAILY), watched(kind, season=DAILY)
    expected = whole.observe(rows, times)

    found = watch.observe(rows[:cut], times[:cut])
    twin = pickle.loads(pickle.dumps(watch, protocol=5))
    found += [s._replace(index=cut + s.index) for s in twin.observe(rows[cut:], times[cut:])]

    assert found == expected
    assert found
    assert twin.readings() == whole.readings()


def test_a_reset_watch_learns_the_shares_again() -> None:
    used, new, times = watched("chi_squared", season=DAILY), watched("chi_squared", season=DAILY), days(0, 20)
    used.observe(rows_of("chi_squared", times), times)
    used.reset()

    again = rows_of("chi_squared", times, seed=5)
    assert used.observe(again, times) == new.observe(again, times)
    assert used.readings() == new.readings()
