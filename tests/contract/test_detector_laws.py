"""Laws that every registered concept detector keeps. One that is registered without a case here fails the first law."""

from __future__ import annotations

import copy
import json
import math
import pickle
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from pydantic import TypeAdapter

from detectors.base import BadValue, ConceptDetector, Reading, Signal, State
from detectors.registry import CONCEPT, DATA, ConceptConfig, build_concept
from tests.contract.pickles import modules_named_in

Make = Callable[[], ConceptDetector[Any]]


class Case(NamedTuple):
    """A configuration to hold the laws against, and for how many errors it cannot alarm."""

    options: dict[str, Any]
    silent: int


CASES: dict[str, list[Case]] = {
    "adwin": [Case({}, 30), Case({"min_window": 1, "clock": 8, "warmup": 50}, 50), Case({"run_length": 100_000}, 30)],
    "cusum": [
        Case({}, 300),
        Case({"shift": 0.2, "threshold": 10, "warmup": 100}, 100),
        Case({"run_length": 100_000}, 300),
    ],
    "ddm": [Case({}, 100), Case({"warmup": 30}, 30)],
    "e_detector": [Case({}, 100), Case({"run_length": 1000, "warmup": 30}, 30), Case({"bound": "calibrated"}, 100)],
    "eddm": [Case({}, 30), Case({"warmup": 60, "drift_level": 0.78}, 60)],
    "error_blocks": [Case({"block": 20}, 159), Case({"block": 25, "warmup": 8, "run_length": 50_000}, 224)],
    "hddm_a": [Case({}, 30), Case({"drift_confidence": 1e-6}, 30), Case({"run_length": 100_000}, 30)],
    "hddm_w": [Case({}, 30), Case({"weight": 0.1}, 30), Case({"run_length": 100_000}, 30)],
    "kswin": [
        Case({}, 299),
        Case({"alpha": 0.001, "every": 5, "window": 200, "seed": 7}, 199),
        Case({"run_length": 100_000}, 299),
    ],
    "page_hinkley": [Case({}, 30), Case({"threshold": 20, "warmup": 200}, 200), Case({"run_length": 100_000}, 30)],
    "rddm": [
        Case({}, 100),
        Case({"warmup": 200, "longest": 4000, "newest": 2000, "warning_limit": 400}, 200),
        Case({"run_length": 1_000_000}, 100),
    ],
    "stepd": [Case({}, 120), Case({"window": 30, "alpha": 1e-4, "warmup": 60}, 60), Case({"run_length": 100_000}, 120)],
}


