"""The e-detector against its theorem, computed exactly, and against changes that are known."""

from __future__ import annotations

import itertools
import math
import random
from statistics import fmean

import pytest

from detectors.base import Reading, State
from detectors.concept.e_detector import EDetector, EDetectorConfig

WARMUP = [float(index % 5 == 0) for index in range(30)]


def rates(*stretches: tuple[int, float], seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [float(rng.random() < rate) for count, rate in stretches for _ in range(count)]


def first_drift(detector: EDetector, errors: list[float]) -> tuple[int, Reading] | None:
    drifts = (signal for signal in detector.observe(errors) if signal.reading.state is State.DRIFT)
    return next(((signal.index, signal.reading) for signal in drifts), None)


def expected_statistic(shares: dict[float, float], checks: int) -> float:
    """The expectation after so many checks of four errors each drawn by `shares`, over all that can come."""
    steps: dict[tuple[float, ...], float] = {}
    for errors in itertools.product(shares, repeat=4):
        step = tuple(sorted(errors))
        steps[step] = steps.get(step, 0.0) + math.prod(shares[error] for error in errors)
    total = 0.0
    for stream in itertools.product(steps, repeat=checks):
        detector = _warm()
        detector.observe([error for step in stream for error in step])
        assert detector.reading.statistic is not None
        total += math.prod(steps[step] for step in stream) * detector.reading.statistic
    return total


def _warm() -> EDetector:
    detector = EDetector(EDetectorConfig(run_length=1e12, warmup=30))
    detector.observe(WARMUP)
    return detector


@pytest.mark.parametrize("rate", [0.02, 0.2, 0.7])
def test_the_statistic_is_expected_to_be_at_most_the_number_of_errors_whatever_their_rate(rate: float) -> None:
    assert 0.0 < expected_statistic({0.0: 1.0 - rate, 1.0: rate}, 4) <= 16.0


def test_the_same_holds_for_fractions() -> None:
    assert 0.0 < expected_statistic({0.0: 0.5, 0.4: 0.3, 1.0: 0.2}, 2) <= 8.0


def test_errors_until_a_false_alarm_are_at_least_the_run_length_on_average_and_seldom_few() -> None:
    lengths = []
    for seed in range(200):
        found = first_drift(EDetector(EDetectorConfig(run_length=500)), rates((800, 0.2), seed=seed))
        lengths.append(700 if found is None else found[0] + 1 - 100)
    assert fmean(lengths) >= 500  # though none counts for more than 700
    assert sum(length <= 200 for length in lengths) <= 200 * 200 / (2 * 500)


def test_a_small_lasting_rise_is_found_soon_and_described() -> None:
    found = first_drift(EDetector(EDetectorConfig(run_length=10_000)), rates((5000, 0.2), (2000, 0.3)))
    assert found is not None
    index, reading = found
    assert 5000 < index < 5800
    assert reading.direction == "worse"
    assert reading.before == pytest.approx(0.2, abs=0.02)
    assert reading.after == pytest.approx(0.3, abs=0.05)
    assert reading.reference_n == pytest.approx(5000, abs=200)
    assert reading.reference_n + reading.current_n == index + 1


def test_a_longer_run_length_takes_longer_to_find_a_change() -> None:
    errors = rates((2000, 0.2), (2000, 0.4))
    found = [first_drift(EDetector(EDetectorConfig(run_length=length)), errors) for length in (1e3, 1e6, 1e9)]
    delays = [drift[0] - 2000 for drift in found if drift is not None]
    assert 0 < delays[0] < delays[1] < delays[2] < 400


def test_a_fall_is_reported_once_as_better_and_then_learnt() -> None:
    detector = EDetector(EDetectorConfig())
    reading = next(r for error in rates((1000, 0.6), (500, 0.1)) if (r := detector.observe_one(error)).direction)
    assert (reading.state, reading.direction) == (State.STABLE, "better")
    assert detector.observe_one(0.0).state is State.WARMUP


def test_a_warning_comes_before_the_alarm() -> None:
    signals = EDetector(EDetectorConfig()).observe(rates((1000, 0.2), (300, 0.5)))
    assert [signal.reading.state for signal in signals][-2:] == [State.WARNING, State.DRIFT]
    assert all(signal.reading.direction == "worse" for signal in signals)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1000.0])
def test_errors_of_any_scale_are_judged_by_their_usual_range(scale: float) -> None:
    rng = random.Random(4)
    errors = [scale * rng.lognormvariate(0.0 if index < 1500 else 0.7, 0.8) for index in range(2500)]
    found = first_drift(EDetector(EDetectorConfig()), errors)
    assert found is not None
    assert 1500 < found[0] < 1650


def test_one_huge_error_is_no_alarm() -> None:
    rng = random.Random(4)
    errors = [rng.expovariate(1.0) for _ in range(3000)]
    errors[1500] = 1e90
    assert first_drift(EDetector(EDetectorConfig()), errors) is None


def test_mistakes_after_a_warm_up_without_any_are_found() -> None:
    found = first_drift(EDetector(EDetectorConfig()), [0.0] * 300 + rates((300, 0.3)))
    assert found is not None
    assert found[0] < 350
