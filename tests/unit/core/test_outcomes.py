"""Labels kept longer for rare classes, and what is reckoned from them."""

from __future__ import annotations

import numpy as np
import pytest

from stream.core.outcomes import MOST_CLASSES, Outcomes, average_precision


def recorded(labels: list[bool], window: int, rare: int) -> Outcomes:
    """These labels, each with its number, from 1, as the output of the only model."""
    outcomes = Outcomes(window, rare)
    outcomes.record([(label, (float(number),)) for number, label in enumerate(labels, start=1)])
    return outcomes


def test_the_last_labels_of_a_rare_class_stay_when_the_window_has_left_them_behind() -> None:
    outcomes = recorded([True] * 3 + [False] * 100, window=10, rare=2)

    sample = outcomes.sample(0)

    assert [number for label, number in zip(sample.labels, sample.outputs, strict=True) if label] == [2.0, 3.0]
    assert sample.labels.count(False) == 10


def test_a_class_weighs_as_much_as_it_is_common_in_the_stream() -> None:
    outcomes = recorded(([False] * 99 + [True]) * 20, window=50, rare=5)

    sample = outcomes.sample(0)

    weights = {label: sample.weights[np.array(sample.labels) == label].sum() for label in (True, False)}
    assert weights[True] == pytest.approx(1 / 100)  # where the window has one in 50
    assert weights[False] == pytest.approx(49 / 50)


def test_with_common_classes_the_sample_is_the_window_and_all_labels_weigh_the_same() -> None:
    outcomes = recorded([True, False] * 100, window=50, rare=5)

    sample = outcomes.sample(0)

    assert sorted(sample.outputs) == [float(number) for number in range(151, 201)]
    assert set(sample.weights) == {1 / 50}


def test_a_class_that_stops_coming_is_kept_no_longer_than_the_rare() -> None:
    outcomes = recorded([True] * 100 + [False] * 100, window=50, rare=5)

    assert outcomes.sample(0).labels.count(True) == 5


def test_classes_beyond_the_bound_are_not_kept() -> None:
    outcomes = Outcomes(10, 1)
    outcomes.record([(f"class {number}", ({},)) for number in range(2 * MOST_CLASSES)])

    assert len(outcomes.sample(0).labels) == MOST_CLASSES


def test_average_precision_is_the_mean_precision_at_the_positives() -> None:
    assert average_precision([0.9, 0.8, 0.7, 0.1], [True, False, True, False]) == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_equal_outputs_are_one_point_of_the_curve() -> None:
    assert average_precision([0.5, 0.5, 0.5, 0.1], [True, False, False, False]) == pytest.approx(1 / 3)


def test_average_precision_of_weighted_labels_is_that_of_as_many_labels() -> None:
    outputs, labels = [0.9, 0.8, 0.7, 0.6], [False, True, False, True]

    weighted = average_precision(outputs, labels, [1, 2, 3, 1])

    repeated = average_precision(np.repeat(outputs, [1, 2, 3, 1]), np.repeat(labels, [1, 2, 3, 1]))
    assert weighted == pytest.approx(repeated)


def test_without_a_positive_there_is_no_curve() -> None:
    assert average_precision([0.1, 0.2], [False, False]) is None
