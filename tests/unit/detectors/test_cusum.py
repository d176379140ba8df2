"""CUSUM against its definition: the largest excess of any stretch of newest errors over what is usual before it."""

from __future__ import annotations

import random

import pytest

from detectors.base import State
from detectors.concept.cusum import Cusum, CusumConfig
from detectors.concept.page_hinkley import PageHinkley, PageHinkleyConfig


def test_the_sum_is_worked_out_by_hand() -> None:
    detector = Cusum(CusumConfig(shift=0.5, threshold=2.0, warmup=30))
    detector.observe([0.0, 1.0] * 15)
    sums = [detector.observe_one(error).statistic for error in (1.0, 0.0, 0.0, 1.0, 1.0)]
    usual = 16 / 33  # the first climb ended with the third error, which became usual with those before
    assert sums == pytest.approx([0.25, 0.0, 0.0, 0.75 - usual, 1.5 - 2 * usual])
    assert detector.reading.before == pytest.approx(usual)
    assert (detector.reading.after, detector.reading.reference_n, detector.reading.current_n) == (1.0, 33, 2)


def test_it_alarms_at_the_error_that_takes_the_sum_over_the_threshold() -> None:
    signals = Cusum(CusumConfig(shift=0.5, threshold=3.0, warmup=100)).observe([0.0, 1.0] * 50 + [1.0] * 20)
    assert [(signal.index, signal.reading.state) for signal in signals] == [(112, State.DRIFT)]
    assert signals[0].reading.statistic == pytest.approx(13 * 0.25)
    assert (signals[0].reading.before, signals[0].reading.after) == (0.5, 1.0)


def test_a_rise_within_the_allowance_is_never_an_alarm() -> None:
    errors = [0.0, 1.0] * 500 + [0.0, 1.0, 0.0, 1.0, 1.0] * 2000  # from 0.5 to 0.6
    assert Cusum(CusumConfig(shift=0.25)).observe(errors) == []


def test_a_fall_is_reported_once_as_better_and_then_learnt() -> None:
    detector = Cusum(CusumConfig(shift=0.5, threshold=3.0, warmup=100))
    readings = [detector.observe_one(error) for error in [0.0, 1.0] * 50 + [0.0] * 20]
    better = [(index, reading) for index, reading in enumerate(readings) if reading.direction == "better"]
    assert [(index, reading.state) for index, reading in better] == [(112, State.STABLE)]
    assert (better[0][1].before, better[0][1].after) == (0.5, 0.0)
    assert readings[-1].state is State.WARMUP


def test_it_finds_a_rise_that_the_mean_of_page_hinkley_follows() -> None:
    rng = random.Random(1)
    errors = [rng.gauss(10.0, 0.5) for _ in range(400)] + [rng.gauss(10.3, 0.5) for _ in range(3000)]
    cusum = Cusum(CusumConfig(shift=0.2, threshold=60.0)).observe(errors)
    assert [signal.index < 900 for signal in cusum] == [True]
    assert PageHinkley(PageHinkleyConfig(delta=0.1, threshold=60.0)).observe(errors) == []
