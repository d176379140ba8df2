"""When a change began, by windows whose change is known."""

from __future__ import annotations

import sys
from statistics import median

import numpy as np
import pytest

from detectors.data.change_point import changed_since, numbers_changed_since
from detectors.data.ks import KolmogorovSmirnov, KsConfig


def errors_of(mean: float, deviation: float, changed: int, *, reference: int = 1000, window: int = 500) -> list[int]:
    """How many values too many are said to be changed, of 40 windows whose newest ones are of another distribution."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(40):
        known = np.sort(rng.normal(size=reference))
        values = np.concatenate([rng.normal(size=window - changed), rng.normal(mean, deviation, size=changed)])
        found.append(numbers_changed_since(known, values) - changed)
    return found


@pytest.mark.parametrize(
    ("mean", "deviation", "changed", "within"),
    [(1.0, 1.0, 80, 5), (-0.5, 1.0, 200, 15), (0.0, 2.0, 100, 8), (0.0, 0.5, 100, 5), (2.0, 1.0, 480, 2)],
)
def test_a_change_of_numbers_is_placed_to_within_a_few_values(
    mean: float, deviation: float, changed: int, within: int
) -> None:
    found = errors_of(mean, deviation, changed)
    assert median(map(abs, found)) <= within
    assert abs(median(found)) <= within


def test_a_small_reference_and_a_small_window_place_it_too() -> None:
    assert median(map(abs, errors_of(1.5, 1.0, 30, reference=100, window=60))) <= 4


def test_of_shares_the_moment_is_that_from_which_all_are_others() -> None:
    reference = np.array([600, 400, 0])
    slots = np.array([0, 1, 0, 0, 1] * 20 + [2] * 30)
    assert changed_since(reference, slots) == 30


def test_a_window_that_is_other_from_its_beginning_gives_its_length() -> None:
    assert changed_since(np.array([500, 500, 0]), np.array([2] * 70)) == 70


def test_slots_that_nothing_falls_into_change_nothing() -> None:
    rng = np.random.default_rng(1)
    slots = np.concatenate([rng.integers(0, 5, 200), rng.integers(2, 5, 60)])
    full = changed_since(np.full(5, 200), slots)
    assert full == pytest.approx(60, abs=8)
    assert changed_since(np.array([200] * 5 + [0] * 900), slots) == full


def test_of_a_constant_reference_what_is_below_or_above_is_told_from_it() -> None:
    known = np.full(200, 3.0)
    for other in (2.0, 4.0):
        assert numbers_changed_since(known, np.array([3.0] * 60 + [other] * 40)) == 40


def test_the_ends_of_the_range_of_a_float_are_values_like_others() -> None:
    largest = sys.float_info.max
    known = np.sort(np.array([-largest, largest] * 100))
    assert numbers_changed_since(known, np.array([-largest, largest] * 30 + [0.0] * 40)) == 40


@pytest.mark.parametrize("first", [0, 1, 37, 63])
def test_the_order_is_that_of_arrival_wherever_the_ring_begins(first: int) -> None:
    rng = np.random.default_rng(first)
    detector = KolmogorovSmirnov(KsConfig(reference=100, window=64, every=1, min_effect=0.3), ["x"])
    values = np.concatenate([rng.normal(size=264 + first), rng.normal(3.0, size=64)])
    (signal,) = detector.observe([{"x": value} for value in values.tolist()])
    assert signal.reading.changed_n is not None
    assert signal.index + 1 - signal.reading.changed_n == pytest.approx(264 + first, abs=3)
