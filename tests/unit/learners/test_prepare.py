"""Encoders, moments and coders: what goes into an estimator is finite and bounded, what comes out is in range."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest

from learners.base import Problem
from learners.moments import SPREAD, UNSEEN, finite, update
from learners.prepare import ClipAndCode, ScaleAndFlag, usable
from learners.target import BinaryCoder, ClassCoder, NumberCoder, coder_for


def test_moments_are_those_of_the_values_seen() -> None:
    values = [3.0, 5.0, 11.0, 4.0, 8.0]
    moments = UNSEEN
    for value in values:
        moments = update(moments, value)
    n, mean, _, inverse = moments
    assert n == 5
    assert mean == pytest.approx(statistics.fmean(values))
    assert 1 / inverse == pytest.approx(statistics.pstdev(values))


def test_one_outlier_hardly_moves_the_moments() -> None:
    moments = UNSEEN
    for turn in range(1000):
        moments = update(moments, float(turn % 10))
    _, mean, _, inverse = update(moments, 1e25)
    assert mean == pytest.approx(4.5, abs=0.1)
    assert 1 / inverse == pytest.approx(2.87, abs=0.2)


def test_moments_follow_a_feature_that_moved_far_away() -> None:
    moments = UNSEEN
    for turn in range(100):
        moments = update(moments, float(turn % 10))
    for turn in range(2000):
        moments = update(moments, 1e6 + turn % 10)
    assert moments[1] > 0.8e6


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "1", [1], {}, b"1"])
def test_what_is_not_a_finite_number_is_none(value: Any) -> None:
    assert finite(value) is None


def test_a_number_too_large_for_a_float_is_the_limit() -> None:
    assert finite(10**400) == 1e30
    assert finite(-1e308) == -1e30


def trained(encoder: Any) -> Any:
    for turn in range(50):
        encoder.take({"a": float(turn % 10), "c": "xyz"[turn % 3]})
    return encoder


def test_numbers_are_standardised_and_categories_and_gaps_flagged() -> None:
    encoder = trained(ScaleAndFlag(("a", "b"), ("c", "d")))
    out = encoder.transform_one({"a": 4.5, "c": "x", "ignored": 1})
    assert out == {"a": pytest.approx(0.0), "b?": 1.0, "c=x": 1.0, "d?": 1.0}


def test_gaps_are_not_flagged_when_told_so() -> None:
    encoder = trained(ScaleAndFlag(("a", "b"), ("c", "d"), missing_indicator=False))
    assert encoder.transform_one({"c": "x"}) == {"c=x": 1.0}


def test_an_unseen_category_shares_the_flag_of_the_rare_ones() -> None:
    encoder = trained(ScaleAndFlag((), ("c",), max_categories=2))
    assert encoder.transform_one({"c": "z"}) == encoder.transform_one({"c": "unseen"}) == {"c=*": 1.0}


def test_trees_get_every_feature_in_its_own_unit_with_the_mean_for_gaps() -> None:
    encoder = trained(ClipAndCode(("a", "b"), ("c", "d")))
    assert encoder.transform_one({"a": 7, "c": "y"}) == {"a": 7.0, "b": 0.0, "c": 3, "d": 0}
    assert encoder.transform_one({"c": "unseen"}) == {"a": pytest.approx(4.5), "b": 0.0, "c": 1, "d": 0}


@pytest.mark.parametrize(
    "encoder", [ScaleAndFlag(("a",)), ClipAndCode(("a",), standardise=True)], ids=["linear", "tree"]
)
@pytest.mark.parametrize(("value", "reach"), [(1e308, SPREAD), (-(10**400), -SPREAD)])
def test_a_wild_number_is_pulled_in(encoder: Any, value: float, reach: float) -> None:
    assert trained(encoder).transform_one({"a": value})["a"] == pytest.approx(reach)


@pytest.mark.parametrize("encoder", [ScaleAndFlag(("a",), ("c",)), ClipAndCode(("a",), ("c",))], ids=["linear", "tree"])
def test_transforming_changes_nothing_and_taking_equals_learning_then_transforming(encoder: Any) -> None:
    one, other = trained(encoder), trained(type(encoder)(("a",), ("c",)))
    rows = [{"a": 3, "c": "new"}, {"a": None}, {"a": "x", "c": 1}, {"a": 99.0, "c": True}]
    one.transform_one({"a": 1e9, "c": "never learned"})
    for row in rows:
        other.learn_one(row)
        assert one.take(row) == pytest.approx(other.transform_one(row))


def test_a_river_estimator_gets_the_usable_features_only() -> None:
    row = {"a": 1.5, "b": math.nan, "c": "x", "d": None, "e": 10**400, "f": 3, "g": True}
    assert usable(row, ("a", "b", "e", "f", "missing"), ("c", "d", "g")) == {
        "a": 1.5,
        "e": 1e30,
        "f": 3.0,
        "c": "x",
        "g": True,
    }


def test_binary_outputs_are_shares_and_doubt_is_a_half() -> None:
    coder = BinaryCoder()
    assert coder.decode({True: 3.0, False: 1.0}) == 0.75
    assert (
        coder.decode({}) == coder.decode({True: math.nan, False: 1.0}) == coder.decode({True: -1.0, False: 3.0}) == 0.5
    )


def test_classes_beyond_the_bound_are_left_out() -> None:
    coder = ClassCoder(max_classes=2)
    assert [coder.encode(text) for text in ("a", "b", "c", "a")] == [0, 1, None, 0]
    assert coder.decode({0: 0.2, 1: 0.6}) == {"a": pytest.approx(0.25), "b": pytest.approx(0.75)}


@pytest.mark.parametrize("said", [{}, {0: math.nan, 1: 0.5}, {0: math.inf}])
def test_classes_are_equal_where_the_estimator_has_no_sound_opinion(said: dict[int, float]) -> None:
    coder = ClassCoder(max_classes=2)
    for text in ("a", "b"):
        coder.encode(text)
    assert coder.decode(said) == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize("standardise", [True, False])
def test_numbers_come_back_in_their_unit_and_within_the_labels_range(standardise: bool) -> None:
    coder = NumberCoder(standardise)
    for label in range(1_000_000, 1_000_100):
        encoded = coder.encode(label)
    assert encoded is not None
    assert coder.decode(encoded) == pytest.approx(1_000_099)
    assert coder.decode(math.nan) == pytest.approx(1_000_049.5)
    assert coder.decode(1e300) < 1_001_000


def test_a_number_label_that_is_not_finite_is_left_out() -> None:
    assert NumberCoder(standardise=True).encode(math.nan) is None


def test_each_problem_has_its_coder() -> None:
    kinds = [type(coder_for(problem, max_classes=3)) for problem in Problem]
    assert kinds == [BinaryCoder, ClassCoder, NumberCoder]
