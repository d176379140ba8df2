"""When a drift is over, and how that is told."""

from __future__ import annotations

import pytest

from detectors.base import Behind, Reading, State
from stream.core.endings import CALM, FEWEST_ERRORS, FEWEST_EVENTS, QUIET
from stream.core.incidents import BLOCK
from stream.core.levels import Errors
from tests.unit.core.drifting import FAR, WINDOW, Task, drift, errors, place, stable, task_in_a_drift

# when it is over: errors


def test_errors_that_are_back_are_a_recovery_with_its_duration() -> None:
    task = task_in_a_drift(0.2, 0.5)
    began = task.labels

    (told,) = task.erring(errors(0.22, 2 * FEWEST_ERRORS))

    assert (told.kind, told.state, told.severity, told.direction) == ("concept_drift", "recovered", "info", "better")
    assert told.before == pytest.approx(0.5)
    assert told.after == pytest.approx(0.22, abs=0.01)
    assert (told.since, told.duration) == (float(began), told.ts - began)
    assert told.incident == f"ks-None-{began}" != told.id
    assert (told.statistic, told.threshold, told.change, told.action) == (None, None, None, "none")
    assert task.incidents.count() == {}


def test_errors_that_stay_are_settled_after_so_many_blocks_without_an_alarm() -> None:
    task = task_in_a_drift(0.2, 0.5, took=320)
    began = task.labels

    assert task.erring(errors(0.5, QUIET * 320 - 1)) == []
    (told,) = task.erring([1.0])

    assert (told.state, told.direction, told.duration) == ("settled", "worse", QUIET * 320.0)
    assert told.before == pytest.approx(0.2)
    assert told.after == pytest.approx(0.5, abs=0.01)
    assert told.since == began


def test_the_first_block_tells_where_a_drift_that_was_found_early_has_led_to() -> None:
    task = task_in_a_drift(0.2, 0.3, took=32)

    assert task.erring(errors(0.9, FEWEST_ERRORS)) == []
    (told,) = task.erring(errors(0.4, FEWEST_ERRORS))

    assert told.state == "recovered", "0.4 is back from 0.9, not from 0.3"
    assert told.before == pytest.approx(0.9, abs=0.01)


def test_of_a_change_that_is_placed_at_few_errors_the_window_of_the_alarm_tells_the_levels() -> None:
    task = Task()
    task.erring(errors(0.02, 3200))
    task.erring([*errors(0.05, 796), 1.0, 1.0, 1.0, 1.0])
    task.misled(levels=(0.02, 0.054), window=800, began=4)

    assert task.erring(errors(0.05, 1600)) == [], "0.05 is back from what four errors say, not from what was told"
    (told,) = task.erring(errors(0.02, 10_000))[:1]

    assert told.state == "recovered"
    assert told.before == pytest.approx(0.054, abs=0.002)


def test_another_alarm_does_not_put_off_the_end_of_the_first_block() -> None:
    task = task_in_a_drift(0.2, 0.5, took=320)
    task.erring(errors(0.5, 319))

    assert task.misled(began=320) == []
    assert task.erring([0.0, *errors(0.2, 319)]) == []
    assert [a.state for a in task.erring([0.0])] == ["recovered"]


def test_another_alarm_puts_off_that_errors_have_settled() -> None:
    task = task_in_a_drift(0.2, 0.5, took=320)
    task.erring(errors(0.5, QUIET * 320 - 1))

    assert task.misled(began=320) == []
    assert task.erring(errors(0.5, QUIET * 320 - 1)) == []
    assert [a.state for a in task.erring([1.0])] == ["settled"]


def test_a_small_rise_takes_more_errors_to_tell_back_from_not_back() -> None:
    task = task_in_a_drift(0.2, 0.25, took=320)

    recovered = task.erring(errors(0.2, 20_000))[0]

    assert recovered.state == "recovered"
    assert recovered.duration is not None
    assert recovered.duration > 2000, "36 variances over the square of the rise"


def test_how_far_errors_rose_is_measured_on_them_and_not_on_what_a_detector_makes_of_them() -> None:
    task = Task()
    task.erring(errors(0.2, 960))
    task.erring(errors(0.5, 320))
    task.misled(began=320, levels=(0.0, 0.1))

    (told,) = task.erring(errors(0.25, 400))

    assert told.state == "recovered"
    assert told.before == pytest.approx(0.5)


def test_where_errors_themselves_show_no_rise_the_detectors_levels_count() -> None:
    task = Task()
    task.erring(errors(0.3, 1280))
    task.misled(began=320, levels=(0.2, 0.5))

    assert [a.state for a in task.erring(errors(0.2, 640))] == ["recovered"]


def test_errors_of_late_are_known_however_many_there_have_been() -> None:
    track = Errors()
    track.take([0.0] * 140_000 + [1.0] * 640)

    assert track.newest(640) == (640, 1.0, 0.0)
    before = track.newest(1000, skipped=640)
    assert before is not None
    assert before.mean == 0.0


