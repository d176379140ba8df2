"""The detectors on shares of events against SciPy's exact test, and what each of them counts."""

from __future__ import annotations

import math
import random
from typing import Any, Literal

import numpy as np
import pytest
from scipy import stats

from detectors.base import Row, State
from detectors.data.missing_rate import MissingRate, MissingRateConfig
from detectors.data.new_category import NewCategory, NewCategoryConfig
from detectors.data.rates import tail
from detectors.data.value_range import ValueRange, ValueRangeConfig

SIZES: dict[str, Any] = {"reference": 200, "window": 100, "every": 20}


def rows_of(values: list[Any]) -> list[Row]:
    return [{"x": value} for value in values]


def fisher(count: int, unusual: int, alternative: Literal["greater", "less"] = "greater") -> float:
    """SciPy's p-value of `count` of 100 against `unusual` of 200."""
    table = np.array([[count, 100 - count], [unusual, 200 - unusual]])
    return float(stats.fisher_exact(table, alternative=alternative).pvalue)


def missing(before: int, after: int, **options: Any) -> MissingRate:
    """A detector whose reference and first window miss so many of their values."""
    detector = MissingRate(MissingRateConfig(**SIZES, **options), ["x"])
    present = [1.0] * (200 - before) + [None] * before, [None] * after + [1.0] * (100 - after)
    detector.observe(rows_of([*present[0], *present[1]]))
    return detector


@pytest.mark.parametrize(("count", "unusual"), [(0, 0), (0, 7), (3, 0), (12, 5), (60, 199), (100, 200)])
def test_the_tail_is_that_of_fishers_exact_test(count: int, unusual: int) -> None:
    assert tail(count, unusual, 200, 100) == pytest.approx(fisher(count, unusual), rel=1e-9)


@pytest.mark.parametrize("unusual", [0, 4, 20, 100])
@pytest.mark.parametrize("alpha", [1e-2, 1e-4])
def test_the_limits_are_the_first_counts_whose_p_value_is_at_most_alpha(unusual: int, alpha: float) -> None:
    reading = missing(unusual, unusual // 2, alpha=alpha, min_effect=0.0).readings()["x"]
    assert reading.state is State.STABLE
    assert reading.threshold is not None
    assert reading.before is not None
    least = round((reading.before + reading.threshold) * 100)
    assert fisher(least, unusual) <= alpha / 2 < fisher(least - 1, unusual)
    assert missing(unusual, least - 1, alpha=alpha, min_effect=0.0).readings()["x"].state is State.STABLE
    assert missing(unusual, least, alpha=alpha, min_effect=0.0).readings()["x"].state is State.DRIFT


def test_values_that_come_back_are_an_alarm_too() -> None:
    reading = missing(100, 10).readings()["x"]
    assert (reading.state, reading.direction) == (State.DRIFT, "down")
    assert (reading.before, reading.after, reading.statistic) == (0.5, 0.1, 0.4)
    assert reading.p_value == pytest.approx(2 * fisher(10, 100, "less"))


def test_a_change_below_the_least_effect_is_no_alarm_however_sure_it_is() -> None:
    assert missing(0, 30, min_effect=0.31).readings()["x"].state is State.STABLE
    assert missing(0, 30, min_effect=0.3).readings()["x"].state is State.DRIFT


def test_where_everything_is_missing_it_cannot_rise_and_there_is_no_threshold() -> None:
    reading = missing(200, 100).readings()["x"]
    assert (reading.statistic, reading.threshold, reading.p_value) == (0.0, None, 1.0)


def test_missing_is_told_apart_from_values_of_either_type() -> None:
    detector = MissingRate(MissingRateConfig(**SIZES), ["x"])
    values = [None, math.nan, math.inf, -math.inf, [1], "", "nan", 0, 0.0, False] * 30
    detector.observe(rows_of(values))
    assert (detector.readings()["x"].before, detector.readings()["x"].after) == (0.5, 0.5)


def test_a_new_category_is_named_with_its_share() -> None:
    detector = NewCategory(NewCategoryConfig(**SIZES), ["x"])
    signals = detector.observe(rows_of(["a", "b"] * 100 + ["a"] * 70 + ["new"] * 20 + ["newer"] * 10))
    (reading,) = (signal.reading for signal in signals)
    assert (reading.state, reading.direction, reading.detail) == (State.DRIFT, "up", "new")
    assert (reading.before, reading.after) == (0.0, 0.3)


def test_categories_that_are_always_new_are_no_alarm_and_only_new_ones_are() -> None:
    detector = NewCategory(NewCategoryConfig(**SIZES), ["x"])
    assert detector.observe(rows_of(list(range(2000)))) == []
    assert detector.readings()["x"].before == 1.0
    half = NewCategory(NewCategoryConfig(**SIZES), ["x"])
    usual = [value for index in range(200) for value in ("a", index)]
    assert half.observe(rows_of(usual)) == []
    (signal,) = half.observe(rows_of(list(range(1000, 1100))))
    assert (signal.reading.before, signal.reading.state) == (0.5, State.DRIFT)


@pytest.mark.parametrize("alpha", [0.015, 0.0015])
def test_new_categories_are_an_alarm_from_the_first_count_on_whose_p_value_is_at_most_alpha(alpha: float) -> None:
    detector = NewCategory(NewCategoryConfig(**SIZES, alpha=alpha, min_effect=0.0), ["x"])
    detector.observe(rows_of(["a", "b"] * 150))
    threshold = detector.readings()["x"].threshold
    assert threshold is not None
    assert fisher(round(100 * threshold), 0) <= alpha < fisher(round(100 * threshold) - 1, 0)


@pytest.mark.parametrize("categories", [50, 100, 200, 300, 500, 5000])
def test_rare_categories_stay_within_alpha(categories: int) -> None:
    features = [str(feature) for feature in range(40)]
    config = NewCategoryConfig(reference=500, window=250, every=250, alpha=0.4, min_effect=0.0)
    alarms = 0
    for seed in range(5):
        values = np.random.default_rng(seed).integers(0, categories, size=(750, 40)).tolist()
        rows: list[Row] = [dict(zip(features, row, strict=True)) for row in values]
        alarms += len(NewCategory(config, features).observe(rows))
    assert alarms <= 4, "expected at most 2: alpha is over all features together"


def test_the_range_is_widened_by_the_margin() -> None:
    detector = ValueRange(ValueRangeConfig(**SIZES, margin=0.5), ["x"])
    values = [float(index % 11) for index in range(200)]
    detector.observe(rows_of([*values, *[-5.0, 15.0] * 50]))
    reading = detector.readings()["x"]
    assert (reading.state, reading.before, reading.after) == (State.STABLE, 0.0, 0.0)
    assert reading.detail == "outside -5 to 15"
    (signal,) = detector.observe(rows_of([-5.001, 15.001] * 10))
    assert (signal.reading.after, signal.reading.direction) == (0.2, "up")


def test_ends_of_the_reference_that_stand_alone_count_as_outside_of_its_rest() -> None:
    detector = ValueRange(ValueRangeConfig(**SIZES), ["x"])
    rng = random.Random(1)
    detector.observe(rows_of([-50.0, 50.0, *(rng.random() for _ in range(298))]))
    assert detector.readings()["x"].before == 2 / 200
