"""The chi-squared detector against SciPy, its pooling by hand, and its false alarms against alpha."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from detectors.base import Row, State
from detectors.data.chi_squared import ChiSquared, ChiSquaredConfig
from detectors.data.profiles import OTHER

SMALL = ChiSquaredConfig(reference=200, window=100, every=20, alpha=1e-9, min_effect=0.0)


def rows_of(values: list[str]) -> list[Row]:
    return [{"x": value} for value in values]


def test_statistic_and_p_value_equal_scipys_for_two_samples() -> None:
    rng = random.Random(1)
    values = rng.choices("abcd", weights=[4, 3, 2, 1], k=200) + rng.choices("abcd", weights=[3, 3, 2, 2], k=100)
    detector = ChiSquared(SMALL, ["x"])
    detector.observe(rows_of(values))
    before, after = Counter(values[:200]), Counter(values[200:])
    expected = stats.chi2_contingency([[before[c] for c in "abcd"], [after[c] for c in "abcd"]], correction=False)
    reading = detector.readings()["x"]
    assert reading.state is State.STABLE
    assert reading.statistic == pytest.approx(expected.statistic)
    assert reading.p_value == pytest.approx(expected.pvalue)
    assert reading.threshold == pytest.approx(stats.chi2.isf(1e-9, 3))


def test_a_category_of_the_name_other_is_not_taken_for_those_that_are_not_told_apart() -> None:
    rare = [f"r{n}" for n in range(20)]
    reference = ["a"] * 50 + ["b"] * 50 + ["other"] * 80 + rare
    window = ["a"] * 3 + ["b"] * 2 + ["other"] * 85 + rare[:10]
    detector = ChiSquared(SMALL, ["x"])
    (reading,) = [one.reading for one in detector.observe(rows_of(reference + window))]

    assert reading.detail == "other"
    assert reading.known is not None
    assert reading.known["other"] == pytest.approx(0.4)
    assert reading.known[OTHER] == pytest.approx(0.065)


def test_rare_and_unseen_categories_are_pooled() -> None:
    reference = ["a"] * 120 + ["b"] * 76 + ["r1", "r2", "r3", "r4"]
    window = ["a"] * 62 + ["b"] * 20 + ["new"] * 16 + ["r1", "newer"]
    detector = ChiSquared(SMALL, ["x"])
    detector.observe(rows_of(reference + window))
    expected = stats.chi2_contingency([[120, 76, 4], [62, 20, 18]], correction=False)
    reading = detector.readings()["x"]
    assert reading.statistic == pytest.approx(expected.statistic)
    assert (reading.before, reading.after) == (0.38, 0.2)
    assert reading.detail == "b"


def test_a_pool_that_is_still_too_small_takes_in_the_rarest_category() -> None:
    reference = ["a"] * 120 + ["b"] * 77 + ["r1", "r2", "r3"]
    detector = ChiSquared(SMALL, ["x"])
    detector.observe(rows_of(reference + ["a"] * 50 + ["b"] * 50))
    expected = stats.chi2_contingency([[120, 80], [50, 50]], correction=False)
    assert detector.readings()["x"].statistic == pytest.approx(expected.statistic)


def test_categories_beyond_the_limit_count_as_other() -> None:
    config = ChiSquaredConfig(reference=200, window=100, every=20, max_categories=2, min_effect=0.0)
    detector = ChiSquared(config, ["x"])
    detector.observe(rows_of(["a", "a", "b", "b", "c"] * 40 + ["a", "b", "c", "c", "c"] * 19))
    signals = detector.observe(rows_of(["a", "b", "c", "c", "c"]))
    assert [signal.reading.state for signal in signals] == [State.DRIFT]
    assert signals[0].reading.detail == OTHER
    assert (signals[0].reading.before, signals[0].reading.after) == (0.2, 0.6)
    assert signals[0].reading.direction == "up"


def test_the_category_that_changed_most_is_named() -> None:
    detector = ChiSquared(SMALL, ["x"])
    (signal,) = detector.observe(rows_of(["a", "a", "b", "b", "c"] * 40 + ["b", "b", "b", "b", "a"] * 20))
    assert (signal.reading.detail, signal.reading.before, signal.reading.after) == ("b", 0.4, 0.8)
    assert signal.feature == "x"


def test_one_category_alone_is_stable() -> None:
    detector = ChiSquared(SMALL, ["x"])
    assert detector.observe(rows_of(["a"] * 600)) == []
    assert detector.readings()["x"].p_value == 1.0


def test_false_alarms_at_one_check_stay_within_alpha_over_all_features() -> None:
    rng = np.random.default_rng(3)
    config = ChiSquaredConfig(reference=200, window=100, every=100, alpha=0.2, min_effect=0.0)
    features = ["a", "b", "c", "d"]
    alarms = 0
    for _ in range(300):
        rows: list[Row] = [dict(zip(features, v, strict=True)) for v in rng.integers(0, 5, size=(300, 4)).tolist()]
        alarms += bool(ChiSquared(config, features).observe(rows))
    assert 0.08 * 300 < alarms < 0.26 * 300


@pytest.mark.parametrize(("reference", "window", "alarms"), [(1000, 500, True), (2000, 1000, False)])
def test_shares_that_go_round_are_no_drift_to_windows_of_whole_rounds(
    reference: int, window: int, alarms: bool
) -> None:
    rng = random.Random(1)
    rows: list[Row] = [
        {"x": "a" if rng.random() < 0.3 + 0.2 * math.sin(index * math.tau / 1000) else "b"} for index in range(30_000)
    ]
    config = ChiSquaredConfig(reference=reference, window=window, run_length=100_000)

    found = [signal for signal in ChiSquared(config, ["x"]).observe(rows) if signal.reading.state is State.DRIFT]

    assert bool(found) is alarms
