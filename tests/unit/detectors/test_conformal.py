"""The conformal detector against its theorem and against changes that are known."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from statistics import fmean

import numpy as np
import pytest

from detectors.base import Row, Signal, State
from detectors.data.conformal import Conformal, ConformalConfig

SMALL = ConformalConfig(reference=300, run_length=10_000)


def rows(values: list[float]) -> list[Row]:
    return [{"x": value} for value in values]


def first_drift(detector: Conformal, values: list[float]) -> Signal | None:
    return next((signal for signal in detector.observe(rows(values)) if signal.reading.state is State.DRIFT), None)


def normal(count: int, mean: float = 0.0, deviation: float = 1.0, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(mean, deviation) for _ in range(count)]


DRAWS: dict[str, Callable[[np.random.Generator, tuple[int, int]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "two values": lambda rng, shape: (rng.random(shape) < 0.2).astype(float),
}


@pytest.mark.parametrize("name", DRAWS)
def test_values_until_a_false_alarm_are_at_least_the_run_length_on_average_and_seldom_few(name: str) -> None:
    names = [f"f{index}" for index in range(200)]
    detector = Conformal(ConformalConfig(reference=100, run_length=300, every=20), names)
    values = DRAWS[name](np.random.default_rng(5), (700, 200))
    lengths = dict.fromkeys(names, 600)
    for signal in detector.observe([dict(zip(names, row, strict=True)) for row in values.tolist()]):
        if signal.reading.state is State.DRIFT:
            assert signal.feature is not None
            lengths[signal.feature] = min(lengths[signal.feature], signal.index + 1 - 100)
    assert fmean(lengths.values()) >= 300  # though none counts for more than 600
    assert sum(length <= 100 for length in lengths.values()) <= 200 * 100 / (2 * 300)


@pytest.mark.parametrize(
    ("mean", "deviation", "direction", "soon"),
    [(0.5, 1.0, "up", 200), (-1.0, 1.0, "down", 60), (0.0, 2.0, "wider", 80), (0.0, 0.4, "narrower", 80)],
)
def test_a_change_is_found_soon_and_named(mean: float, deviation: float, direction: str, soon: int) -> None:
    signal = first_drift(Conformal(SMALL, ["x"]), normal(1000) + normal(500, mean, deviation, seed=2))
    assert signal is not None
    assert 1000 <= signal.index < 1000 + soon
    reading = signal.reading
    assert reading.direction == direction
    assert reading.statistic is not None
    assert reading.statistic >= 20_000 == reading.threshold
    assert 0 < reading.current_n < soon + 50
    expected = (0.0, mean) if direction in {"up", "down"} else (1.0, deviation)
    assert (reading.before, reading.after) == pytest.approx(expected, abs=0.6)


def test_only_the_order_of_values_counts() -> None:
    values = normal(1000) + normal(200, 0.7, seed=2)
    plain, bent = Conformal(SMALL, ["x"]), Conformal(SMALL, ["x"])
    found = first_drift(plain, values), first_drift(bent, [math.exp(3.0 * value) for value in values])
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].index == found[1].index
    assert found[0].reading.statistic == found[1].reading.statistic


def test_a_change_is_found_in_the_tenth_round_as_in_the_first() -> None:
    config = ConformalConfig(reference=100, run_length=10_000)
    early = first_drift(Conformal(config, ["x"]), normal(200) + normal(200, 1.5, seed=2))
    late = first_drift(Conformal(config, ["x"]), normal(4050) + normal(200, 1.5, seed=2))
    assert early is not None
    assert late is not None
    assert 200 <= early.index < 240
    assert 4050 <= late.index < 4090


def test_a_slow_change_does_not_hide_in_the_rounds() -> None:
    values = [value + index / 4000 for index, value in enumerate(normal(4000))]
    assert first_drift(Conformal(ConformalConfig(reference=100), ["x"]), values) is not None


def test_the_seed_breaks_ties() -> None:
    values = [float(index % 3) for index in range(600)]
    one, same, other = (Conformal(ConformalConfig(reference=100, seed=seed), ["x"]) for seed in (1, 1, 2))
    for detector in (one, same, other):
        detector.observe(rows(values))
    assert one.readings() == same.readings()
    assert one.readings()["x"].statistic != other.readings()["x"].statistic


def test_a_feature_is_judged_alike_whichever_others_are_watched() -> None:
    values, others = normal(900), normal(900, seed=2)
    alone, both = Conformal(SMALL, ["x"]), Conformal(SMALL, ["w", "x"])
    alone.observe(rows(values))
    both.observe([{"w": other, "x": value} for other, value in zip(others, values, strict=True)])
    assert alone.readings()["x"] == both.readings()["x"]


def test_a_warning_comes_before_the_alarm_once() -> None:
    config = ConformalConfig(reference=300, every=1)
    signals = Conformal(config, ["x"]).observe(rows(normal(1000) + normal(200, 0.7, seed=2)))
    assert [signal.reading.state for signal in signals][-2:] == [State.WARNING, State.DRIFT]