def test_a_new_champion_ends_a_drift_with_its_own_errors() -> None:
    task = task_in_a_drift(0.2, 0.5, took=320)
    task.erring(errors(0.5, 319))

    task.incidents.swapped()

    assert task.erring(errors(0.2, 319)) == []
    assert [a.state for a in task.erring([0.0])] == ["recovered"]


def test_what_was_usual_before_a_drift_are_the_errors_of_the_same_champion() -> None:
    task = Task()
    task.erring(errors(0.6, 960))
    task.incidents.swapped()
    task.erring(errors(0.1, 640) + errors(0.5, 320))
    task.misled(began=320)

    (told,) = task.erring(errors(0.5, QUIET * 320))

    assert told.before == pytest.approx(0.1, abs=0.01)


def test_errors_of_a_drift_of_unknown_size_settle_and_never_recover() -> None:
    task = Task()
    task.incidents.misled(drift(0, None, levels=(0.3, 0.3), window=0), place(0), Behind(None, 1, None), dict)

    (told,) = task.erring(errors(0.0, 10 * FEWEST_ERRORS))

    assert (told.state, told.duration) == ("settled", QUIET * FEWEST_ERRORS)


def test_the_drift_of_a_segments_errors_ends_with_the_errors_of_that_segment() -> None:
    task = Task()
    task.erring(errors(0.2, 960))
    task.misled(segment="country=US", levels=(0.2, 0.5), window=100)

    assert task.erring(errors(0.1, 5 * FEWEST_ERRORS), country="DE") == []
    (told,) = task.erring(errors(0.2, FEWEST_ERRORS), country="US")

    assert (told.state, told.segment, told.before) == ("recovered", "country=US", 0.5)


def test_the_drift_of_errors_in_the_segment_of_all_other_values_settles() -> None:
    task = Task()
    task.misled(segment="country=(other)", levels=(0.2, 0.5), window=100)

    assert [a.state for a in task.erring(errors(0.1, QUIET * FEWEST_ERRORS), country="XY")] == ["settled"]


# when it is over: features


def test_a_feature_that_has_become_its_reference_has_settled_after_a_window_of_it() -> None:
    task = Task()
    task.found(1000, drift(1000, levels=(10.0, 20.0), window=800))
    told = []

    for n in range(1000, 6000, BLOCK):
        task.readings = {("ks", "temp"): stable(21.0) if n >= 3000 else Reading(State.WARMUP)}
        told += task.found(n)

    assert [(a.state, a.severity, a.direction, a.before, a.after) for a in told] == [
        ("settled", "info", "up", 10.0, 21.0)
    ]
    assert told[0].since == 1000.0
    assert told[0].ts == 1000 + 800 * (3 + CALM - 1), "reviews are a window apart; the third is the first to find it so"


def test_a_small_window_is_not_looked_at_more_often_than_every_hundred_events() -> None:
    task = Task()
    task.found(1000, drift(1000, window=10))
    task.readings = {("ks", "temp"): stable(20.0)}

    told = [a for n in range(1000 + BLOCK, 3000, BLOCK) for a in task.found(n)]

    assert [(a.state, a.ts) for a in told] == [("settled", 1000.0 + CALM * FEWEST_EVENTS)]


def test_a_drift_is_not_over_before_all_that_took_part_is() -> None:
    task = Task()
    task.readings = {("ks", "temp"): stable(20.0), ("ks", "humid"): Reading(State.WARMUP)}
    task.found(1000, drift(1000, "temp"), drift(1000, "humid"))

    assert [a for n in range(1000, 9000, BLOCK) for a in task.found(n)] == []
    task.readings["ks", "humid"] = stable(20.0)
    (told,) = [a for n in range(9000, 11_000, BLOCK) for a in task.found(n)]

    assert told.state == "settled"
    assert {c.feature for c in told.contributors} == {"temp", "humid"}


def test_a_drift_is_over_when_some_of_it_is_back_and_the_rest_has_become_the_reference() -> None:
    task = Task()
    task.readings = {("ks", "temp"): Reading(State.WARMUP), ("ks", "humid"): Reading(State.WARMUP)}
    task.found(1000, drift(1000, "temp"), drift(1000, "humid"))

    assert task.found(1300, drift(1300, "temp", levels=(20.0, 10.0))) == []
    task.readings["ks", "humid"] = stable(20.0)
    told = [a for n in range(1300 + BLOCK, 3000, BLOCK) for a in task.found(n)]

    assert [a.state for a in told] == ["settled"]


def test_what_took_part_is_named_in_the_end_as_it_was_at_its_clearest() -> None:
    task = Task()
    task.found(1000, drift(1000, "temp"))
    task.found(1100, drift(1100, "temp", detector="psi", over=3.0), drift(1100, "humid", over=2.0))
    task.found(1200, drift(1200, "temp", over=1.2))

    told = task.found(2000, *(drift(2000, name, levels=(20.0, 10.0), over=1.1) for name in ("temp", "humid")))

    assert [(c.detector, c.feature, c.over) for c in told[0].contributors] == [
        ("psi", "temp", 3.0),
        ("ks", "humid", 2.0),
    ]


