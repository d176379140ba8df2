"""The KS detector against SciPy, its window by hand, and its false alarms against alpha."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from scipy import special, stats

from detectors.base import Reading, Row, State
from detectors.data.ks import KolmogorovSmirnov, KsConfig

DRAWS: dict[str, Callable[[random.Random, int], float]] = {
    "continuous": lambda rng, index: rng.gauss(index / 900, 1.0),
    "ties": lambda rng, index: float(rng.randint(0, 4 + index // 300)),
    "two values": lambda rng, index: float(rng.random() < 0.2 + index / 3000),
    "mixed": lambda rng, index: rng.choice((0.0, rng.random(), rng.gauss(0, 3))),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
@pytest.mark.parametrize("gaps", [0.0, 0.4])
def test_the_statistic_equals_scipys_on_the_same_windows(
    draw: Callable[[random.Random, int], float], gaps: float
) -> None:
    rng = random.Random(7)
    detector = KolmogorovSmirnov(KsConfig(reference=120, window=70, every=13, min_effect=0.9), ["x", "y"])
    values: dict[str, list[float]] = {"x": [], "y": []}
    compared = 0
    for index in range(900):
        row: dict[str, float | None] = {name: None if rng.random() < gaps else draw(rng, index) for name in values}
        for name, value in row.items():
            if value is not None:
                values[name].append(value)
        detector.observe([row])
        if (index + 1) % 13:
            continue
        for name, reading in detector.readings().items():
            if reading.state is State.STABLE:
                reference, window = values[name][:120], values[name][-70:]
                expected = stats.ks_2samp(reference, window)
                assert reading.statistic == pytest.approx(expected.statistic, abs=1e-12)
                assert reading.before == pytest.approx(np.mean(reference))
                assert reading.after == pytest.approx(np.mean(window))
                compared += 1
    assert compared > 50


def test_the_threshold_is_where_the_p_value_meets_alpha_shared_by_the_features() -> None:
    config = KsConfig(reference=200, window=100, alpha=0.01, min_effect=0.0)
    detector = KolmogorovSmirnov(config, ["a", "b", "c", "d"])
    detector.observe([dict.fromkeys("abcd", float(index % 7)) for index in range(300)])
    threshold = detector.readings()["a"].threshold
    assert threshold is not None
    assert special.kolmogorov(threshold * np.sqrt(200 * 100 / 300)) == pytest.approx(0.01 / 4)


@pytest.mark.parametrize(("shift", "direction"), [(3.0, "up"), (-3.0, "down")])
def test_the_direction_is_that_of_the_values(shift: float, direction: str) -> None:
    rng = random.Random(1)
    detector = KolmogorovSmirnov(KsConfig(reference=200, window=100, every=50), ["x"])
    signals = detector.observe([{"x": rng.gauss(shift if index >= 300 else 0.0, 1.0)} for index in range(400)])
    assert [signal.reading.direction for signal in signals] == [direction]


def drift(before: Callable[[random.Random], float], after: Callable[[random.Random], float]) -> Reading:
    """The alarm for values drawn in one way, then in another."""
    rng = random.Random(1)
    detector = KolmogorovSmirnov(KsConfig(reference=500, window=500, every=500), ["x"])
    rows: list[Row] = [{"x": (before if index < 500 else after)(rng)} for index in range(1000)]
    [signal] = detector.observe(rows)
    return signal.reading


def test_values_that_spread_without_moving_are_wider_and_show_their_deviations() -> None:
    reading = drift(lambda rng: rng.gauss(1014, 5), lambda rng: rng.gauss(1014, 12))

    assert reading.direction == "wider"
    assert [reading.before, reading.after] == pytest.approx([5, 12], rel=0.1)


def test_values_that_draw_together_are_narrower() -> None:
    reading = drift(lambda rng: rng.gauss(1014, 12), lambda rng: rng.gauss(1014, 5))

    assert reading.direction == "narrower"
    assert reading.before is not None
    assert reading.after is not None
    assert reading.before > reading.after


def test_a_change_of_shape_alone_has_no_direction() -> None:
    reading = drift(lambda rng: rng.gauss(0, 1), lambda rng: rng.choice((-1.0, 1.0)))

    assert reading.direction is None


def test_a_share_that_grows_is_up_though_its_deviation_grows_too() -> None:
    reading = drift(lambda rng: float(rng.random() < 0.02), lambda rng: float(rng.random() < 0.2))

    assert reading.direction == "up"
    assert [reading.before, reading.after] == pytest.approx([0.02, 0.2], abs=0.05)


def test_false_alarms_at_one_check_stay_within_alpha_over_all_features() -> None:
    rng = np.random.default_rng(3)
    config = KsConfig(reference=200, window=100, every=100, alpha=0.2, min_effect=0.0)
    features = ["a", "b", "c", "d", "e"]
    alarms = 0
    for _ in range(300):
        rows: list[Row] = [dict(zip(features, values, strict=True)) for values in rng.normal(size=(300, 5)).tolist()]
        alarms += bool(KolmogorovSmirnov(config, features).observe(rows))
    assert 0.05 * 300 < alarms < 0.26 * 300


def test_warnings_come_before_alarms_and_once() -> None:
    rng = random.Random(2)
    config = KsConfig(reference=300, window=200, every=10, warning_alpha=0.05, alpha=1e-6)
    rows: list[Row] = [{"x": rng.gauss(0.0 if index < 500 else 0.8, 1.0)} for index in range(900)]
    states = [signal.reading.state for signal in KolmogorovSmirnov(config, ["x"]).observe(rows)]
    assert states == [State.WARNING, State.DRIFT]


def test_a_detector_without_features_is_refused() -> None:
    with pytest.raises(ValueError, match="needs at least one feature"):
        KolmogorovSmirnov(KsConfig(), [])
