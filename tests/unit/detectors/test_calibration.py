"""The run length of the KS detector: its thresholds, what they refuse, and the detector itself against them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import special

from detectors.base import Row
from detectors.calibration.ks import run_length_of, threshold
from detectors.data.ks import KolmogorovSmirnov, KsConfig
from detectors.data.windowed import Floats

SIZES = [(100, 30, 1), (1000, 500, 100), (997, 500, 7), (200, 200, 200), (100, 5000, 50), (100_000, 300, 10)]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_longer_run_takes_a_higher_threshold(sizes: tuple[int, int, int]) -> None:
    thresholds = [threshold(*sizes, run_length) for run_length in (1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e12)]

    assert thresholds == sorted(set(thresholds))
    assert thresholds[0] > 0.0
    assert thresholds[-1] < 1.0


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("run_length", [1e3, 1e6, 1e9, 1e12])
def test_the_threshold_is_the_least_distance_with_the_run_length(
    sizes: tuple[int, int, int], run_length: float
) -> None:
    found = threshold(*sizes, run_length)
    step = 1.0 / math.lcm(*sizes[:2])

    assert found == round(found / step) / math.lcm(*sizes[:2]), "it is a distance that can occur"
    assert run_length_of(*sizes, found) >= run_length
    assert run_length_of(*sizes, found - step) < run_length


def test_checking_more_often_takes_a_higher_threshold() -> None:
    thresholds = [threshold(997, 500, every, 1e6) for every in (500, 200, 50, 10, 1)]
    assert thresholds == sorted(set(thresholds))


def test_more_values_in_the_reference_or_the_window_take_a_lower_threshold() -> None:
    by_reference = [threshold(reference, 499, 50, 1e6) for reference in (100, 250, 1000, 5000, 100_000)]
    by_window = [threshold(997, window, 30, 1e6) for window in (30, 70, 200, 1000, 20_000)]

    assert by_reference == sorted(set(by_reference), reverse=True)
    assert by_window == sorted(set(by_window), reverse=True)


def test_windows_that_share_no_value_are_independent_tests() -> None:
    distance = threshold(100_000, 1000, 1000, 1e6)

    k = distance * math.sqrt(100_000 * 1000 / 101_000)
    assert 1000 / special.kolmogorov(k) == pytest.approx(1e6, rel=0.15)


def test_a_new_feature_alarms_more_often_than_one_that_has_found_a_good_reference() -> None:
    sizes, distance = (1000, 500, 50), threshold(1000, 500, 50, 1e6)
    lengths = [run_length_of(*sizes, distance, horizon=horizon) for horizon in (1.0, 1e4, 1e5, 1e6, 1e7, 1e10)]

    assert lengths == sorted(lengths)
    assert lengths[0] < run_length_of(*sizes, distance) / 5, "the mean of rates is not the rate of the mean run"
    assert lengths[-1] == pytest.approx(run_length_of(*sizes, distance), rel=0.01)


def test_a_threshold_for_a_shorter_stretch_is_higher() -> None:
    long_run, at_first = threshold(1000, 500, 50, 1e6), threshold(1000, 500, 50, 1e6, horizon=1e5)

    assert at_first > long_run
    assert run_length_of(1000, 500, 50, at_first, horizon=1e5) >= 1e6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((99, 500, 100, 1e6), "reference: got 99; expected 100 to 100,000"),
        ((100_001, 500, 100, 1e6), "reference: got 100001"),
        ((1000, 29, 10, 1e6), "window: got 29; expected 30 to 100,000"),
        ((1000, 500, 0, 1e6), "every: got 0; expected 1 to 500"),
        ((1000, 500, 501, 1e6), "every: got 501; expected 1 to 500"),
        ((1000, 500, 100, 999), "run_length: got 999; expected 1,000 to 1,000,000,000,000"),
        ((1000, 500, 100, 2e12), "run_length: got 2e.12"),
        ((1000, 500, 100, math.nan), "run_length: got nan"),
    ],
)
def test_what_was_not_validated_is_refused(arguments: tuple[int, int, int, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        threshold(*arguments)


@pytest.mark.parametrize("distance", [0.0, -0.1, 1.1, math.nan])
def test_what_is_no_distance_has_no_run_length(distance: float) -> None:
    with pytest.raises(ValueError, match=r"distance: got .*; expected more than 0 and at most 1"):
        run_length_of(1000, 500, 100, distance)


@pytest.mark.parametrize("horizon", [0.0, -1.0, math.nan])
def test_a_horizon_holds_at_least_something(horizon: float) -> None:
    with pytest.raises(ValueError, match=r"horizon: got .*; expected more than 0"):
        threshold(1000, 500, 100, 1e6, horizon=horizon)


FEATURES, ROWS = 100, 8000
SHORT = KsConfig(reference=100, window=50, every=10, run_length=1000, min_effect=0.0)


def run_length_seen(values: Floats) -> float:
    """What the detector does on features that never change: the values it watched for each alarm."""
    names = [f"f{number}" for number in range(FEATURES)]
    rows: list[Row] = [dict(zip(names, row, strict=True)) for row in values.tolist()]
    alarms = len(KolmogorovSmirnov(SHORT, names).observe(rows))
    filling = (SHORT.reference + SHORT.window) * (alarms + FEATURES)
    return (values.size - filling) / alarms


def run_length_stated() -> float:
    sizes = SHORT.reference, SHORT.window, SHORT.every
    return run_length_of(*sizes, threshold(*sizes, 1000), horizon=ROWS)


def test_the_detector_runs_as_long_as_stated() -> None:
    values = np.random.default_rng(1).normal(size=(ROWS, FEATURES))
    assert run_length_seen(values) == pytest.approx(run_length_stated(), rel=0.15)


@pytest.mark.parametrize("different", [2, 20])
def test_ties_make_it_run_longer(different: int) -> None:
    values = np.random.default_rng(2).integers(different, size=(ROWS, FEATURES)).astype(np.float64)
    assert run_length_seen(values) > run_length_stated()


def test_the_detector_shows_the_threshold_of_its_run_length() -> None:
    config = KsConfig(run_length=100_000, min_effect=0.0)
    detector = KolmogorovSmirnov(config, ["x", "y"])
    detector.observe([{"x": float(index % 11), "y": float(index % 7)} for index in range(1500)])

    assert detector.readings()["x"].threshold == threshold(1000, 500, 100, 100_000)


def test_an_effect_too_small_is_no_alarm_whatever_the_run_length() -> None:
    detector = KolmogorovSmirnov(KsConfig(run_length=1000, min_effect=0.5), ["x"])
    detector.observe([{"x": float(index % 11)} for index in range(1500)])

    assert detector.readings()["x"].threshold == 0.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": 0.001}, ("alpha: got 0.001", "run_length=1,000,000", "one of the two", "Remove")),
        ({"warning_alpha": 0.01}, ("warning_alpha: got 0.01", "run_length=1,000,000", "Remove")),
        ({"run_length": 999}, ("run_length", "greater than or equal to 1000")),
        ({"run_length": 2e12}, ("run_length", "less than or equal to 1000000000000")),
    ],
)
def test_a_run_length_stands_instead_of_alpha(options: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as refusal:
        KsConfig.model_validate({"run_length": 1_000_000, **options})
    for word in words:
        assert word in str(refusal.value)


def test_a_configuration_with_a_run_length_survives_being_written_out() -> None:
    config = KsConfig(run_length=1_000_000)
    assert KsConfig.model_validate_json(config.model_dump_json()) == config


def test_without_a_run_length_alpha_is_what_it_was() -> None:
    detector = KolmogorovSmirnov(KsConfig(min_effect=0.0), ["x"])
    detector.observe([{"x": float(index % 11)} for index in range(1500)])

    assert detector.readings()["x"].threshold == special.kolmogi(1e-4) / math.sqrt(1000 * 500 / 1500)