def test_a_feature_that_goes_back_recovers_as_soon_as_a_detector_sees_it() -> None:
    task = Task()
    task.found(1000, drift(1000, levels=(10.0, 20.0)))

    (told,) = task.found(4000, drift(4000, levels=(20.0, 11.0), direction="down"))

    assert (told.state, told.direction, told.before, told.after) == ("recovered", "down", 20.0, 11.0)
    assert (told.since, told.duration) == (1000.0, 3000.0)
    assert task.incidents.count() == {}


def test_a_feature_that_a_fixed_reference_finds_unchanged_again_has_recovered() -> None:
    task = Task()
    task.found(1000, drift(1000, levels=(10.0, 20.0)))
    task.readings = {("ks", "temp"): stable(10.5)}

    (told,) = task.found(1000 + WINDOW)

    assert (told.state, told.after) == ("recovered", 10.5)


def test_profiles_tell_that_a_change_of_shape_is_back() -> None:
    narrow, wide = {"p05": -1.0, "p50": 0.0, "p95": 1.0}, {"p05": -3.0, "p50": 0.0, "p95": 3.0}
    task = Task()
    task.found(1000, drift(1000, levels=(1.0, 3.0), direction="wider", profiles=(narrow, wide)))

    told = task.found(3000, drift(3000, levels=(0.0, 0.1), profiles=(wide, {**narrow, "p95": 1.5})))

    assert [(a.state, a.before, a.after) for a in told] == [("recovered", None, None)]


def test_a_mean_that_is_back_does_not_stand_for_a_shape_that_is_not() -> None:
    narrow, wide = {"p05": 9.0, "p50": 10.0, "p95": 11.0}, {"p05": 14.0, "p50": 20.0, "p95": 26.0}
    task = Task()
    task.found(1000, drift(1000, levels=(10.0, 20.0), profiles=(narrow, wide)))

    now = {"p05": 2.0, "p50": 10.0, "p95": 18.0}

    assert task.found(3000, drift(3000, levels=(20.0, 10.0), direction="down", profiles=(wide, now))) == []


def test_a_mean_is_not_held_against_a_deviation() -> None:
    task = Task()
    task.found(1000, drift(1000, levels=(1.0, 3.0), direction="wider"))

    assert task.found(3000, drift(3000, levels=(0.0, 1.0), direction="up")) == []


def test_a_feature_that_moves_elsewhere_has_not_recovered() -> None:
    task = Task()
    task.found(1000, drift(1000, levels=(10.0, 20.0)))

    assert task.found(3000, drift(3000, levels=(20.0, 14.0), direction="down")) == []
    assert task.incidents.count() == {"data_drift": 1}


def test_what_the_worst_segment_reads_is_not_taken_for_the_level_of_another() -> None:
    task = Task()
    task.found(1000, drift(1000, segment="country=US", levels=(10.0, 20.0)))
    task.readings = {("ks", "temp"): stable(10.0)}

    assert task.found(1000 + WINDOW) == []
    assert [a.state for a in task.found(1000 + 2 * WINDOW)] == ["settled"]


def test_a_feature_that_is_no_longer_watched_does_not_keep_a_drift_open() -> None:
    task = Task()
    task.found(1000, drift(1000, "gone"))

    assert [a.state for n in range(1000, 3000, BLOCK) for a in task.found(n)] == ["settled"]


def test_the_same_feature_can_drift_again_after_its_drift_is_over() -> None:
    task = Task()
    (first,) = task.found(1000, drift(1000, levels=(10.0, 20.0)))
    task.found(4000, drift(4000, levels=(20.0, 10.0)))

    (second,) = task.found(9000, drift(9000, levels=(10.0, 20.0)))

    assert (second.state, second.since) == ("open", None)
    assert second.incident != first.incident


def test_errors_that_fall_below_the_usual_are_no_further_drift() -> None:
    task = task_in_a_drift(0.2, 0.3, took=32)

    told = task.erring(errors(0.05, FEWEST_ERRORS)) + task.erring(errors(0.18, 2000))

    assert [(a.state, a.direction) for a in told] == [("recovered", "better")]
    assert told[0].before == pytest.approx(0.3, abs=0.02)
    assert told[0].after == pytest.approx(0.18, abs=0.02)


def test_a_feature_that_settles_on_the_other_side_of_the_usual_is_told_to_have_gone_there() -> None:
    task = Task()
    task.found(1000, drift(1000, levels=(10.0, 20.0)))
    task.readings = {("ks", "temp"): stable(4.0)}

    told = [one for n in range(1000 + BLOCK, 1000 + FAR, BLOCK) for one in task.found(n)]

    assert [(a.state, a.direction, a.before, a.after) for a in told] == [("settled", "down", 10.0, 4.0)]
