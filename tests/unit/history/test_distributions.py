"""What values of features were like, of one partition and of several."""

from __future__ import annotations

import numpy as np
import pytest

from stream.history.answers import CategoryValues, NumberValues
from stream.history.distributions import LEVELS, MOST, of_categories, of_numbers, sources, together


def test_numbers_are_told_by_21_quantiles_and_the_share_that_is_missing() -> None:
    told = of_numbers(np.array([*range(101), np.nan, np.nan, np.nan, np.nan]), "there", 1.0)

    assert len(LEVELS) == 21
    assert told.quantiles == tuple(pytest.approx(100 * level) for level in LEVELS)
    assert told.missing == pytest.approx(4 / 105)


def test_categories_are_told_by_the_shares_of_the_most_frequent() -> None:
    told = of_categories(["a"] * 60 + ["b"] * 30 + [None] * 10 + [f"r{n}" for n in range(30)], "there", 1.0)

    assert len(told.shares) == MOST
    assert (told.shares["a"], told.shares["b"], told.missing) == (0.5, 0.25, 10 / 130)


def test_of_no_values_nothing_is_told() -> None:
    assert of_numbers(np.array([np.nan]), "there", 1.0).quantiles == ()
    assert together([], numeric=True) is None


def test_quantiles_of_several_partitions_are_those_of_all_their_values() -> None:
    rng = np.random.default_rng(1)
    few, many = rng.normal(10.0, 1.0, 500), rng.normal(0.0, 1.0, 4500)

    told = together([of_numbers(few, "", 0.0), of_numbers(many, "", 0.0)], numeric=True)

    assert isinstance(told, NumberValues)
    assert told.n == 5000
    exact = np.quantile(np.concatenate([few, many]), [0.25, 0.5, 0.75])
    assert [told.quantiles[level] for level in ("0.25", "0.5", "0.75")] == pytest.approx(exact.tolist(), abs=0.1)
    assert told.quantiles["0.95"] > 8.0


def test_shares_of_several_partitions_are_weighted_by_their_values() -> None:
    told = together([of_categories(["a"] * 30, "", 0.0), of_categories(["b"] * 10, "", 0.0)], numeric=False)

    assert told == CategoryValues(n=40, shares={"a": 0.75, "b": 0.25}, missing=0.0)


def test_values_that_are_missing_weigh_nothing() -> None:
    gappy = ["a"] * 10 + [None] * 30
    told = together([of_categories(gappy, "", 0.0), of_categories(["b"] * 10, "", 0.0)], numeric=False)

    assert told == CategoryValues(n=50, shares={"a": 0.5, "b": 0.5}, missing=0.6)


@pytest.mark.parametrize(
    ("of", "said"),
    [("", None), ("aaa", "a"), ("baa", "a; b"), ("baacd", "a; b; another one in 2 more partitions")],
)
def test_where_they_are_from_is_said_once_the_commonest_first_and_not_without_end(of: str, said: str | None) -> None:
    assert sources([of_categories([], source, 0.0) for source in of]) == said
