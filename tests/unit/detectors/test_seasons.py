"""Day and night is no drift: values are compared with what is usual at their hour."""

from __future__ import annotations

import math
import pickle
import random
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from detectors.base import Row, Signal, State
from detectors.local_time import DAY, HOUR, WEEK
from detectors.registry import ConceptConfig, DataConfig
from detectors.seasons import Season, SeasonConfig
from detectors.segments import SegmentedErrors, SegmentedFeatures
from detectors.watch import ErrorWatch, FeatureWatch, watch_errors, watch_features

DAILY = {"period": "day", "cycles": 4}
PER_DAY = 240


def errors_watched(**options: Any) -> ErrorWatch | SegmentedErrors:
    adapter: TypeAdapter[Any] = TypeAdapter(ConceptConfig)
    return watch_errors(adapter.validate_python({"kind": "e_detector", "run_length": 1e5, **options}))


def features_watched(**options: Any) -> FeatureWatch | SegmentedFeatures:
    adapter: TypeAdapter[Any] = TypeAdapter(DataConfig)
    sizes = {"kind": "ks", "reference": 300, "window": 100, "every": 20}
    watch = watch_features(adapter.validate_python({**sizes, **options}), ["a", "b"], [])
    assert watch is not None
    return watch


def days(n: int, *, start: float = 0.0) -> list[float]:
    return [start + DAY / PER_DAY * index for index in range(n * PER_DAY)]


def swinging(times: list[float], seed: int = 1, rise: float = 0.0) -> list[float]:
    """0/1 errors at a rate that goes from 0.1 at noon to 0.5 at midnight."""
    rng = random.Random(seed)
    return [float(rng.random() < rise + 0.3 + 0.2 * math.cos(2 * math.pi * time / DAY)) for time in times]


def drifts(signals: list[Signal]) -> list[int]:
    return [signal.index for signal in signals if signal.reading.state is State.DRIFT]


def test_errors_that_go_round_by_the_hour_alarm_a_detector_and_with_a_season_they_do_not() -> None:
    times = days(60)
    plain, seasonal = errors_watched(), errors_watched(season=DAILY)
    rows: list[Row] = [{}] * len(times)
    assert drifts(plain.observe(swinging(times), rows, times))
    assert drifts(seasonal.observe(swinging(times), rows, times)) == []


def test_a_rise_at_every_hour_is_found_in_spite_of_the_season() -> None:
    watch = errors_watched(season=DAILY)
    before, after = days(20), days(5, start=20 * DAY)
    watch.observe(swinging(before), [{}] * len(before), before)
    found = drifts(watch.observe(swinging(after, rise=0.2), [{}] * len(after), after))
    assert found
    assert found[0] < 2 * PER_DAY


def test_a_feature_that_goes_round_alarms_a_detector_and_with_a_season_it_does_not() -> None:
    rng, times = random.Random(2), days(30)
    rows: list[Row] = [{"a": 3 * math.sin(2 * math.pi * time / DAY) + rng.gauss(0, 1), "b": None} for time in times]
    assert drifts(features_watched().observe(rows, times))
    assert drifts(features_watched(season=DAILY).observe(rows, times)) == []


def test_a_feature_that_changes_is_read_in_its_own_unit() -> None:
    rng, times = random.Random(3), days(12)
    level = [20 + 5 * math.sin(2 * math.pi * time / DAY) + (3 if time >= 10 * DAY else 0) for time in times]
    rows: list[Row] = [{"a": value + rng.gauss(0, 1)} for value in level]
    alarm = next(s for s in features_watched(season=DAILY).observe(rows, times) if s.reading.state is State.DRIFT)
    assert times[alarm.index] >= 10 * DAY
    assert alarm.feature == "a"
    assert alarm.reading.before == pytest.approx(20, abs=0.5)
    assert alarm.reading.after is not None
    assert 20.5 < alarm.reading.after < 23.5


@pytest.mark.parametrize("longest", [1, 13, 1000])
def test_signals_are_the_same_however_the_stream_is_cut(longest: int) -> None:
    times = days(20)
    rng = random.Random(longest)
    rows: list[Row] = [{"a": rng.gauss(0 if time < 15 * DAY else 2, 1), "b": "x"} for time in times]
    whole, cut, start, found = features_watched(season=DAILY), features_watched(season=DAILY), 0, list[Signal]()
    while start < len(rows):
        end = start + rng.randint(1, longest)
        found += [s._replace(index=start + s.index) for s in cut.observe(rows[start:end], times[start:end])]
        start = end
    assert found == whole.observe(rows, times)
    assert found
    assert cut.readings() == whole.readings()


@pytest.mark.parametrize("cut", [0, 500, 4 * PER_DAY, 3000])
def test_a_watch_pickled_at_any_moment_goes_on_identically(cut: int) -> None:
    times = days(20)
    errors = swinging(times)
    watch = errors_watched(season={"period": "week", "timezone": "America/New_York", "cycles": 1})
    watch.observe(errors[:cut], [{}] * cut, times[:cut])
    twin = pickle.loads(pickle.dumps(watch, protocol=5))
    rows: list[Row] = [{}] * (len(times) - cut)
    assert twin.observe(errors[cut:], rows, times[cut:]) == watch.observe(errors[cut:], rows, times[cut:])
    assert twin.readings() == watch.readings()


