"""What the readings of concept detectors say, against what is known of the stream."""

from __future__ import annotations

import random

import pytest
from scipy import stats

from detectors.base import State
from detectors.concept.adwin import Adwin, AdwinConfig
from detectors.concept.ddm import Ddm, DdmConfig
from detectors.concept.eddm import Eddm, EddmConfig
from detectors.concept.hddm_a import HddmA, HddmAConfig
from detectors.concept.hddm_w import HddmW, HddmWConfig
from detectors.concept.kswin import Kswin, KswinConfig, critical_steps, equal_samples_p_value
from detectors.concept.page_hinkley import PageHinkley, PageHinkleyConfig

RISE = [float(index % 10 == 0) for index in range(800)] + [float(index % 10 < 7) for index in range(400)]
FALL = [1.0 - error for error in RISE]


def test_adwin_names_the_point_of_the_change_and_the_means_around_it() -> None:
    (signal,) = Adwin(AdwinConfig()).observe(RISE)
    assert signal.reading.before == pytest.approx(0.1, abs=0.02)
    assert signal.reading.after == pytest.approx(0.7, abs=0.1)
    assert signal.reading.reference_n == pytest.approx(800, abs=16)
    assert signal.reading.reference_n + signal.reading.current_n == signal.index + 1


def test_adwin_keeps_its_precision_on_a_large_offset() -> None:
    rng = random.Random(1)
    noise = [rng.gauss(0.5 if index < 800 else 2.0, 0.5) for index in range(1200)]
    (plain,) = Adwin(AdwinConfig()).observe(noise)
    (offset,) = Adwin(AdwinConfig()).observe([1e9 + error for error in noise])
    assert offset.index == plain.index
    assert offset.reading.statistic == pytest.approx(plain.reading.statistic, rel=1e-4)


@pytest.mark.parametrize(
    "detector",
    [
        Adwin(AdwinConfig()),
        HddmA(HddmAConfig()),
        HddmW(HddmWConfig()),
        Kswin(KswinConfig()),
        PageHinkley(PageHinkleyConfig()),
    ],
    ids=lambda detector: detector.config.kind,
)
def test_a_fall_is_reported_once_as_better_and_then_learnt(detector: Adwin) -> None:
    reading = next(reading for error in FALL if (reading := detector.observe_one(error)).direction)
    assert (reading.state, reading.direction) == (State.STABLE, "better")
    assert reading.before is not None
    assert reading.after is not None
    assert reading.before > reading.after
    assert detector.observe_one(0.0).state is State.WARMUP


def test_a_signal_is_given_on_entering_warning_and_not_while_it_lasts() -> None:
    signals = Ddm(DdmConfig()).observe(RISE)
    states = [signal.reading.state for signal in signals]
    assert states == [State.WARNING, State.DRIFT]
    assert signals[0].index + 1 < signals[1].index
    assert signals[0].reading.direction == "worse"


def test_the_first_mistake_after_none_is_no_alarm_for_ddm() -> None:
    assert Ddm(DdmConfig(warmup=30)).observe([0.0] * 200 + [1.0] + [0.0] * 200) == []


def test_eddm_does_not_alarm_when_distances_only_vary_less() -> None:
    uneven = [float(index % 40 in (0, 1)) for index in range(4000)]
    even = [float(index % 20 == 0) for index in range(4000)]
    assert Eddm(EddmConfig()).observe(uneven + even) == []


def test_eddm_counts_errors_from_its_limit_on_as_mistakes() -> None:
    below, at = Eddm(EddmConfig(mistake=0.3)), Eddm(EddmConfig(mistake=0.3))
    below.observe([0.0, 0.0, 0.29] * 40)
    at.observe([0.0, 0.0, 0.3] * 40)
    assert (below.reading.state, at.reading.state) == (State.WARMUP, State.STABLE)


def test_the_p_value_of_hddm_is_the_confidence_whose_threshold_the_statistic_would_meet() -> None:
    reading = HddmA(HddmAConfig(drift_confidence=1e-4)).observe(RISE)[1].reading
    assert reading.state is State.DRIFT
    assert reading.p_value is not None
    assert reading.statistic is not None
    assert reading.threshold is not None
    assert reading.p_value <= 1e-4
    assert reading.p_value == pytest.approx(2 * (1e-4 / 2) ** ((reading.statistic / reading.threshold) ** 2))


@pytest.mark.parametrize("size", [10, 25, 50])
def test_the_p_value_of_kswin_is_the_exact_one(size: int) -> None:
    for steps in range(size // 5, size + 1):  # SciPy gives up on smaller ones
        one, other = list(range(size)), list(range(steps, size + steps))
        exact = stats.ks_2samp(one, [value - 0.5 for value in other], method="exact")
        assert equal_samples_p_value(round(float(exact.statistic) * size), size) == pytest.approx(
            exact.pvalue, rel=1e-9
        )


def test_kswin_needs_the_smallest_distance_that_is_rare_enough() -> None:
    steps = critical_steps(1e-4, 50)
    assert steps is not None
    assert equal_samples_p_value(steps, 50) <= 1e-4 < equal_samples_p_value(steps - 1, 50)
    assert critical_steps(1e-6, 10) is None


def test_kswin_samples_by_its_seed() -> None:
    rng = random.Random(5)
    stream = [rng.random() for _ in range(400)]
    readings = [Kswin(KswinConfig(seed=seed)).observe_one for seed in (1, 1, 2)]
    one, same, other = ([observe(error) for error in stream][-1] for observe in readings)
    assert one == same
    assert one.before != other.before
