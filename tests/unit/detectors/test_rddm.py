"""RDDM against its definition worked out over lists, and what its three changes to DDM are for."""

from __future__ import annotations

import math
import random

import pytest

from detectors.base import State
from detectors.concept.ddm import Ddm, DdmConfig
from detectors.concept.rddm import Rddm, RddmConfig

SMALL = RddmConfig(warmup=50, longest=600, newest=300, warning_limit=80, warning_level=1.773, drift_level=2.258)


def bernoulli(*stretches: tuple[int, float], seed: int) -> list[float]:
    rng = random.Random(seed)
    return [float(rng.random() < rate) for count, rate in stretches for _ in range(count)]


def height(errors: list[float], warmup: int) -> float | None:
    """How high above its lowest point the rate of some errors stands, from its definition."""
    points = []
    for n in range(warmup + 1, len(errors) + 1):
        rate, one = sum(errors[:n]) / n, 1 / n
        points.append((rate, math.sqrt(max(rate, one) * max(1 - rate, one) / n)))
    if not points:
        return None
    (rate, spread), (low, low_spread) = points[-1], min(reversed(points), key=sum)
    return (rate + spread - low) / low_spread


def by_hand(errors: list[float], config: RddmConfig) -> list[tuple[int, bool]]:
    """The alarms, and whether each was due to a warning that lasted."""
    found = []
    current: list[float] = []
    since_change = warned = 0
    for index, error in enumerate(errors):
        current.append(error)
        since_change += 1
        now = height(current, config.warmup)
        drift = now is not None and now > config.drift_level
        warned = warned + 1 if drift or (now is not None and now > config.warning_level) else 0
        if drift or warned >= config.warning_limit:
            found.append((index, not drift))
            current = current[-min(warned, config.newest) :] if drift else current[-1:]
            since_change = warned = 0
        elif not warned and since_change >= config.longest:
            current = current[-config.newest :]
            since_change = len(current)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_alarms_are_those_of_the_definition(seed: int) -> None:
    errors = bernoulli((700, 0.2), (150, 0.3), (100, 0.6), seed=seed)
    found = [
        (signal.index, signal.reading.detail is not None)
        for signal in Rddm(SMALL).observe(errors)
        if signal.reading.state is State.DRIFT
    ]
    assert found == by_hand(errors, SMALL)
    assert found


def test_it_finds_a_rise_after_a_long_stretch_before_ddm_does() -> None:
    def found(detector: Ddm | Rddm) -> int:
        drifts = [signal.index for signal in detector.observe(errors) if signal.reading.state is State.DRIFT]
        return next(index for index in drifts if index >= 20_000)

    errors = bernoulli((20_000, 0.2), (20_000, 0.3), seed=2)
    assert found(Rddm(RddmConfig(longest=3_000, newest=1_000, warning_limit=900))) < found(Ddm(DdmConfig()))


def test_a_warning_that_lasts_is_an_alarm_that_says_so() -> None:
    config = RddmConfig(warning_level=1.5, drift_level=50.0, warning_limit=100)
    signals = Rddm(config).observe([0.0, 0.0, 0.0, 1.0] * 100 + [0.0, 1.0] * 100)
    drift = next(signal for signal in signals if signal.reading.state is State.DRIFT)
    warning = signals[signals.index(drift) - 1]
    assert warning.reading.state is State.WARNING
    assert drift.index - warning.index == 99
    assert drift.reading.detail == "a warning for 100 errors in a row"
    assert drift.reading.threshold == 1.5
    assert drift.reading.direction == "worse"


def test_after_an_alarm_it_goes_on_from_the_errors_since_the_warning() -> None:
    detector = Rddm(RddmConfig())
    errors = [0.0, 0.0, 0.0, 1.0] * 100 + [1.0] * 200
    warning, drift = detector.observe(errors)[:2]
    detector.reset()
    detector.observe(errors[: drift.index + 1])
    since = drift.index + 1 - warning.index
    assert detector.reading == drift.reading
    assert (detector.observe_one(0.0).current_n, detector.reading.state) == (since + 1, State.WARMUP)