def test_a_reset_watch_learns_the_season_again() -> None:
    used, new, times = errors_watched(season=DAILY), errors_watched(season=DAILY), days(8)
    rows: list[Row] = [{}] * len(times)
    used.observe(swinging(times), rows, times)
    used.reset()
    assert used.observe(swinging(times, 2), rows, times) == new.observe(swinging(times, 2), rows, times)
    assert used.readings() == new.readings()


def test_memory_does_not_grow_with_the_stream() -> None:
    watch, times = errors_watched(season=DAILY), days(150)
    watch.observe(swinging(times[:20_000]), [{}] * 20_000, times[:20_000])
    before = len(pickle.dumps(watch))
    watch.observe(swinging(times[20_000:]), [{}] * (len(times) - 20_000), times[20_000:])
    assert len(pickle.dumps(watch)) < before + 9 * 512  # errors that wait for the end of a block


def test_missing_and_wild_values_neither_fail_nor_spoil_a_level() -> None:
    times = days(12)
    bad = [None, math.nan, math.inf, "x", 10**400]
    rows: list[Any] = [{"a": bad[index % 5] if index % 3 == 0 else 1.0, "b": 1e308} for index in range(len(times))]
    watch = features_watched(season=DAILY)
    assert watch.observe(rows, times) == []
    assert watch.readings()["a"].before == pytest.approx(1.0)
    assert watch.readings()["a"].statistic == 0.0
    assert watch.readings()["a"].state is State.STABLE


def test_times_that_jump_and_go_back_are_taken_as_they_come() -> None:
    rng = random.Random(5)
    times = [rng.choice((-1e12, 0.0, 1.3e9, 1e18)) + rng.uniform(0, WEEK) for _ in range(3000)]
    watch = features_watched(season=DAILY)
    assert watch.observe([{"a": rng.gauss(0, 1), "b": 0} for _ in times], times) == []
    assert watch.readings()["a"].state is State.STABLE


def test_an_adjusted_error_stays_an_error_and_has_the_overall_mean() -> None:
    season = Season(SeasonConfig(period="day", cycles=1), streams=1)
    rng = random.Random(7)
    night, noon = 0.0, 12 * HOUR
    first = [night] * 4000 + [noon] * 4000 + [DAY]
    assert season.learns(first) == 8000
    for time in first[:8000]:
        season.learn(0, float(rng.random() < (0.6 if time == night else 0.2)), time)
    for time, rate in ((night, 0.6), (noon, 0.2)):
        adjusted = [season.adjusted_error(float(rng.random() < rate), time) for _ in range(4000)]
        assert 0.0 <= min(adjusted) <= max(adjusted) <= 1.0
        assert sum(adjusted) / 4000 == pytest.approx(0.4, abs=0.03)


def test_hours_whose_levels_differ_by_rounding_alone_leave_values_as_they_are() -> None:
    season = Season(SeasonConfig(period="day", cycles=1), streams=1)
    for day in range(30):
        for hour in range(24):  # each has the same values, in another order
            season.learn(0, (0.1, 0.2, 0.7)[(day + hour) % 3], HOUR * hour)
    assert {season.shifts(HOUR * hour)[0] for hour in range(24)} == {0.0}


def test_an_hour_that_was_hardly_seen_is_near_the_overall_level() -> None:
    season = Season(SeasonConfig(period="day", cycles=1), streams=1)
    for _ in range(1000):
        season.learn(0, 10.0, 0.0)
    season.learn(0, 14.0, HOUR)
    assert 10.0 + season.shifts(HOUR)[0] == pytest.approx(9.0, abs=0.01)


@pytest.mark.parametrize("kind", ["new_category", "schema"])
def test_what_was_never_there_has_no_season(kind: str) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(DataConfig)
    with pytest.raises(ValidationError, match=f"season: {kind} watches for what was never there"):
        adapter.validate_python({"kind": kind, "season": DAILY})


@pytest.mark.parametrize(
    ("season", "words"),
    [
        ({"period": "year"}, "'day' or 'week'"),
        ({"period": "day", "timezone": "Mars/Olympus"}, "time zone such as"),
        ({"period": "day", "cycles": 0}, "greater than or equal to 1"),
        ({"period": "day", "month": 1}, "month"),
    ],
)
def test_wrong_seasons_are_refused(season: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SeasonConfig.model_validate(season)


def test_a_profile_does_not_stand_for_a_season() -> None:
    rng, times = random.Random(2), days(30)
    rows: list[Row] = [{"a": 3 * math.sin(2 * math.pi * time / DAY) + rng.gauss(0, 1), "b": None} for time in times]
    watch, fresh = features_watched(season=DAILY), features_watched(season=DAILY)
    assert watch.preset(rows, times) == {}
    assert watch.observe(rows, times) == fresh.observe(rows, times)
    assert watch.readings() == fresh.readings()
