"""Blocks: dependence within them is absorbed, and the run length holds in values whatever blocks vary by."""

from __future__ import annotations

import math
import pickle
import random
from typing import Any

import pytest
from pydantic import TypeAdapter

from detectors.base import Reading, Row, Signal, State
from detectors.block_means import Block, BlockMeans
from detectors.dependence import Dependence
from detectors.local_time import DAY
from detectors.registry import ConceptConfig, DataConfig
from detectors.segments import SegmentedErrors, SegmentedFeatures
from detectors.watch import ErrorWatch, FeatureWatch, watch_errors, watch_features

N = 100
PER_DAY = 200


def blocks(rng: random.Random, n: int, level: float = 0.0, spread: float = 1.0) -> list[Block]:
    return [Block(N, rng.gauss(level, spread), 0.0) for _ in range(n)]


def errors_watched(**options: Any) -> ErrorWatch | SegmentedErrors:
    adapter: TypeAdapter[Any] = TypeAdapter(ConceptConfig)
    return watch_errors(adapter.validate_python(options))


def features_watched(**options: Any) -> FeatureWatch | SegmentedFeatures:
    adapter: TypeAdapter[Any] = TypeAdapter(DataConfig)
    watch = watch_features(adapter.validate_python({"kind": "feature_blocks", **options}), ["a", "b"], [])
    assert watch is not None
    return watch


def drifts(signals: list[Signal]) -> list[Signal]:
    return [signal for signal in signals if signal.reading.state is State.DRIFT]


def weather(n: int, seed: int = 1, storms: dict[int, float] | None = None) -> tuple[list[float], list[float]]:
    """0/1 errors of so many days, each with a rate of its own, and their times."""
    rng = random.Random(seed)
    errors, times = list[float](), list[float]()
    for day in range(n):
        rate = min(0.9, max(0.02, rng.gauss(0.3, 0.08) + (storms or {}).get(day, 0.0)))
        errors += [float(rng.random() < rate) for _ in range(PER_DAY)]
        times += [DAY * day + DAY / PER_DAY * index for index in range(PER_DAY)]
    return errors, times


@pytest.mark.parametrize(("run_length", "seed"), [(30, 1), (100, 2), (1000, 3)])
def test_the_run_length_holds_in_values(run_length: int, seed: int) -> None:
    rng, under_test = random.Random(seed), BlockMeans(warmup=7)
    passed, rises, falls = 80 * run_length, 0, 0
    for block in blocks(rng, passed, level=3.0, spread=0.2):
        verdict = under_test.take(block, run_length * float(N))
        if verdict is not None and verdict.certain:
            rises += verdict.up
            falls += not verdict.up
    assert 0.7 < passed / rises / run_length < 1.4
    assert 0.7 < passed / falls / run_length < 1.4


def test_rises_and_falls_of_a_feature_share_its_run_length() -> None:
    run_length, passed, rng = 1000, 80_000, random.Random(4)
    watch = features_watched(block=10, run_length=run_length)
    rows: list[Row] = [{"a": rng.gauss(0.0, 1.0)} for _ in range(passed)]

    told = drifts(watch.observe(rows, [float(n) for n in range(passed)]))

    assert 0.7 < passed / len(told) / run_length < 1.4


def test_a_spell_leaves_what_is_usual_as_it_was_and_a_lasting_change_is_learnt() -> None:
    rng, under_test = random.Random(3), BlockMeans(warmup=7)
    spell = [*blocks(rng, 28), *blocks(rng, 3, level=6.0), *blocks(rng, 40)]
    verdicts = [under_test.take(block, 1e6) for block in spell]
    assert [v.certain for v in verdicts if v is not None].count(True) == 1
    assert verdicts[-1] is not None
    assert verdicts[-1].before == pytest.approx(0.0, abs=0.6)
    lasting = [under_test.take(block, 1e6) for block in blocks(rng, 40, level=6.0)]
    assert [v.certain for v in lasting if v is not None].count(True) == 1
    assert lasting[-1] is not None
    assert lasting[-1].before == pytest.approx(6.0, abs=0.6)


def test_what_was_before_a_change_is_told_without_the_blocks_of_the_change() -> None:
    rng, under_test = random.Random(0), BlockMeans(warmup=28)
    stream = [*blocks(rng, 28, spread=0.5), *blocks(rng, 60, level=1.0, spread=0.5)]

    found = next(v for block in stream if (v := under_test.take(block, 1e6)) is not None and v.certain)

    assert found.after_n > 10 * N, "the change is many blocks old"
    assert found.before == pytest.approx(0.0, abs=0.4)
    assert found.after == pytest.approx(1.0, abs=0.2)


def test_exceptional_blocks_do_not_pass_for_usual() -> None:
    rng = random.Random(4)
    clean, spoilt = blocks(rng, 28), list[Block]()
    spoilt = [block._replace(mean=50.0) if index % 7 == 3 else block for index, block in enumerate(clean)]
    for known in (clean, spoilt):
        under_test = BlockMeans(warmup=28)
        for block in known:
            under_test.take(block, 1e4)
        verdict = under_test.take(Block(N, 7.0, 0.0), 1e4)
        assert verdict is not None
        assert verdict.up
        assert verdict.certain


def test_blocks_that_never_vary_are_taken_to_vary_as_their_values_do() -> None:
    under_test = BlockMeans(warmup=7)
    for _ in range(7):
        under_test.take(Block(N, 0.0, 0.0), 1e5)
    verdict = under_test.take(Block(N, 0.01, 0.0099), 1e5)  # the first error among 100
    assert verdict is not None
    assert not verdict.likely


