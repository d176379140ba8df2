"""Schema changes: what counts as one, what does not, and what the alarm says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from detectors.base import Reading, Row, State, Value
from detectors.data.schema import Schema, SchemaConfig


def after(reference: list[Any], window: list[Any], **options: Any) -> Reading:
    """The reading after a reference and a window, each made of these values in turn."""
    detector = Schema(SchemaConfig(reference=200, window=100, every=100, **options), ["x"])
    values = [reference[index % len(reference)] for index in range(200)]
    values += [window[index % len(window)] for index in range(100)]
    detector.observe([{"x": value} for value in values])
    return detector.readings()["x"]


@pytest.mark.parametrize(
    ("reference", "window", "detail"),
    [
        ([1.5], ["1.5"], "text instead of number"),
        ([1.5, 2], [True], "boolean instead of number"),
        (["a"], [3], "number instead of text"),
        ([1.5], [None], "missing instead of number"),
        ([None], [1.5], "number instead of missing"),
        ([1.5], [1.5, math.nan], "not finite instead of number"),
        ([1.5], [1.5, np.float64(math.inf)], "not finite instead of number"),
        (["a"], [["a"]], "other instead of text"),
        ([1.5, None], [None], "missing instead of number"),
        (["a", 1.5], [1.5], "number instead of text"),
    ],
)
def test_values_of_another_kind_and_features_that_vanish_or_appear_are_an_alarm(
    reference: list[Any], window: list[Any], detail: str
) -> None:
    reading = after(reference, window)

    assert reading.state is State.DRIFT
    assert reading.detail == detail
    assert reading.statistic is not None
    assert reading.threshold is not None
    assert reading.statistic >= reading.threshold


@pytest.mark.parametrize(
    ("reference", "window"),
    [
        ([1.5], [-3, 1e9, 0.0]),
        ([1.5, 2.5, None], [1.5, None]),
        ([1.5, None], [2.5]),
        ([1.5, "a"], ["a", "b", "c", 1.5]),
        ([math.nan, 1.5], [1.5, math.inf]),
    ],
    ids=str,
)
def test_other_values_and_other_shares_of_the_same_kinds_are_none(reference: list[Any], window: list[Any]) -> None:
    reading = after(reference, window)

    assert reading.state is State.STABLE
    assert (reading.direction, reading.detail) == (None, None)


def test_the_shares_are_of_the_kind_that_is_new_or_else_of_the_one_that_is_gone() -> None:
    new, both, gone = after([1.5], [1.5, "a"]), after([1.5], ["a"]), after([1.5, None], [None])

    assert (new.before, new.after, new.direction) == (0.0, 0.5, "up")
    assert (both.before, both.after, both.direction) == (0.0, 1.0, "up")
    assert (gone.before, gone.after, gone.direction) == (0.5, 0.0, "down")


def test_a_signal_shows_the_shares_of_the_kinds_that_there_are() -> None:
    values: list[Value] = [1.0, 2, "a", 4.0] * 50
    values += [1.0] * 60
    values += ["a", None] * 20
    rows: list[Row] = [{"x": value} for value in values]
    (signal,) = Schema(SchemaConfig(reference=200, window=100, every=100), ["x"]).observe(rows)

    assert signal.reading.known == {"number": 0.75, "text": 0.25, "missing": 0.0, "(other)": 0.0}
    assert signal.reading.seen == {"number": 0.6, "text": 0.2, "missing": 0.2, "(other)": 0.0}
    assert signal.reading.changed_n == pytest.approx(40, abs=3)
    assert signal.reading.effect == pytest.approx(0.75, abs=0.03)


def test_a_few_values_of_a_new_kind_take_more_to_be_an_alarm_the_longer_the_run() -> None:
    few: list[Any] = ["a"] * 9 + [1.5] * 91

    assert after([1.5], few, run_length=1000).state is State.DRIFT
    assert after([1.5], few, run_length=1e9).state is State.STABLE


def test_a_warning_comes_before_the_alarm() -> None:
    few: list[Any] = ["a"] * 5 + [1.5] * 95

    assert after([1.5], few, warning_alpha=0.05).state is State.WARNING
