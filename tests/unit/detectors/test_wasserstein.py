"""The Wasserstein detector against SciPy, its bound on chance, and what a few values far away do."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from scipy import stats

from detectors.base import Reading, Row, State
from detectors.data.wasserstein import Wasserstein, WassersteinConfig


def reading_of(values: list[float], reference: int, window: int, **options: Any) -> Reading:
    config = WassersteinConfig(reference=reference, window=window, every=1, **options)
    detector = Wasserstein(config, ["x"])
    detector.observe([{"x": value} for value in values])
    return detector.readings()["x"]


@pytest.mark.parametrize(("reference", "window"), [(200, 100), (120, 70), (101, 500)])
@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e200])
def test_the_statistic_equals_scipys_in_deviations_of_the_reference(reference: int, window: int, scale: float) -> None:
    rng = random.Random(reference)
    values = [rng.expovariate(1.0 if index < reference else 0.8) + 5.0 for index in range(reference + window)]
    expected = stats.wasserstein_distance(values[:reference], values[reference:]) / np.std(values[:reference])
    reading = reading_of([scale * value for value in values], reference, window, alpha=1e-9)
    assert reading.statistic == pytest.approx(expected)
    assert reading.before == pytest.approx(scale * np.mean(values[:reference]))
    assert reading.after == pytest.approx(scale * np.mean(values[reference:]))


def test_the_p_value_is_alpha_where_the_statistic_would_meet_the_threshold() -> None:
    rng = random.Random(1)
    values = [rng.gauss(0.0 if index < 1000 else 0.3, 1.0) for index in range(1500)]
    reading = reading_of(values, 1000, 500, min_effect=0.0)
    assert reading.p_value is not None
    at_threshold = reading_of(values, 1000, 500, min_effect=0.0, alpha=reading.p_value)
    assert at_threshold.statistic == pytest.approx(at_threshold.threshold)


@pytest.mark.parametrize(("move", "direction"), [(1.0, "up"), (-1.0, "down"), (0.0, "wider")])
def test_the_direction_is_what_makes_up_the_distance(move: float, direction: str) -> None:
    rng = random.Random(2)
    deviation = 1.0 if move else 4.0
    values = [rng.gauss(0.0, 1.0) if index < 200 else rng.gauss(move, deviation) for index in range(300)]
    reading = reading_of(values, 200, 100)
    assert (reading.state, reading.direction) == (State.DRIFT, direction)


def test_one_value_far_away_is_no_alarm_and_many_are() -> None:
    rng = random.Random(3)
    values = [rng.gauss(0.0, 1.0) for _ in range(300)]
    assert reading_of([*values[:299], 1e9], 200, 100).state is State.STABLE
    assert reading_of([*values[:270], *[1e9] * 30], 200, 100).state is State.DRIFT


def test_a_constant_reference_is_left_by_many_values_and_not_by_one() -> None:
    one, many = (reading_of([0.0] * (300 - new) + [7.0] * new, 200, 100) for new in (1, 40))
    assert (one.state, many.state) == (State.STABLE, State.DRIFT)
    share = 40 / 300
    assert many.statistic == pytest.approx(40 * 7 / 100 / (7 * (share * (1 - share)) ** 0.5))


@pytest.mark.parametrize("distribution", ["normal", "exponential", "standard_cauchy"])
def test_false_alarms_at_one_check_stay_within_alpha_over_all_features(distribution: str) -> None:
    rng = np.random.default_rng(3)
    draw = getattr(rng, distribution)
    features = [str(feature) for feature in range(20)]
    config = WassersteinConfig(reference=200, window=100, every=100, alpha=0.5, min_effect=0.0)
    alarms = 0
    for _ in range(20):
        values = draw(size=(300, 20)).tolist()
        rows: list[Row] = [dict(zip(features, row, strict=True)) for row in values]
        alarms += bool(Wasserstein(config, features).observe(rows))
    assert alarms <= 10