def test_days_of_their_own_rate_alarm_a_detector_of_single_errors_and_not_that_of_blocks() -> None:
    errors, times = weather(120)
    rows: list[Row] = [{}] * len(errors)
    single = errors_watched(kind="hddm_a")
    daily = errors_watched(kind="error_blocks", block="day", run_length=1e6)
    assert len(drifts(single.observe(errors, rows, times))) > 10
    assert drifts(daily.observe(errors, rows, times)) == []


def test_days_of_storm_are_found_when_they_are_over_with_the_evidence() -> None:
    errors, times = weather(80, storms={60: 0.4, 61: 0.4})
    daily = errors_watched(kind="error_blocks", block="day", run_length=1e5)
    alarm, *more = drifts(daily.observe(errors, [{}] * len(errors), times))
    assert more == []
    assert times[alarm.index] in {61 * DAY, 62 * DAY}
    reading = alarm.reading
    assert reading.direction == "worse"
    assert reading.before is not None
    assert reading.after is not None
    assert reading.before == pytest.approx(0.3, abs=0.06)
    assert reading.after > 0.5
    assert reading.effect == pytest.approx(reading.after - reading.before)
    assert reading.changed_n in range(PER_DAY // 2, 3 * PER_DAY)
    assert reading.dependence is None


def test_a_feature_that_stays_high_for_days_is_told_of_once_and_by_name() -> None:
    rng, rows, times = random.Random(7), list[Row](), list[float]()
    for day in range(60):
        level = rng.gauss(0.0, 1.0) + (8.0 if day >= 40 else 0.0)
        rows += [{"a": level + rng.gauss(0, 0.1), "b": rng.gauss(0, 1)} for _ in range(PER_DAY)]
        times += [DAY * day + DAY / PER_DAY * index for index in range(PER_DAY)]
    alarms = drifts(features_watched(block="day", run_length=1e5).observe(rows, times))
    assert [(signal.feature, signal.reading.direction) for signal in alarms] == [("a", "up")]
    assert times[alarms[0].index] == 41 * DAY


@pytest.mark.parametrize("kind", ["errors", "features"])
@pytest.mark.parametrize("longest", [1, 37, 1000])
def test_blocks_of_time_end_where_they_end_however_the_stream_is_cut(kind: str, longest: int) -> None:
    errors, times = weather(60, storms={40: 0.4, 41: 0.4, 42: 0.4})
    rows: list[Row] = [{"a": error, "b": None} for error in errors]
    rng, start, found, signals = random.Random(longest), 0, list[Signal](), list[Signal]()
    known = list[dict[str, Reading]]()
    for largest in (longest, len(errors)):
        on_errors = errors_watched(kind="error_blocks", block="day", run_length=1e5)
        on_features = features_watched(block="day", run_length=1e5)
        found, start = [], 0
        while start < len(errors):
            end = start + (rng.randint(1, largest) if largest == longest else largest)
            part = rows[start:end], times[start:end]
            told = on_errors.observe(errors[start:end], *part) if kind == "errors" else on_features.observe(*part)
            found += [signal._replace(index=start + signal.index) for signal in told]
            start = end
        known.append(on_errors.readings() if kind == "errors" else on_features.readings())
        signals = signals or found
    assert signals == found
    assert drifts(found)
    assert known[0] == known[1]


def test_a_watch_of_blocks_pickled_within_one_goes_on_identically() -> None:
    errors, times = weather(60, storms={40: 0.4, 41: 0.4})
    watch = errors_watched(kind="error_blocks", block="day", run_length=1e5)
    watch.observe(errors[:4321], [{}] * 4321, times[:4321])
    twin = pickle.loads(pickle.dumps(watch))
    rest: list[Row] = [{}] * (len(errors) - 4321)
    assert twin.observe(errors[4321:], rest, times[4321:]) == watch.observe(errors[4321:], rest, times[4321:])
    watch.reset()
    new = errors_watched(kind="error_blocks", block="day", run_length=1e5)
    assert watch.observe(errors, [{}] * len(errors), times) == new.observe(errors, [{}] * len(errors), times)


def test_how_much_values_depend_on_each_other_is_told() -> None:
    rng, value, values = random.Random(6), 0.0, list[float]()
    for _ in range(30_000):
        value = 0.9 * value + rng.gauss(0, 1)
        values.append(value)
    dependent, independent, changed, few = Dependence(), Dependence(), Dependence(), Dependence()
    dependent.observe(values)
    independent.observe([rng.gauss(0, 1) for _ in range(30_000)])
    changed.observe([rng.gauss(0 if n < 15_000 else 0.5, 1) for n in range(30_000)])
    few.observe(values[:8000])
    assert dependent.factor == pytest.approx(19, rel=0.4)
    assert independent.factor == pytest.approx(1, abs=0.4)
    assert changed.factor is not None
    assert changed.factor < 3
    assert few.factor is None


def test_an_alarm_on_errors_that_depend_on_each_other_says_that_it_cannot_be_trusted() -> None:
    rng = random.Random(8)
    rates = [rng.uniform(0.1, 0.5) for _ in range(150)]
    errors = [float(rng.random() < rates[n // 200]) for n in range(30_000)]
    watch = errors_watched(kind="e_detector", run_length=1e5)
    alarms = drifts(watch.observe(errors, [{}] * len(errors), [float(n) for n in range(len(errors))]))
    late = [signal.reading.detail for signal in alarms if signal.index > 16 * 512]
    assert late
    assert all(detail is not None and "error_blocks" in detail for detail in late)
    factor = watch.readings()[""].dependence
    assert factor is not None
    assert math.isfinite(factor)
    assert factor > 3
