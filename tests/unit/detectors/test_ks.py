"""The KS detector against SciPy, its window by hand, and its false alarms against alpha."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from detectors.base import Reading, Row, Signal, State
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
                assert reading.statistic == stats.ks_2samp(reference, window, method="exact").statistic
                assert reading.before == pytest.approx(np.mean(reference))
                assert reading.after == pytest.approx(np.mean(window))
                compared += 1
    assert compared > 50


def by_hand(rows: list[Row], config: KsConfig, critical: tuple[float, float]) -> list[tuple[int, str, State, float]]:
    """The signals and their statistics if SciPy compares at every check. `critical` are for warning and drift."""
    references: dict[str, list[float]] = {name: [] for name in rows[0]}
    windows: dict[str, list[float]] = {name: [] for name in rows[0]}
    states = dict.fromkeys(rows[0], State.WARMUP)
    found = []
    for index, row in enumerate(rows):
        for name, value in row.items():
            if isinstance(value, float) and np.isfinite(value):
                (windows if len(references[name]) == config.reference else references)[name].append(value)
        for name, window in windows.items():
            if (index + 1) % config.every or len(window) < config.window:
                continue
            distance = float(stats.ks_2samp(references[name], window[-config.window :], method="asymp").statistic)
            before, states[name] = states[name], State(1 + sum(distance >= least for least in critical))
            if states[name] is State.DRIFT or (states[name] is State.WARNING and before is not State.WARNING):
                found.append((index, name, states[name], distance))
            if states[name] is State.DRIFT:
                references[name], windows[name], states[name] = [], [], State.WARMUP
    return found


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    every=st.sampled_from([1, 1, 2, 3, 7, 12, 13, 25, 30]),
    window=st.integers(30, 60),
    draw=st.sampled_from(list(DRAWS.values())),
    gaps=st.sampled_from([0.0, 0.0, 0.1, 0.5]),
    longest=st.sampled_from([1, 9, 70, 600]),
)
def test_signals_are_those_of_scipy_at_every_check_however_the_stream_is_cut(
    seed: int, every: int, window: int, draw: Callable[[random.Random, int], float], gaps: float, longest: int
) -> None:
    rng = random.Random(seed)
    config = KsConfig(reference=100, window=window, every=every, alpha=0.01, warning_alpha=0.9, min_effect=0.0)
    detector = KolmogorovSmirnov(config, ["x", "y"])
    rows: list[Row] = [
        {name: rng.choice([None, np.nan]) if rng.random() < gaps else draw(rng, 3 * index) for name in "xy"}
        for index in range(280)
    ]
    signals: list[Signal] = []
    start = 0
    while start < len(rows):
        span = rows[start : start + rng.randint(1, longest)]
        signals += [signal._replace(index=start + signal.index) for signal in detector.observe(span)]
        start += len(span)

    whole = KolmogorovSmirnov(config, ["x", "y"])
    assert whole.observe(rows) == signals
    assert whole.readings() == detector.readings()
    root = np.sqrt(100 * window / (100 + window))
    expected = by_hand(rows, config, (special.kolmogi(0.45) / root, special.kolmogi(0.005) / root))
    assert [(index, name, state) for index, name, state, _ in expected] == [
        (signal.index, signal.feature, signal.reading.state) for signal in signals
    ]
    assert [signal.reading.statistic for signal in signals] == pytest.approx([statistic for *_, statistic in expected])


def test_alarms_come_at_the_event_that_brings_the_distance_to_the_threshold() -> None:
    detector = KolmogorovSmirnov(KsConfig(reference=100, window=50, every=1, min_effect=0.6), ["x"])
    usual: list[Row] = [{"x": float(value)} for value in (*range(100), *range(0, 100, 2))]
    assert detector.observe(usual) == []

    [signal] = detector.observe([{"x": 1000.0}] * 50)

    assert signal.index == 29, "0.6 of the window's values are beyond all of the reference"
    assert signal.reading.statistic == 0.6


def test_features_that_fill_at_their_own_pace_do_not_disturb_each_other() -> None:
    rng = random.Random(5)
    config = KsConfig(reference=100, window=40, every=10, alpha=0.01)
    names = [f"f{n}" for n in range(60)]
    rows: list[Row] = [
        {name: rng.gauss(index / 200, 1.0) for n, name in enumerate(names) if rng.random() > n / 100}
        for index in range(700)
    ]
    together = KolmogorovSmirnov(config, names).observe(rows)
    for name in (names[0], names[33], names[59]):
        alone = KolmogorovSmirnov(config.model_copy(update={"alpha": 0.01 / 60}), [name]).observe(rows)
        assert [signal for signal in together if signal.feature == name] == alone
        assert alone


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
