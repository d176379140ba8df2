"""How far values of features depend on those before them: measured now and then, told of with the alarms it spoils."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Callable, Iterator, Sequence

import pytest

from detectors.base import Row, State
from detectors.data.chi_squared import ChiSquaredConfig
from detectors.data.feature_blocks import FeatureBlocksConfig
from detectors.data.ks import KsConfig
from detectors.data.multivariate import MultivariateConfig
from detectors.dependence import FeatureDependence
from detectors.registry import DataConfig
from detectors.watch import FeatureWatch, watch_features

PAIR = 1024
ENOUGH = 16 * PAIR
"""Rows after which something is said."""


def independent(seed: int) -> Iterator[float]:
    rng = random.Random(seed)
    while True:
        yield rng.gauss(0.0, 1.0)


def dependent(seed: int) -> Iterator[float]:
    """Nine tenths of each are the one before: 19 of many say as much of their mean as one."""
    value = 0.0
    for step in independent(seed):
        value = 0.9 * value + step
        yield value


def rows(n: int, **streams: Iterator[float | None]) -> list[Row]:
    return [{name: next(stream) for name, stream in streams.items()} for _ in range(n)]


def measured(taken: Sequence[Row]) -> FeatureDependence:
    dependence = FeatureDependence(sorted(taken[0]))
    dependence.observe(taken)
    return dependence


def watch(config: DataConfig, **features: list[str]) -> FeatureWatch:
    made = watch_features(config, features.get("numeric", []), features.get("categorical", []))
    assert isinstance(made, FeatureWatch)
    return made


def test_the_factor_says_how_many_values_say_as_much_as_one() -> None:
    many = rows(ENOUGH, **{f"d{i}": dependent(i) for i in range(6)}, **{f"i{i}": independent(i) for i in range(6)})

    factors = measured(many).factors()

    assert sum(factors[f"d{i}"] for i in range(6)) / 6 == pytest.approx(18.6, rel=0.3)
    assert sum(factors[f"i{i}"] for i in range(6)) / 6 == pytest.approx(1.2, abs=0.3)  # it is never told below 1


def test_before_there_is_enough_nothing_is_said() -> None:
    assert measured(rows(ENOUGH - 1, a=independent(1))).factors() == {}
    assert measured(rows(ENOUGH, a=independent(1))).factors().keys() == {"a"}


def test_a_change_of_level_is_no_dependence() -> None:
    before, after = rows(9000, a=independent(1)), rows(ENOUGH - 9000, a=(5.0 + value for value in independent(2)))

    assert measured(before + after).factors()["a"] < 2


def test_of_values_far_from_zero_the_spread_counts() -> None:
    values = rows(ENOUGH, a=independent(3))
    far = [{"a": 1.7e9 + float(row["a"] or 0.0)} for row in values]

    assert measured(far).factors()["a"] == pytest.approx(measured(values).factors()["a"], rel=1e-3)


@pytest.mark.parametrize(
    ("told", "value"),
    [
        (True, lambda i: None if i % 3 == 0 else i * i % 7.0),
        (False, lambda i: None if i % 3 else i * i % 7.0),  # most are missing
        (False, lambda i: "text"),
        (False, lambda i: 2.0),
        (False, lambda i: 1e308 if i % 2 else -1e308),
        (False, lambda i: 1e200 if i % 2 else -1e200),  # whose squares alone are too large
        (False, lambda i: math.nan if i % 2 else math.inf),
    ],
)
def test_what_cannot_be_measured_is_not(told: bool, value: Callable[[int], float | str | None]) -> None:
    assert ("a" in measured([{"a": value(i)} for i in range(ENOUGH)]).factors()) == told


def test_after_enough_one_of_sixteen_pairs_is_looked_at() -> None:
    first, between, next_ = rows(ENOUGH, a=dependent(4)), 15 * PAIR, rows(PAIR, a=dependent(5))
    nothing, other = list[Row]([{}] * between), rows(between, a=independent(6))

    factors = [measured(first + skipped + next_).factors()["a"] for skipped in (nothing, other)]

    assert factors[0] == factors[1] != measured(first).factors()["a"]


def test_neither_cuts_nor_saving_make_a_difference() -> None:
    taken, cut = rows(ENOUGH + 18 * PAIR, a=dependent(7), b=independent(7)), random.Random(8)
    dependence, start = FeatureDependence(["a", "b"]), 0
    while start < len(taken):
        end = start + cut.choice([1, 25, 700])
        dependence.observe(taken[start:end])
        if cut.random() < 0.1:
            dependence = pickle.loads(pickle.dumps(dependence))
        start = end

    assert dependence.factors() == measured(taken).factors()


def test_what_is_saved_does_not_grow_and_has_only_what_is_looked_at() -> None:
    dependence = FeatureDependence(["a"])
    saved = []
    for _ in range(6):
        dependence.observe([{"a": 0.5, "secret": "4929"}] * 100)  # which wait, the first time
        saved.append(pickle.dumps(dependence))
        dependence.observe([{"a": 0.5, "secret": "4929"}] * ENOUGH)
        saved.append(pickle.dumps(dependence))

    assert max(map(len, saved)) < 5000
    assert not any(b"secret" in one for one in saved)


def test_an_alarm_on_values_that_depend_on_each_other_says_that_it_cannot_be_trusted() -> None:
    ks = watch(KsConfig(), numeric=["a", "b"])
    taken = rows(60_000, a=dependent(9), b=(v + (index > 40_000) for index, v in enumerate(independent(9))))

    signals = ks.observe(taken, [float(i) for i in range(len(taken))])

    late = {s.feature: s.reading.detail for s in signals if s.reading.state is State.DRIFT and s.index >= ENOUGH}
    assert late.keys() == {"a", "b"}
    assert "feature_blocks" in (late["a"] or "")
    assert late["b"] is None
    assert (ks.readings()["a"].dependence or 0.0) > 3
    ks.reset()
    assert ks.readings()["a"].dependence is None


@pytest.mark.parametrize("cut", [1, 700])
def test_neither_alarms_nor_cuts_make_a_difference_to_what_is_measured(cut: int) -> None:
    taken = rows(ENOUGH + 4000, a=dependent(9))
    whole, parts = watch(KsConfig(), numeric=["a"]), watch(KsConfig(), numeric=["a"])

    signals = whole.observe(taken, [0.0] * len(taken))
    for start in range(0, len(taken), cut):
        part = taken[start : start + cut]
        parts.observe(part, [0.0] * len(part))

    assert signals[0].index < ENOUGH
    assert whole.readings()["a"].dependence == measured(taken).factors()["a"]
    assert parts.readings() == whole.readings()


def test_an_alarm_of_features_together_goes_by_the_one_that_depends_most() -> None:
    dependence = measured(rows(ENOUGH, a=dependent(10), b=independent(10)))

    assert dependence.largest == dependence.factors()["a"]
    assert FeatureDependence(["a"]).largest is None


def test_an_alarm_of_features_together_on_such_values_cannot_be_trusted_either() -> None:
    together = watch(MultivariateConfig(reference=200, window=100, alpha=0.01), numeric=["a", "b"])
    taken = rows(ENOUGH + 4000, a=dependent(12), b=independent(12))

    signals = together.observe(taken, [0.0] * len(taken))

    late = [s.reading.detail or "" for s in signals if s.reading.state is State.DRIFT and s.index >= ENOUGH]
    assert late
    assert all("feature_blocks" in detail for detail in late)


@pytest.mark.parametrize(
    "config", [FeatureBlocksConfig(block=100), ChiSquaredConfig()], ids=lambda config: str(config.kind)
)
def test_categories_and_what_is_made_for_such_values_are_not_measured(config: DataConfig) -> None:
    made = watch(config, numeric=["a"], categorical=["a"])
    made.observe(rows(ENOUGH, a=dependent(11)), [float(i) for i in range(ENOUGH)])

    assert made.readings()["a"].dependence is None