def build(kind: str, options: dict[str, Any]) -> ConceptDetector[Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(ConceptConfig)
    return build_concept(adapter.validate_python({"kind": kind, **options}))


def errors(*stretches: tuple[int, float], seed: int = 1) -> list[float]:
    """0/1 errors: so many at such a rate, one stretch after the other."""
    rng = random.Random(seed)
    return [float(rng.random() < rate) for count, rate in stretches for _ in range(count)]


def drifts(signals: Sequence[Signal]) -> list[int]:
    return [signal.index for signal in signals if signal.reading.state is State.DRIFT]


def readings(detector: ConceptDetector[Any], stream: Sequence[float]) -> list[Reading]:
    return [detector.observe_one(error) for error in stream]


ALL = [(kind, case) for kind, cases in CASES.items() for case in cases]
IDS = [f"{kind}-{position}" for kind, cases in CASES.items() for position in range(len(cases))]
WITH_CHANGES = errors((600, 0.1), (300, 0.6), (600, 0.1), (500, 0.6))
RISE = errors((300, 0.2), (300, 0.8), seed=3)
USUAL = errors((500, 0.3), seed=2)


@pytest.fixture(params=ALL, ids=IDS)
def case(request: pytest.FixtureRequest) -> tuple[str, Case]:
    chosen: tuple[str, Case] = request.param
    return chosen


@pytest.fixture
def make(case: tuple[str, Case]) -> Make:
    return lambda: build(case[0], case[1].options)


def test_every_registered_concept_detector_is_held_to_the_laws() -> None:
    assert set(CASES) == set(CONCEPT)
    assert not set(CONCEPT) & set(DATA)


@pytest.mark.parametrize(
    "bad", [math.nan, math.inf, -math.inf, None, "0.1", 10**400, [0.1]], ids=lambda bad: str(bad)[:6]
)
def test_a_bad_value_is_refused_and_changes_nothing(make: Make, bad: Any) -> None:
    seen, spared = make(), make()
    seen.observe(USUAL)
    spared.observe(USUAL)
    with pytest.raises(BadValue, match="value 0 of the span"):
        seen.observe_one(bad)
    with pytest.raises(BadValue, match="value 2 of the span"):
        seen.observe([1.0, 1.0, bad, 1.0])
    assert seen.reading == spared.reading
    assert readings(seen, RISE) == readings(spared, RISE)


@pytest.mark.parametrize("bad", [-0.1, 1.0001])
def test_a_detector_for_errors_up_to_one_refuses_others_and_the_rest_take_them(make: Make, bad: float) -> None:
    detector = make()
    if detector.bounded:
        with pytest.raises(BadValue, match="expected 0 to 1"):
            detector.observe([0.0, bad])
    else:
        detector.observe([0.0, bad])
        assert detector.reading.state is State.WARMUP


@pytest.mark.parametrize(
    "stream",
    [[0.0] * 3000, [1.0] * 3000, [0.3] * 3000, [0.0, 1.0] * 1500, [5e-324] * 3000],
    ids=["right", "wrong", "fraction", "ties", "tiny"],
)
def test_errors_that_stay_the_same_are_no_alarm(make: Make, stream: list[float]) -> None:
    assert drifts(make().observe(stream)) == []


def test_extreme_values_give_finite_readings_and_leave_the_detector_working(make: Make) -> None:
    detector = make()
    wild = [0.0, 5e-324, 1.0, 1.0 - 1e-16, 0.0] if detector.bounded else [1e100, -1e100, 5e-324, 0.0, 1e100]
    for reading in readings(detector, wild * 150):
        assert all(math.isfinite(field) for field in reading if isinstance(field, float))
    detector.reset()
    assert drifts(detector.observe(WITH_CHANGES))


def test_the_same_errors_give_the_same_readings(make: Make) -> None:
    assert readings(make(), WITH_CHANGES) == readings(make(), WITH_CHANGES)


@pytest.mark.parametrize("longest", [1, 40, 10_000])
def test_a_span_equals_its_errors_one_by_one(make: Make, longest: int) -> None:
    one_by_one, spans = make(), make()
    expected: list[tuple[int, Reading]] = []
    last = State.WARMUP
    for index, reading in enumerate(readings(one_by_one, WITH_CHANGES)):
        if reading.state is State.DRIFT or (reading.state is State.WARNING and last is not State.WARNING):
            expected.append((index, reading))
        last = reading.state
    rng, start, found = random.Random(longest), 0, []
    while start < len(WITH_CHANGES):
        span = WITH_CHANGES[start : start + rng.randint(1, longest)]
        found += [(start + signal.index, signal.reading) for signal in spans.observe(span)]
        start += len(span)
    assert found == expected
    assert expected, "the stream must hold changes, or the law says nothing"
    assert spans.reading == one_by_one.reading


def test_numpy_numbers_are_taken_as_the_numbers_they_are(make: Make) -> None:
    plain, arrays = make(), make()
    plain.observe(WITH_CHANGES)
    arrays.observe(list(np.array(WITH_CHANGES)))
    assert pickle.dumps(arrays) == pickle.dumps(plain)


def test_a_detector_pickled_at_any_moment_goes_on_identically(make: Make) -> None:
    detector = make()
    first_drift = drifts(make().observe(WITH_CHANGES))[0]
    for start, end in [(0, 10), (10, first_drift), (first_drift, first_drift + 1), (first_drift + 1, 1700)]:
        detector.observe(WITH_CHANGES[start:end])
        twin = pickle.loads(pickle.dumps(detector, protocol=5))
        assert twin.reading == detector.reading
        assert readings(twin, RISE) == readings(copy.deepcopy(detector), RISE)


def test_a_reset_detector_equals_a_new_one(make: Make) -> None:
    used, new = make(), make()
    used.observe(WITH_CHANGES)
    used.reset()
    assert used.reading == new.reading == Reading(State.WARMUP)
    assert readings(used, WITH_CHANGES) == readings(new, WITH_CHANGES)


def test_memory_does_not_grow_with_the_stream(make: Make) -> None:
    detector = make()
    sizes = []
    for seed in range(20):  # what it keeps depends on when it last began anew
        detector.observe(errors((2000, 0.2), seed=seed))
        sizes.append(len(pickle.dumps(detector)))
    assert max(sizes[10:]) <= 1.2 * max(sizes[:10]) + 100


def test_there_is_no_alarm_during_warm_up_and_judging_begins_after_it(make: Make, case: tuple[str, Case]) -> None:
    silent = case[1].silent
    detector = make()
    worst = [0.0] * (silent // 2) + [1.0] * (silent - silent // 2)
    assert {reading.state for reading in readings(detector, worst)} == {State.WARMUP}
    assert {reading.state for reading in readings(detector, [1.0] * 100)} != {State.WARMUP}


@pytest.mark.parametrize("seed", range(4))
def test_an_error_that_falls_is_no_alarm(make: Make, seed: int) -> None:
    signals = make().observe(errors((1000, 0.6), (1000, 0.1), seed=seed))
    assert [index for index in drifts(signals) if index >= 1000] == []


@pytest.mark.parametrize("seed", range(4))
def test_an_error_rate_that_rises_from_a_tenth_to_six_tenths_is_found(make: Make, seed: int) -> None:
    signals = make().observe(errors((1000, 0.1), (1000, 0.6), seed=seed))
    assert [index for index in drifts(signals) if index >= 1000]


def test_a_rise_is_found_in_fractions_of_errors_too(make: Make) -> None:
    rng = random.Random(3)
    stream = [rng.uniform(0.0, 0.3) for _ in range(1000)] + [rng.uniform(0.4, 1.0) for _ in range(1000)]
    found = drifts(make().observe(stream))
    if CONCEPT["eddm"] is type(make()):  # without mistakes it has no distances to compare, and stays in warm-up
        stream = [float(error > 0.27) for error in stream[:1000]] + stream[1000:]
        found = drifts(make().observe(stream))
    assert [index for index in found if index >= 1000]


def test_a_rise_after_a_fall_is_found(make: Make) -> None:
    signals = make().observe(errors((600, 0.6), (1500, 0.1), (1000, 0.6)))
    assert [index for index in drifts(signals) if index >= 2100]


def test_an_alarm_carries_its_evidence_lasts_one_value_and_starts_anew(make: Make) -> None:
    detector = make()
    stream = errors((1000, 0.1), (1000, 0.6))
    reading = next(reading for error in stream if (reading := detector.observe_one(error)).state is State.DRIFT)
    assert detector.reading == reading
    assert reading.direction == "worse"
    assert reading.before is not None
    assert reading.after is not None
    assert reading.before < reading.after
    assert reading.reference_n > 0
    assert reading.current_n > 0
    assert reading.statistic is not None
    assert reading.threshold is not None
    if isinstance(detector, CONCEPT["eddm"]):
        assert reading.statistic < reading.threshold
    else:
        assert reading.statistic >= reading.threshold
    assert detector.observe_one(1.0).state is State.WARMUP


@pytest.mark.parametrize("seed", range(4))
def test_an_alarm_says_when_the_rise_began_and_how_large_it_is(make: Make, seed: int) -> None:
    signals = make().observe(errors((1003, 0.1), (1000, 0.6), seed=seed))
    signal = next(signal for signal in signals if signal.reading.state is State.DRIFT and signal.index >= 1003)
    reading = signal.reading
    assert reading.changed_n is not None
    assert signal.index + 1 - reading.changed_n == pytest.approx(1003, abs=20)
    assert reading.effect == pytest.approx(0.5, abs=0.3)
    assert (reading.known, reading.seen) == (None, None)


def test_readings_consist_of_built_in_values(make: Make) -> None:
    for reading in readings(make(), list(np.array(WITH_CHANGES))):
        assert {type(value) for value in reading} <= {State, float, int, str, type(None)}
        assert json.loads(json.dumps(reading._asdict(), allow_nan=False)) == reading._asdict()


def test_only_a_change_has_a_size_and_a_beginning(make: Make) -> None:
    for stream in (WITH_CHANGES, RISE, errors((1000, 0.6), (1000, 0.1))):
        for reading in readings(make(), stream):
            changed = reading.direction is not None
            assert (reading.effect is not None, reading.changed_n is not None) == (changed, changed)
            if reading.direction is not None:
                assert reading.before is not None
                assert reading.after is not None
                assert (reading.after > reading.before) == (reading.direction == "worse")
                assert reading.effect is not None
                assert reading.effect > 0.0


def test_a_pickle_names_nothing_but_detectors_and_the_standard_library(make: Make) -> None:
    detector = make()
    detector.observe(WITH_CHANGES)
    assert modules_named_in(pickle.dumps(detector, protocol=5)) <= {"collections", "random"}
