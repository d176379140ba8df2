"""Laws of what a data detector says of a change: since when, how large, which way, and out of what."""

from __future__ import annotations

import json
import math

import pytest

from detectors.base import Row, State
from tests.contract.data_detectors import CASES, Case, Make, events


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
def test_the_beginning_of_a_change_is_told_in_values_and_placed_among_all_rows(make: Make, case: Case) -> None:
    rows = events(case, (700, False), (300, True))
    with_gaps: list[Row] = [row for full in rows for row in (full, {"b": full["b"]}, {})]
    signal = next(signal for signal in make().observe(with_gaps) if signal.reading.state is State.DRIFT)
    assert signal.reading.changed_n is not None
    assert signal.index // 3 + 1 - signal.reading.changed_n == pytest.approx(700, abs=15)
    assert signal.behind.changed is not None
    assert signal.index + 1 - signal.behind.changed == pytest.approx(3 * 700, abs=60)
    assert signal.behind.reference is not None
    assert case.in_blocks or signal.index + 1 - signal.behind.reference[0] == pytest.approx(0, abs=5)


@pytest.mark.parametrize("rebased", [False, True], ids=["after an alarm", "after a rebase"])
@pytest.mark.parametrize("kind", [kind for kind, case in CASES.items() if not case.judges_missing | case.whole])
def test_gaps_are_taken_to_be_spread_as_since_the_detector_began_anew(make: Make, case: Case, rebased: bool) -> None:
    detector, other = make(), not rebased
    detector.observe(events(case, (9_700, False), (300, other)))
    if rebased:
        detector.rebase()
    rows: list[Row] = [row for full in events(case, (700, other), (300, not other)) for row in (full, {}, {})]
    signal = next(signal for signal in detector.observe(rows) if signal.reading.state is State.DRIFT)
    assert signal.behind.changed is not None
    assert signal.index + 1 - signal.behind.changed == pytest.approx(3 * 700, abs=60)


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
