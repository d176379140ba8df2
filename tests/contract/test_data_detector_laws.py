"""Laws that every registered data detector keeps. One that is registered without a case fails the first law."""

from __future__ import annotations

import copy
import math
import pickle
import random
from typing import Any

import pytest

from detectors.base import Row, State
from detectors.registry import DATA
from tests.contract.data_detectors import CASES, Case, Make, build, events, seen
from tests.contract.pickles import modules_named_in


def test_every_registered_data_detector_is_held_to_the_laws() -> None:
    assert set(CASES) == set(DATA)


def test_a_change_is_found_in_the_feature_that_changed_and_only_there(make: Make, case: Case, rows: list[Row]) -> None:
    found = [alarm for alarm in seen(make().observe(rows)) if alarm[2] is State.DRIFT]
    assert [feature for _, feature, _ in found] == [case.signalled] * 2
    assert 700 <= found[0][0] < 800
    assert 1400 <= found[1][0] < 1500


def test_without_a_change_there_is_no_alarm(make: Make, case: Case) -> None:
    signals = make().observe(events(case, (10_000, False), seed=5))
    assert [alarm for alarm in seen(signals) if alarm[2] is State.DRIFT] == []


def test_an_alarm_carries_its_evidence_and_makes_the_feature_learn_a_new_reference(
    make: Make, case: Case, rows: list[Row]
) -> None:
    detector = make()
    alarm = next(signal for signal in detector.observe(rows[:800]) if signal.reading.state is State.DRIFT)
    reading = alarm.reading
    assert reading.statistic is not None
    assert reading.threshold is not None
    assert reading.statistic >= reading.threshold
    assert (reading.p_value is not None) == case.windowed
    assert reading.p_value is None or reading.p_value < 1e-4
    assert reading.before != reading.after
    assert reading.direction in {"up", "down"}
    assert reading.reference_n == case.known
    assert reading.current_n == 100 if case.windowed else 0 < reading.current_n <= alarm.index - 199
    assert case.whole or detector.readings()["b"].state in {State.STABLE, State.WARNING}
    assert case.reading(detector).state is State.WARMUP
    assert case.reading(detector).reference_n == 800 - 1 - alarm.index


def test_a_drift_reading_stands_until_the_next_check(make: Make, case: Case, rows: list[Row]) -> None:
    detector = make()
    alarm = next(signal for signal in detector.observe(rows[:800]) if signal.reading.state is State.DRIFT)
    detector.reset()
    detector.observe(rows[: alarm.index + 1])
    assert case.reading(detector) == alarm.reading
    detector.observe(rows[alarm.index + 1 : alarm.index + 21])
    assert case.reading(detector).state is State.WARMUP


@pytest.mark.parametrize("longest", [1, 7, 100, 5000])
def test_signals_are_the_same_however_the_stream_is_cut(make: Make, rows: list[Row], longest: int) -> None:
    rng, whole, cut, start, found = random.Random(longest), make(), make(), 0, []
    while start < len(rows):
        span = rows[start : start + rng.randint(1, longest)]
        found += [signal._replace(index=start + signal.index) for signal in cut.observe(span)]
        start += len(span)
    assert found == whole.observe(rows)
    assert found
    assert cut.readings() == whole.readings()


@pytest.mark.parametrize("cut", [10, 205, 655, 1111])
def test_a_detector_pickled_at_any_moment_goes_on_identically(make: Make, rows: list[Row], cut: int) -> None:
    detector = make()
    rows = [{name: row[name] for name in ("a", "b")} for row in rows]
    detector.observe(rows[:cut])
    twin, original = pickle.loads(pickle.dumps(detector, protocol=5)), copy.deepcopy(detector)
    assert twin.readings() == detector.readings()
    assert twin.observe(rows[cut:]) == original.observe(rows[cut:]) == detector.observe(rows[cut:])
    assert twin.readings() == detector.readings()


def test_a_reset_detector_equals_a_new_one(make: Make, rows: list[Row]) -> None:
    used, new = make(), make()
    used.observe(rows[:1234])
    used.reset()
    assert used.readings() == new.readings()
    assert used.observe(rows) == new.observe(rows)


