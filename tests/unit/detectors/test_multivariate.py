"""Whole rows against a reference: what no single feature shows, who is named, and how long it stays silent."""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np
import pytest

from detectors.base import Reading, Row, State
from detectors.data.ks import KolmogorovSmirnov, KsConfig
from detectors.data.multivariate import Multivariate, MultivariateConfig
from detectors.data.windowed import Floats

NAMES = [f"f{number}" for number in range(6)]


def rows_of(values: Floats) -> list[Row]:
    return [dict(zip(NAMES, row, strict=False)) for row in values.tolist()]


def normal(rows: int, seed: int, features: int = 6) -> Floats:
    return np.random.default_rng(seed).normal(size=(rows, features))


def correlated(rows: int, seed: int, by: float) -> Floats:
    """Standard normal values of which the third and the fifth are correlated."""
    values = normal(rows, seed)
    values[:, 4] = by * values[:, 2] + np.sqrt(1.0 - by * by) * values[:, 4]
    return values


def watch(values: Floats, **options: Any) -> list[tuple[int, Reading]]:
    names = NAMES[: values.shape[1]]
    config = MultivariateConfig.model_validate({"every": 20, "run_length": 1e6, **options})
    signals = Multivariate(config, names).observe(rows_of(values))
    assert {signal.feature for signal in signals} <= {None}
    return [(signal.index, signal.reading) for signal in signals]


def test_it_finds_a_change_of_correlation_that_ks_on_each_feature_does_not_see() -> None:
    values = np.concatenate([normal(2000, 1), correlated(1000, 2, 0.7)])
    ks = KolmogorovSmirnov(KsConfig(every=20, run_length=1e6), NAMES)

    (index, reading), *_ = watch(values)

    assert ks.observe(rows_of(values)) == []
    assert 2000 < index < 2500
    assert reading.state is State.DRIFT
    assert reading.detail == "correlation of f2 and f4"
    assert reading.direction == "up"
    assert reading.before == pytest.approx(0.0, abs=0.1)
    assert reading.after is not None
    assert reading.after > 0.3


def test_it_finds_a_sum_of_moves_each_of_which_is_too_small_to_see() -> None:
    values = normal(3000, 3)
    values[1500:] += 0.25

    (index, _), *_ = watch(values)

    assert index > 1500


@pytest.mark.parametrize("moved", [0.0, 1.0])
def test_the_beginning_and_the_size_of_a_change_are_those_of_all_features_together(moved: float) -> None:
    late, sizes = [], []
    for seed in range(6):
        values = normal(2100, seed, features=4)
        values[1403:, 1] = moved + (values[1403:, 1] if moved else 0.8 * values[1403:, 0] + 0.6 * values[1403:, 1])
        (index, reading), *_ = watch(values)
        assert reading.changed_n is not None
        assert reading.effect is not None
        assert (reading.known, reading.seen) == (None, None)
        late.append(abs(index + 1 - reading.changed_n - 1403))
        sizes.append(reading.effect)
    assert median(late) <= 5
    assert median(sizes) == pytest.approx(0.35, abs=0.08)


def test_a_feature_that_moved_is_named_with_the_chance_that_a_value_is_larger() -> None:
    values = normal(3000, 4)
    values[1500:, 3] -= 1.0

    (_, reading), *_ = watch(values)

    assert reading.detail == "f3"
    assert (reading.before, reading.direction) == (0.5, "down")
    assert reading.after is not None
    assert 0.2 < reading.after < 0.5


def test_a_monotone_change_of_scale_makes_no_difference() -> None:
    values = np.concatenate([normal(2000, 5), correlated(1000, 6, 0.8)])
    assert watch(np.exp(3.0 * values)) == watch(values)


def test_more_features_than_components_are_watched_too() -> None:
    rng = np.random.default_rng(7)
    common = rng.normal(size=(3000, 1))
    together = (np.arange(3000) >= 2000)[:, np.newaxis]
    values = np.where(together, 0.6 * common, 0.0) + np.where(together, 0.8, 1.0) * rng.normal(size=(3000, 40))
    names = [f"f{number}" for number in range(40)]
    detector = Multivariate(MultivariateConfig(every=20, run_length=1e6), names)

    signals = detector.observe([dict(zip(names, row, strict=True)) for row in values.tolist()])

    assert signals[0].index > 2000
    assert signals[0].reading.detail is not None
    assert signals[0].reading.detail.startswith("correlation of f")


def test_features_that_are_copies_of_each_other_are_no_alarm_of_themselves() -> None:
    values = normal(4000, 8)
    values[:, 1] = values[:, 0]
    values[:, 2] = 7.0
    assert watch(values) == []


def test_the_same_seed_gives_the_same_readings_and_another_one_others() -> None:
    values = np.concatenate([normal(1500, 9), correlated(500, 10, 0.8)])
    assert watch(values, seed=3) == watch(values, seed=3)
    assert watch(values, seed=3) != watch(values, seed=4)


def test_runs_are_as_long_as_stated() -> None:
    reference, window, run_length, rows = 200, 50, 2000, 60_000
    found = watch(
        normal(rows, 11, features=3),
        reference=reference,
        window=window,
        every=50,
        run_length=run_length,
        min_effect=0.0,
        components=8,
    )

    seen = (rows - (len(found) + 1) * (reference + window)) / len(found)
    assert 0.8 * run_length < seen < 3 * run_length


def test_the_least_effect_is_a_further_demand() -> None:
    values = np.concatenate([normal(1500, 12), correlated(1000, 13, 0.8)])
    assert watch(values) != []
    assert watch(values, min_effect=3.0) == []
