"""What a signal says of the values before and after, beside the numbers that raised it."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from detectors.base import DataDetector, Reading, Row, State
from detectors.data.chi_squared import ChiSquared, ChiSquaredConfig
from detectors.data.ks import KolmogorovSmirnov, KsConfig
from detectors.data.new_category import NewCategory, NewCategoryConfig
from detectors.data.profiles import OTHER, quantiles, shares
from detectors.data.psi import Psi, PsiConfig
from detectors.data.wasserstein import Wasserstein, WassersteinConfig

SIZES: dict[str, Any] = {"reference": 200, "window": 100, "every": 100}


def signal_of(detector: DataDetector[Any], values: list[Any]) -> Reading:
    """The one signal that values of one feature raise."""
    rows: list[Row] = [{"x": value} for value in values]
    (signal,) = detector.observe(rows)
    return signal.reading


def test_quantiles_are_values_that_were_there() -> None:
    assert quantiles(np.arange(1.0, 101.0)) == {"p05": 5.0, "p25": 25.0, "p50": 50.0, "p75": 75.0, "p95": 95.0}
    assert set(quantiles(np.array([2.0, 7.0])).values()) == {2.0, 7.0}
    assert set(quantiles(np.array([4.0])).values()) == {4.0}


def test_shares_are_of_the_most_frequent_in_both_and_the_rest_is_others() -> None:
    known = Counter({f"k{index}": 10 for index in range(9)} | {"rare": 10})
    known["k0"] += 100
    seen = Counter({"new": 50, "k0": 30, "k1": 20})
    before, after = shares(known, seen)
    assert list(before) == list(after)
    assert list(before)[:2] == ["k0", "new"]
    assert len(before) == 11
    assert (before["k0"], before["new"], after["new"]) == (110 / 200, 0.0, 0.5)
    assert (before[OTHER], after[OTHER]) == (10 / 200, 0.0)


def test_a_category_that_is_called_other_counts_as_one_of_them() -> None:
    before, after = shares(Counter({"a": 3, OTHER: 1}), Counter({"a": 1, OTHER: 1}))
    assert (before, after) == ({"a": 0.75, OTHER: 0.25}, {"a": 0.5, OTHER: 0.5})


@pytest.mark.parametrize(
    "detector",
    [
        KolmogorovSmirnov(KsConfig(**SIZES), ["x"]),
        Psi(PsiConfig(**SIZES), ["x"]),
        Wasserstein(WassersteinConfig(**SIZES), ["x"]),
    ],
    ids=lambda detector: detector.config.kind,
)
def test_numbers_have_the_quantiles_of_reference_and_window(detector: DataDetector[Any]) -> None:
    rng = random.Random(2)
    before, after = [rng.gauss(0.1, 0.7) for _ in range(200)], [rng.gauss(1.3, 0.7) for _ in range(100)]
    reading = signal_of(detector, [*before, *after])
    assert (reading.known, reading.seen) == (quantiles(np.sort(before)), quantiles(np.sort(after)))
    assert reading.effect == pytest.approx(0.6, abs=0.1)  # of normal values 1.7 deviations apart


def test_categories_have_their_shares_and_those_out_of_the_reference_are_others() -> None:
    detector = ChiSquared(ChiSquaredConfig(**SIZES), ["x"])
    reading = signal_of(detector, ["a", "b", "a", 1] * 50 + ["a", "c"] * 50)
    assert reading.known == {"a": 0.5, "b": 0.25, "1": 0.25, OTHER: 0.0}
    assert reading.seen == {"a": 0.5, "b": 0.0, "1": 0.0, OTHER: 0.5}
    assert reading.effect == pytest.approx(0.5, abs=0.01)


def test_categories_of_one_name_stand_together() -> None:
    detector = ChiSquared(ChiSquaredConfig(**SIZES), ["x"])
    reading = signal_of(detector, ["1", 1] * 100 + ["2", 1] * 50)
    assert reading.known == {"1": 1.0, OTHER: 0.0}
    assert reading.seen == {"1": 0.5, OTHER: 0.5}


def test_new_categories_are_shown_among_all_others() -> None:
    detector = NewCategory(NewCategoryConfig(**SIZES), ["x"])
    reading = signal_of(detector, ["a", "b"] * 100 + ["a"] * 70 + ["new", "new", "newer"] * 10)
    assert reading.known == {"new": 0.0, "newer": 0.0, OTHER: 1.0}
    assert reading.seen == {"new": 0.2, "newer": 0.1, OTHER: 0.7}
    assert reading.changed_n == 30
    assert reading.effect == 1.0


def test_the_size_of_a_change_is_the_same_however_soon_it_is_found() -> None:
    rng = random.Random(4)
    values = [rng.gauss(0.0 if index < 1500 else 1.0, 1.0) for index in range(2200)]
    effects = []
    for every, window in ((1, 500), (100, 500), (300, 300)):
        detector = KolmogorovSmirnov(KsConfig(every=every, window=window), ["x"])
        reading = next(
            signal.reading
            for signal in detector.observe([{"x": value} for value in values])
            if signal.reading.state is State.DRIFT
        )
        effects.append(reading.effect)
    assert effects == pytest.approx([0.383] * 3, abs=0.08)  # of normal values one deviation apart
