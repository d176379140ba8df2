"""Laws that every registered data detector keeps. One that is registered without a case here fails the first law."""

from __future__ import annotations

import copy
import json
import math
import pickle
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from pydantic import TypeAdapter

from detectors.base import DataDetector, Reading, Row, Signal, State, Value
from detectors.registry import DATA, NUMERIC, DataConfig, build_data
from tests.contract.pickles import modules_named_in

Draw = Callable[[random.Random, bool], Value]
Make = Callable[[], DataDetector[Any]]

SIZES: dict[str, Any] = {"reference": 200, "window": 100, "every": 20}
FULL = 300  # reference + window: events until a feature without gaps is judged
WARNS: dict[str, Any] = {"warning_alpha": 0.05}


class Case(NamedTuple):
    """How to draw a usual or a changed value, one that is always the same, and values that count as missing.

    Then what differs for a detector that has no window of fixed size, or judges otherwise.
    """

    draw: Draw
    same: Value
    missing: tuple[Any, ...]
    wild: tuple[Value, ...]
    least_effect: float = 0.95  # that no change reaches
    judges_missing: bool = False
    sizes: dict[str, Any] = SIZES
    warns: dict[str, Any] = WARNS
    full: int = FULL
    windowed: bool = True
    whole: bool = False  # judges rows, not features
    profile: str | None = "quantiles"
    known: int = 200  # values of the reference at the first alarm
    in_blocks: bool = False  # a change may be older than the newest window

    @property
    def signalled(self) -> str | None:
        """The feature of signals of a change of `a`."""
        return None if self.whole else "a"

    def reading(self, detector: DataDetector[Any]) -> Reading:
        """That which `a` has a part in."""
        return detector.readings()["" if self.whole else "a"]


def number(rng: random.Random, changed: bool) -> float:
    return rng.gauss(2.0 if changed else 0.0, 1.0)


def letter(rng: random.Random, changed: bool) -> str:
    return rng.choice("aab" if changed else "abbcd")


def far(rng: random.Random, changed: bool) -> float:
    return rng.gauss(4.0 if changed else 0.0, 1.0)


def renamed(rng: random.Random, changed: bool) -> str:
    return rng.choice("aez" if changed else "abbcd")


def gap(rng: random.Random, changed: bool) -> float | None:
    return None if rng.random() < (0.7 if changed else 0.1) else 1.5


def kind_of_value(rng: random.Random, changed: bool) -> Value:
    return "1.5" if changed and rng.random() < 0.9 else rng.gauss(0.0, 1.0)


NO_NUMBERS: tuple[Any, ...] = (None, math.nan, math.inf, -math.inf, "1.5", 10**400, [1.5], 1 + 2j)
NO_CATEGORIES: tuple[Any, ...] = (None, math.nan, math.inf, -math.inf, ["a"], {"a": 1}, 1 + 2j)
WILD_NUMBERS: tuple[Value, ...] = (1e308, -1e308, 5e-324, 0, True, 2**1000)
WILD_CATEGORIES: tuple[Value, ...] = ("", "ä" * 1000, 0, True, 1e308, 10**400)

BETS: dict[str, Any] = {"reference": 200, "every": 20, "run_length": 1e6}

BLOCKS: dict[str, Any] = {"block": 10, "warmup": 20, "run_length": 2e5}

CASES: dict[str, Case] = {
    "chi_squared": Case(letter, "a", NO_CATEGORIES, WILD_CATEGORIES, profile="shares"),
    "conformal": Case(number, 1.5, NO_NUMBERS, WILD_NUMBERS, sizes=BETS, warns={}, full=220, windowed=False),
    "feature_blocks": Case(
        number,
        1.5,
        NO_NUMBERS,
        WILD_NUMBERS,
        sizes=BLOCKS,
        warns={},
        full=210,
        windowed=False,
        profile=None,
        known=280,
        in_blocks=True,
    ),
    "jensen_shannon": Case(number, 1.5, NO_NUMBERS, WILD_NUMBERS),
    "ks": Case(number, 1.5, NO_NUMBERS, WILD_NUMBERS),
    "multivariate": Case(
        number,
        1.5,
        NO_NUMBERS,
        WILD_NUMBERS,
        least_effect=50.0,
        sizes={**SIZES, "components": 8},
        whole=True,
        profile=None,
    ),
    "missing_rate": Case(gap, "a", NO_CATEGORIES, WILD_CATEGORIES, judges_missing=True, profile=None),
    "new_category": Case(renamed, "a", NO_CATEGORIES, WILD_CATEGORIES, profile="shares"),
    "psi": Case(number, 1.5, NO_NUMBERS, WILD_NUMBERS, least_effect=50.0),
    "schema": Case(kind_of_value, "a", (None,), WILD_CATEGORIES, judges_missing=True, profile="shares"),
    "value_range": Case(far, 1.5, NO_NUMBERS, WILD_NUMBERS, least_effect=0.999, profile=None),
    "wasserstein": Case(number, 1.5, NO_NUMBERS, WILD_NUMBERS, least_effect=5.0),
}