def test_a_rebased_feature_starts_with_the_next_row_and_the_others_go_on(
    make: Make, case: Case, rows: list[Row]
) -> None:
    rebased, untouched = make(), make()
    rebased.observe(rows[:690])
    untouched.observe(rows[:690])
    rebased.rebase("a")
    assert case.reading(rebased).state is State.WARMUP
    rebased.observe(rows[690:700])
    assert case.reading(rebased).reference_n == 10
    untouched.observe(rows[690:700])
    assert case.whole or rebased.readings()["b"] == untouched.readings()["b"]
    after = [alarm for alarm in seen(rebased.observe(rows[700:1380])) if alarm[1:] == (case.signalled, State.DRIFT)]
    assert after == [], "the changed values are the feature's new reference"


def test_rebasing_a_feature_that_is_not_watched_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match="'x' is not watched; this detector watches a, b"):
        make().rebase("x")


def test_unusable_values_count_as_missing_and_leave_the_rest_alone(make: Make, case: Case, rows: list[Row]) -> None:
    rng = random.Random(3)
    with_bad: list[Any] = []
    with_gaps: list[Row] = []
    for row in rows:
        with_bad.append(row)
        with_gaps.append(row)
        if rng.random() < 0.3:
            with_bad.append({"a": rng.choice(case.missing), "b": row["b"]})
            with_gaps.append({"b": row["b"]})
    bad, gaps = make(), make()
    assert bad.observe(with_bad) == gaps.observe(with_gaps)
    assert bad.readings() == gaps.readings()
    assert [alarm for alarm in seen(bad.observe(rows)) if alarm[2] is State.DRIFT]


def test_a_feature_that_is_always_missing_gives_no_signals_and_another_is_judged(
    make: Make, case: Case, rows: list[Row]
) -> None:
    detector = make()
    signals = detector.observe([{"b": row["a"]} for row in rows])
    assert {signal.feature for signal in signals} == {None if case.whole else "b"}
    reading = case.reading(detector)
    expected = (State.STABLE, 200) if case.judges_missing else (State.WARMUP, 0)
    assert case.whole or (reading.state, reading.reference_n) == expected


def test_there_is_no_alarm_during_warm_up_and_judging_begins_after_it(make: Make, case: Case) -> None:
    detector = make()
    assert detector.observe(events(case, (200, False), (case.full - 200 - 1, True))) == []
    assert {reading.state for reading in detector.readings().values()} == {State.WARMUP}
    signals = detector.observe(events(case, (20, True)))
    assert [alarm for alarm in seen(signals) if alarm[1:] == (case.signalled, State.DRIFT)]


def test_values_that_stay_the_same_are_no_alarm(make: Make, case: Case) -> None:
    detector = make()
    assert detector.observe([{"a": case.same, "b": case.same}] * 2000) == []
    reading = case.reading(detector)
    assert reading.state is State.STABLE
    assert reading.statistic is not None
    if case.windowed:
        assert reading.statistic == 0.0
    else:  # ties are broken at random
        assert reading.threshold is not None
        assert reading.statistic < reading.threshold


def test_extreme_values_give_finite_readings_and_no_alarm_of_themselves(make: Make, case: Case) -> None:
    detector = make()
    rng = random.Random(1)
    signals = detector.observe([{"a": rng.choice(case.wild), "b": case.same} for _ in range(2000)])
    assert [alarm for alarm in seen(signals) if alarm[2] is State.DRIFT] == []
    reading = case.reading(detector)
    assert reading.state is not State.WARMUP
    assert all(math.isfinite(field) for field in reading if isinstance(field, float))


@pytest.mark.parametrize("kind", [kind for kind, case in CASES.items() if case.windowed])
def test_a_change_smaller_than_the_least_effect_is_no_alarm(kind: str, case: Case, rows: list[Row]) -> None:
    detector = build(kind, min_effect=case.least_effect)
    assert detector.observe(rows) == []


def test_memory_does_not_grow_with_the_stream(make: Make, case: Case) -> None:
    detector = make()
    detector.observe(events(case, (20_000, False)))
    before = len(pickle.dumps(detector))
    detector.observe(events(case, (20_000, False), seed=2))
    assert len(pickle.dumps(detector)) <= before + 200


def test_a_pickle_names_nothing_but_detectors_numpy_and_no_foreign_row_content(make: Make, rows: list[Row]) -> None:
    detector = make()
    detector.observe(rows[:1234])
    foreign = modules_named_in(pickle.dumps(detector, protocol=5))
    assert foreign <= {"numpy", "numpy._core.numeric", "numpy._core.multiarray"}
