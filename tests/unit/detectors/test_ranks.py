"""Ranks among several references, against NumPy's binary search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.data.ranks import Ranks
from detectors.data.windowed import Floats, Ints

SIZE = 100
FLOATS = st.floats(-1e308, 1e308)
POINTS = st.lists(st.one_of(FLOATS, st.floats(-1, 1)), min_size=1, max_size=SIZE, unique=True)


def by_search(ranks: Ranks, references: list[Floats], values: Floats) -> Ints:
    return np.array(
        [
            number * ranks.width + 2 * points.searchsorted(row) + np.isin(row, points)
            for number, (points, row) in enumerate(zip(references, values, strict=True))
        ]
    )


@settings(max_examples=30, deadline=None)
@given(references=st.lists(POINTS, min_size=1, max_size=4), others=st.lists(FLOATS, min_size=1, max_size=20))
def test_slots_are_those_of_a_binary_search_for_any_finite_numbers(
    references: list[list[float]], others: list[float]
) -> None:
    ranks = Ranks(len(references), SIZE)
    points = [np.unique(reference) for reference in references]
    for number, known in enumerate(points):
        ranks.learn(number, known)
    for number, known in enumerate(points):
        values = np.zeros((len(points), 3 * len(known) + len(others)))
        values[number] = np.concatenate([known, np.nextafter(known, np.inf), np.nextafter(known, -np.inf), others])
        assert (ranks.slots(values)[number] == by_search(ranks, points, values)[number]).all()


@pytest.mark.parametrize("spread", [1.0, 50.0, 1e-300])
def test_a_reference_learnt_anew_counts_and_the_others_stay(spread: float) -> None:
    rng = np.random.default_rng(1)
    ranks = Ranks(70, 1000)
    references = [np.unique(rng.normal(size=1000)) for _ in range(70)]
    for number, points in enumerate(references):
        ranks.learn(number, points)
    references[3] = np.unique(np.exp(spread * rng.normal(size=1000)))

    ranks.learn(3, references[3])

    values = rng.normal(size=(70, 200))
    values[3] = np.exp(spread * rng.normal(size=200))
    assert (ranks.slots(values) == by_search(ranks, references, values)).all()
