"""STEPD against the chi-squared test of SciPy, with Yates's correction, on the same counts."""

from __future__ import annotations

import random

import pytest
from scipy import stats

from detectors.base import State
from detectors.concept.stepd import Stepd, StepdConfig


@pytest.mark.parametrize("seed", range(5))
def test_the_p_value_is_that_of_the_test_of_equal_proportions(seed: int) -> None:
    rng = random.Random(seed)
    errors = [float(rng.random() < (0.2 if index < 150 else 0.45)) for index in range(200)]
    detector = Stepd(StepdConfig(alpha=1e-12, window=50))
    detector.observe(errors)
    older, newest = int(sum(errors[:150])), int(sum(errors[150:]))
    expected = stats.chi2_contingency([[older, 150 - older], [newest, 50 - newest]], correction=True)
    reading = detector.reading
    assert reading.statistic == pytest.approx(expected.statistic**0.5)
    assert reading.p_value == pytest.approx(expected.pvalue)
    assert (reading.before, reading.after) == pytest.approx((older / 150, newest / 50))
    assert (reading.reference_n, reading.current_n) == (150, 50)


def test_it_alarms_at_the_first_error_with_which_the_p_value_falls_below_alpha() -> None:
    config = StepdConfig(window=30, alpha=1e-4, warmup=60)
    errors = [float(index % 10 == 0) for index in range(300)] + [float(index % 2) for index in range(100)]
    warning, drift = Stepd(config).observe(errors)
    p_values = {}
    for end in range(301, 330):
        older, newest = int(sum(errors[: end - 30])), int(sum(errors[end - 30 : end]))
        table = [[older, end - 30 - older], [newest, 30 - newest]]
        p_values[end - 1] = stats.chi2_contingency(table, correction=True).pvalue
    assert warning.index == min(index for index, p_value in p_values.items() if p_value < 1e-3)
    assert drift.index == min(index for index, p_value in p_values.items() if p_value < 1e-4)
    assert (warning.reading.state, drift.reading.state) == (State.WARNING, State.DRIFT)


def test_a_fall_is_reported_once_as_better_and_then_learnt() -> None:
    detector = Stepd(StepdConfig())
    errors = [float(index % 2) for index in range(400)] + [0.0] * 60
    readings = [detector.observe_one(error) for error in errors]
    better = [reading for reading in readings if reading.direction == "better"]
    assert [reading.state for reading in better] == [State.STABLE]
    assert readings[-1].state is State.WARMUP


def test_fractions_of_one_mean_are_never_further_apart_than_mistakes() -> None:
    whole, halves = Stepd(StepdConfig(alpha=1e-12)), Stepd(StepdConfig(alpha=1e-12))
    whole.observe([0.0, 0.0, 0.0, 1.0] * 60 + [0.0, 1.0] * 30)
    halves.observe([0.25] * 240 + [0.5] * 60)
    assert halves.reading.statistic == pytest.approx(whole.reading.statistic)