def build(kind: str, **options: Any) -> DataDetector[Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(DataConfig)
    config = adapter.validate_python({"kind": kind, **CASES[kind].sizes, **options})
    detector = build_data(config, *((["a", "b"], []) if kind in NUMERIC else ([], ["a", "b"])))
    assert detector is not None
    return detector


def events(case: Case, *stretches: tuple[int, bool], seed: int = 1) -> list[Row]:
    """Events whose feature `a` is usual or changed, stretch by stretch, and whose feature `b` is always usual."""
    rng = random.Random(seed)
    return [
        {"a": case.draw(rng, changed), "b": case.draw(rng, False), "unwatched": object()}  # type: ignore[dict-item]
        for count, changed in stretches
        for _ in range(count)
    ]


def seen(signals: Sequence[Signal], start: int = 0) -> list[tuple[int, str | None, State]]:
    return [(start + signal.index, signal.feature, signal.reading.state) for signal in signals]


@pytest.fixture(params=CASES)
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def case(kind: str) -> Case:
    return CASES[kind]


@pytest.fixture
def make(kind: str, case: Case) -> Make:
    return lambda: build(kind, **case.warns)


@pytest.fixture
def rows(case: Case) -> list[Row]:
    """Usual, then changed, then usual again for long enough that both changes are found."""
    return events(case, (700, False), (700, True), (700, False))


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


@pytest.mark.parametrize("usual", [700, 655, 731])
def test_a_signal_says_when_the_change_began_and_how_large_it_is(make: Make, case: Case, usual: int) -> None:
    signals = make().observe(events(case, (usual, False), (200, True)))
    signal = next(signal for signal in signals if signal.reading.state is State.DRIFT)
    reading = signal.reading
    assert reading.changed_n is not None
    assert 1 <= reading.changed_n <= (signal.index + 1 if case.in_blocks else reading.current_n)
    assert signal.index + 1 - reading.changed_n == pytest.approx(usual, abs=15)
    assert reading.effect is not None
    assert 0.3 < reading.effect <= 1.0


@pytest.mark.parametrize("kind", [kind for kind, case in CASES.items() if not case.judges_missing | case.whole])
def test_the_beginning_of_a_change_is_told_in_values_and_gaps_do_not_count(make: Make, case: Case) -> None:
    rows = events(case, (700, False), (300, True))
    with_gaps: list[Row] = [row for full in rows for row in (full, {"b": full["b"]}, {})]
    signal = next(signal for signal in make().observe(with_gaps) if signal.reading.state is State.DRIFT)
    assert signal.reading.changed_n is not None
    assert signal.index // 3 + 1 - signal.reading.changed_n == pytest.approx(700, abs=15)


def test_a_window_that_has_changed_as_a_whole_gives_its_length(make: Make, case: Case) -> None:
    signals = make().observe(events(case, (200, False), (100, True)))
    (signal,) = (signal for signal in signals if signal.feature == case.signalled)
    changed_n = signal.reading.changed_n
    assert changed_n is not None
    assert changed_n == pytest.approx(
        signal.index - 199 if case.in_blocks else min(100, signal.reading.current_n), abs=5
    )


def test_profiles_stand_side_by_side_in_signals_alone(make: Make, case: Case, rows: list[Row]) -> None:
    detector = make()
    signals = detector.observe(rows[:690])
    assert {reading.known for reading in detector.readings().values()} == {None}
    signals += detector.observe(rows[690:])
    assert signals
    for reading in (signal.reading for signal in signals):
        assert (reading.known is None) == (reading.seen is None) == (case.profile is None)
        if reading.known is None or reading.seen is None:
            continue
        assert list(reading.known) == list(reading.seen)
        assert reading.known != reading.seen
        for profile in (reading.known, reading.seen):
            assert all(math.isfinite(value) for value in profile.values())
            if case.profile == "quantiles":
                assert list(profile) == ["p05", "p25", "p50", "p75", "p95"]
                assert list(profile.values()) == sorted(profile.values())
            else:
                assert len(profile) <= 11
                assert min(profile.values()) >= 0.0
                assert sum(profile.values()) == pytest.approx(1.0)


def test_readings_consist_of_built_in_values(make: Make, rows: list[Row]) -> None:
    detector = make()
    readings = [signal.reading for signal in detector.observe(rows[:1234])]
    assert readings
    for reading in (*readings, *detector.readings().values()):
        assert {type(value) for value in reading} <= {State, float, int, str, dict, type(None)}
        assert {type(value) for profile in reading[-2:] for value in (profile or {}).values()} <= {float}
        assert json.loads(json.dumps(reading._asdict(), allow_nan=False)) == reading._asdict()


def test_the_direction_never_contradicts_before_and_after(make: Make, case: Case) -> None:
    told = 0
    for seed in range(5):
        stretches = [(400, bool(index % 2)) for index in range(8)]
        for signal in make().observe(events(case, *stretches, seed=seed)):
            reading = signal.reading
            if reading.direction is not None:
                assert reading.before is not None
                assert reading.after is not None
                assert (reading.after > reading.before) == (reading.direction in {"up", "wider"})
                told += 1
    assert told


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
